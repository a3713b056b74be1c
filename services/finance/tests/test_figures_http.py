"""Budgets and forecasts over HTTP: as money, as words, as nothing; by measure and period."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import httpx
import pytest

from steerco_events.contracts.portfolio import ProjectTerminated
from steerco_events.ids import new_id
from steerco_service.testkit.serving import Served

type NewProject = Callable[..., Awaitable[UUID]]
type Json = dict[str, Any]

KINDS = ("budget", "forecast")
NOTHING = {"kind": "not_stated", "money": None, "said": None}


def money(amount: object, currency: object = "EUR") -> Json:
    return {"money": {"amount": amount, "currency": currency}}


def stated(figure: object, measure: object = "cost", period: object = "whole_life") -> Json:
    return {"measure": measure, "period": period, "figure": figure}


async def put(finance: httpx.AsyncClient, project_id: UUID, kind: str, body: Json, **headers: str) -> httpx.Response:
    return await finance.put(f"/projects/{project_id}/{kind}", json=body, headers=headers)


async def accepted(finance: httpx.AsyncClient, project_id: UUID, kind: str, body: Json) -> str:
    """The version after a figure that was taken."""
    answer = await put(finance, project_id, kind, body)
    assert answer.status_code == 204, answer.text
    version: str = answer.headers["ETag"]
    return version


async def figures(finance: httpx.AsyncClient, project_id: UUID) -> list[Json]:
    answer = await finance.get(f"/projects/{project_id}/figures")
    assert answer.status_code == 200, answer.text
    found: list[Json] = answer.json()
    return found


def refused(answer: httpx.Response) -> tuple[int, str, str]:
    """The status, the code and the pointer of a refusal that names one field."""
    problem = answer.json()
    (error,) = problem["errors"]
    return answer.status_code, problem["type"].removeprefix("urn:steerco:problem:"), error["pointer"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("figure", "shown"),
    [
        (money("1200.5"), {"kind": "disclosed", "money": {"amount": "1200.50", "currency": "EUR"}, "said": None}),
        ({"said": "Exempt, § 43"}, {"kind": "undisclosed", "money": None, "said": "Exempt, § 43"}),
        ({}, NOTHING),
        ({"money": None, "said": None}, NOTHING),
    ],
    ids=["money", "words", "nothing", "null"],
)
async def test_a_figure_is_shown_as_it_was_said(
    finance: httpx.AsyncClient, project: NewProject, kind: str, figure: Json, shown: Json
) -> None:
    project_id = await project()
    await accepted(finance, project_id, kind, stated(figure))
    (answer,) = await figures(finance, project_id)
    assert answer == {
        "project_id": str(project_id),
        "measure": "cost",
        "kind": kind,
        "period": "whole_life",
        "figure": shown,
        "baseline": 1 if kind == "budget" else None,
    }


async def test_budgets_of_a_measure_and_period_are_counted_and_the_same_again_is_not(
    finance: httpx.AsyncClient, project: NewProject
) -> None:
    project_id = await project()
    versions = [
        await accepted(finance, project_id, "budget", stated(figure))
        for figure in (money("100"), money("100.00"), {"said": "Withheld"}, {"said": "Withheld"}, money("100"))
    ]
    assert versions == ['"1"', '"1"', '"2"', '"2"', '"3"']
    await accepted(finance, project_id, "budget", stated(money("7"), "benefit"))
    await accepted(finance, project_id, "budget", stated(money("8"), period="fiscal_year 2026"))
    await accepted(finance, project_id, "forecast", stated(money("120")))
    found = await figures(finance, project_id)
    assert [(each["measure"], each["kind"], each["period"], each["baseline"]) for each in found] == [
        ("benefit", "budget", "whole_life", 1),
        ("cost", "budget", "fiscal_year 2026", 1),
        ("cost", "budget", "whole_life", 3),
        ("cost", "forecast", "whole_life", None),
    ]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_cost_is_not_negative_but_a_benefit_may_be(
    finance: httpx.AsyncClient, project: NewProject, kind: str
) -> None:
    project_id = await project()
    answer = await put(finance, project_id, kind, stated(money("-0.01")))
    assert refused(answer) == (422, "negative-cost", "/figure/money/amount")
    await accepted(finance, project_id, kind, stated(money("-0.00")))
    await accepted(finance, project_id, kind, stated(money("-0.01"), "benefit"))
    assert [each["figure"]["money"]["amount"] for each in await figures(finance, project_id)] == ["-0.01", "0.00"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("measure", ["cost", "benefit"])
async def test_a_figure_is_in_the_currency_of_its_project(
    finance: httpx.AsyncClient, project: NewProject, kind: str, measure: str
) -> None:
    answer = await put(finance, await project("KWD"), kind, stated(money("1"), measure))
    assert refused(answer) == (422, "another-currency", "/figure/money/currency")


@pytest.mark.parametrize("kind", KINDS)
async def test_a_project_that_finance_has_not_heard_of_has_no_figures(finance: httpx.AsyncClient, kind: str) -> None:
    unknown = new_id()
    for answer in (
        await put(finance, unknown, kind, stated(money("1"))),
        await put(finance, unknown, kind, stated({})),
        await finance.get(f"/projects/{unknown}/figures"),
    ):
        assert (answer.status_code, answer.json()["type"]) == (404, "urn:steerco:problem:unknown-project")


@pytest.mark.parametrize("state", ["closed", "terminated"])
async def test_a_project_registered_as_ended_is_told_with_its_figures(
    finance: httpx.AsyncClient, project: NewProject, state: str
) -> None:
    project_id = await project(state=state)
    assert await accepted(finance, project_id, "budget", stated(money("1"))) == '"1"'
    assert await accepted(finance, project_id, "forecast", stated(money("2"))) == '"2"'
    assert await accepted(finance, project_id, "budget", stated(money("3"), "benefit")) == '"3"'
    answer = await put(finance, project_id, "budget", stated(money("2")))
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:steerco:problem:budget-of-ended-project")


async def test_a_terminated_project_gets_forecasts_but_its_budget_stays(
    served: Served, finance: httpx.AsyncClient, project: NewProject
) -> None:
    project_id = await project()
    await accepted(finance, project_id, "budget", stated(money("1")))
    await served.append("portfolio", f"project-{project_id}", ProjectTerminated(project_id=project_id))
    await served.settled()
    answer = await put(finance, project_id, "budget", stated(money("2")))
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:steerco:problem:budget-of-ended-project")
    assert await accepted(finance, project_id, "budget", stated(money("1"))) == '"1"'
    assert await accepted(finance, project_id, "forecast", stated(money("2"))) == '"2"'


async def test_a_project_that_has_no_figures_yet_is_at_version_0(
    finance: httpx.AsyncClient, project: NewProject
) -> None:
    project_id = await project()
    answer = await finance.get(f"/projects/{project_id}/figures")
    assert (answer.json(), answer.headers["ETag"]) == ([], '"0"')
    first = await put(finance, project_id, "budget", stated(money("1")), **{"If-Match": '"0"'})
    assert (first.status_code, first.headers["ETag"]) == (204, '"1"')


@pytest.mark.parametrize("kind", KINDS)
async def test_a_figure_against_a_version_that_is_gone_is_refused(
    finance: httpx.AsyncClient, project: NewProject, kind: str
) -> None:
    project_id = await project()
    seen = await accepted(finance, project_id, "budget", stated(money("1")))
    await accepted(finance, project_id, "forecast", stated(money("2")))
    answer = await put(finance, project_id, kind, stated(money("3")), **{"If-Match": seen})
    assert (answer.status_code, answer.json()["type"]) == (412, "urn:steerco:problem:stale-version")
    now = (await finance.get(f"/projects/{project_id}/figures")).headers["ETag"]
    answer = await put(finance, project_id, kind, stated(money("3")), **{"If-Match": now})
    assert (answer.status_code, answer.headers["ETag"]) == (204, '"3"')


async def test_a_figure_with_a_key_is_taken_once_and_the_key_is_for_no_other(
    finance: httpx.AsyncClient, project: NewProject
) -> None:
    project_id, key = await project(), {"Idempotency-Key": f"key-{new_id()}"}
    first = await put(finance, project_id, "budget", stated(money("1")), **key)
    await accepted(finance, project_id, "budget", stated(money("2")))
    again = await put(finance, project_id, "budget", stated(money("1")), **key)
    assert (again.status_code, again.headers["ETag"]) == (204, first.headers["ETag"])
    assert (await figures(finance, project_id))[0]["figure"]["money"]["amount"] == "2.00"
    for reused in (
        await put(finance, project_id, "budget", stated(money("3")), **key),
        await put(finance, await project(), "budget", stated(money("1")), **key),
    ):
        assert (reused.status_code, reused.json()["type"]) == (422, "urn:steerco:problem:idempotency-key-reused")


@pytest.fixture(scope="module")
async def several(finance: httpx.AsyncClient, project: NewProject) -> tuple[UUID, list[Json]]:
    """A project of many figures, and its list when the view has them all."""
    project_id = await project()
    for kind in KINDS:
        for measure in ("cost", "benefit"):
            for period in ("whole_life", "fiscal_year 2026", "fiscal_year 2026-27"):
                await accepted(finance, project_id, kind, stated(money("1"), measure, period))
    answer = await put(finance, project_id, "budget", stated(money("2")))
    token = {"Consistency-Token": answer.headers["Consistency-Token"]}
    listed = await finance.get("/figures", params={"project_id": str(project_id)}, headers=token)
    return project_id, listed.json()


async def test_the_list_says_what_the_project_says(
    finance: httpx.AsyncClient, several: tuple[UUID, list[Json]]
) -> None:
    project_id, listed = several
    assert len(listed) == 12
    assert listed == await figures(finance, project_id)


@pytest.mark.parametrize(
    ("params", "count"),
    [
        ({"measure": "cost"}, 6),
        ({"kind": "forecast"}, 6),
        ({"period": "fiscal_year 2026"}, 4),
        ({"period": "fiscal_year 2026-27", "kind": "budget"}, 2),
        ({"measure": "benefit", "kind": "budget", "period": "whole_life"}, 1),
        ({"period": "fiscal_year 2025"}, 0),
    ],
)
async def test_figures_are_filtered_by_all_that_is_asked(
    finance: httpx.AsyncClient, several: tuple[UUID, list[Json]], params: dict[str, str], count: int
) -> None:
    project_id, listed = several
    found = (await finance.get("/figures", params=params | {"project_id": str(project_id)})).json()
    assert found == [each for each in listed if params.items() <= each.items()]
    assert len(found) == count


@pytest.mark.parametrize("limit", [1, 5, 12])
async def test_figures_are_paged_by_link_with_each_once(
    finance: httpx.AsyncClient, several: tuple[UUID, list[Json]], limit: int
) -> None:
    project_id, listed = several
    url, found, pages = f"/figures?limit={limit}&project_id={project_id}", list[Json](), 0
    while url:
        answer = await finance.get(url)
        found += answer.json()
        url = answer.links.get("next", {}).get("url", "")
        pages += 1
    assert (found, pages) == (listed, -(-12 // limit))


@pytest.mark.parametrize(
    "query", ["project_id=7", "measure=profit", "kind=actual", "period=2026", "period=", "limit=0", "after=%21"]
)
async def test_a_filter_or_page_that_can_not_be_is_refused(finance: httpx.AsyncClient, query: str) -> None:
    answer = await finance.get(f"/figures?{query}")
    assert answer.status_code in (400, 422), answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
