"""Actual costs over HTTP: one document, one posting, reversed once; alone and in batches."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from steerco_events.clock import SystemClock
from steerco_events.ids import new_id
from steerco_service.testkit.serving import Served

type NewProject = Callable[..., Awaitable[UUID]]
type Json = dict[str, Any]


def cost(amount: object, currency: object = "EUR") -> Json:
    return {"amount": amount, "currency": currency}


def posting(project_id: UUID, /, **changes: object) -> Json:
    return {
        "project_id": str(project_id),
        "source": "ledger",
        "reference": f"INV-{new_id()}",
        "cost": cost("120.50"),
        "incurred_on": "2026-01-20",
        "period": "fiscal_year 2026",
    } | changes


async def posted(finance: httpx.AsyncClient, body: Json) -> httpx.Response:
    answer = await finance.post("/postings", json=body)
    assert answer.status_code == 201, answer.text
    return answer


def refused(answer: httpx.Response) -> tuple[int, str, str]:
    """The status, the code and the pointer of a refusal that names one field."""
    problem = answer.json()
    (error,) = problem["errors"]
    return answer.status_code, problem["type"].removeprefix("urn:steerco:problem:"), error["pointer"]


async def test_a_posting_is_read_as_it_was_posted(finance: httpx.AsyncClient, project: NewProject) -> None:
    body = posting(await project())
    answer = await posted(finance, body)
    assert answer.headers["Location"] == f"/postings/{answer.json()['id']}"
    one = await finance.get(answer.headers["Location"])
    assert one.headers["ETag"] == answer.headers["ETag"] == '"1"'
    shown = one.json()
    assert shown.pop("actions")
    assert shown == body | {"posting_id": answer.json()["id"], "reversed": False, "reason": None, "withheld": None}


async def test_a_document_posted_again_is_the_same_posting(finance: httpx.AsyncClient, project: NewProject) -> None:
    body = posting(await project())
    answers = await asyncio.gather(*(posted(finance, body) for _ in range(4)))
    answers += [await posted(finance, body | {"cost": cost("120.5")})]
    assert len({(answer.json()["id"], answer.headers["ETag"]) for answer in answers}) == 1
    another_source = await posted(finance, body | {"source": "card statement"})
    assert another_source.json()["id"] != answers[0].json()["id"]


async def test_a_document_with_other_content_is_refused(finance: httpx.AsyncClient, project: NewProject) -> None:
    body = posting(await project())
    await posted(finance, body)
    others: list[tuple[Json, str]] = [
        ({"cost": cost("121")}, "cost"),
        ({"project_id": str(await project())}, "project"),
        ({"incurred_on": "2026-01-19", "period": "fiscal_year 2025"}, "incurred on, period"),
    ]
    for changes, told in others:
        answer = await finance.post("/postings", json=body | changes)
        assert refused(answer) == (409, "document-already-posted", "/reference")
        assert f"posted with another {told};" in answer.json()["detail"]


async def test_a_posting_is_reversed_once_with_its_reason(finance: httpx.AsyncClient, project: NewProject) -> None:
    body = posting(await project())
    location = (await posted(finance, body)).headers["Location"]
    for reason in ("Wrong project", "Wrong again"):
        answer = await finance.post(f"{location}/reversal", json={"reason": reason})
        assert (answer.status_code, answer.headers["ETag"]) == (204, '"2"')
    one = (await finance.get(location)).json()
    assert (one["reversed"], one["reason"]) == (True, "Wrong project")
    again = await posted(finance, body)
    assert (again.headers["Location"], again.headers["ETag"]) == (location, '"2"')
    assert (await finance.get(location)).json()["reversed"] is True


async def test_a_posting_that_is_not_there_is_404(finance: httpx.AsyncClient) -> None:
    location = f"/postings/{new_id()}"
    for answer in (
        await finance.get(location),
        await finance.post(f"{location}/reversal", json={"reason": "Wrong"}),
    ):
        assert (answer.status_code, answer.json()["type"]) == (404, "urn:steerco:problem:unknown-posting")


@pytest.mark.parametrize("reason", ["", " ", "x" * 201, "a\u0000b", 7, None])
async def test_a_reversal_has_a_reason(finance: httpx.AsyncClient, reason: object) -> None:
    answer = await finance.post(f"/postings/{new_id()}/reversal", json={"reason": reason})
    assert refused(answer) == (422, "invalid-request", "/reason")


@pytest.mark.parametrize("state", ["closed", "terminated", "on_hold"])
async def test_a_late_cost_is_posted_whatever_the_project_is(
    finance: httpx.AsyncClient, project: NewProject, state: str
) -> None:
    await posted(finance, posting(await project(state=state)))


async def test_a_cost_is_of_a_project_that_finance_has_heard_of(finance: httpx.AsyncClient) -> None:
    assert refused(await finance.post("/postings", json=posting(new_id()))) == (422, "no-such-project", "/project_id")


@pytest.mark.parametrize(
    ("changes", "code", "pointer"),
    [
        ({"cost": cost("1", "USD")}, "another-currency", "/cost/currency"),
        ({"cost": cost("-0.01")}, "negative-cost", "/cost/amount"),
        ({"incurred_on": "2999-01-01"}, "cost-not-incurred-yet", "/incurred_on"),
        ({"period": "whole_life"}, "period-not-a-fiscal-year", "/period"),
        ({"cost": cost(1)}, "invalid-request", "/cost/amount"),
        ({"cost": cost("1", "EURO")}, "invalid-request", "/cost/currency"),
        ({"cost": "1 EUR"}, "invalid-request", "/cost"),
        ({"cost": None}, "invalid-request", "/cost"),
        ({"project_id": "LIC-1"}, "invalid-request", "/project_id"),
        ({"period": "2026"}, "invalid-request", "/period"),
        ({"vat": "19"}, "invalid-request", "/vat"),
        *(({"incurred_on": day}, "invalid-request", "/incurred_on") for day in ("2026-02-30", "1/2/2026", "", None)),
        *(
            ({name: text}, "invalid-request", f"/{name}")
            for name in ("source", "reference")
            for text in ("", "  ", "x" * 201, "a\u0000b", "a\nb", "a\u001fb", 7, None)
        ),
    ],
)
async def test_a_field_that_is_wrong_is_named(
    finance: httpx.AsyncClient, project: NewProject, changes: Json, code: str, pointer: str
) -> None:
    answer = await finance.post("/postings", json=posting(await project(), **changes))
    assert refused(answer) == (422, code, pointer)


@pytest.mark.parametrize("amount", ["0.001", "1000000000000000", "NaN", "1_000", " 1 ", "١", "1e3", "-", ""])
async def test_an_amount_that_can_not_be_is_refused(
    finance: httpx.AsyncClient, project: NewProject, amount: str
) -> None:
    answer = await finance.post("/postings", json=posting(await project(), cost=cost(amount)))
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:steerco:problem:invalid-request")
    assert answer.json()["errors"][0]["pointer"].startswith("/cost")


async def test_a_cost_of_today_is_posted(finance: httpx.AsyncClient, project: NewProject) -> None:
    today = SystemClock().now().date()
    await posted(finance, posting(await project(), incurred_on=str(today), cost=cost("0")))
    ahead = posting(await project(), incurred_on=str(today + timedelta(days=2)))
    answer = await finance.post("/postings", json=ahead)
    assert refused(answer) == (422, "cost-not-incurred-yet", "/incurred_on")


async def test_a_version_that_is_gone_and_a_key_of_another_body_are_refused(
    finance: httpx.AsyncClient, project: NewProject
) -> None:
    body, key = posting(await project()), {"Idempotency-Key": f"key-{new_id()}"}
    first = await finance.post("/postings", json=body, headers=key)
    assert (await finance.post("/postings", json=body, headers=key)).json() == first.json()
    reused = await finance.post("/postings", json=body | {"reference": "another"}, headers=key)
    assert (reused.status_code, reused.json()["type"]) == (422, "urn:steerco:problem:idempotency-key-reused")
    reversal = f"{first.headers['Location']}/reversal"
    stale = await finance.post(reversal, json={"reason": "Wrong"}, headers={"If-Match": '"7"'})
    assert (stale.status_code, stale.json()["type"]) == (412, "urn:steerco:problem:stale-version")
    fresh = await finance.post(reversal, json={"reason": "Wrong"}, headers={"If-Match": first.headers["ETag"]})
    assert (fresh.status_code, fresh.headers["ETag"]) == (204, '"2"')


async def test_of_a_batch_each_posting_is_taken_or_refused_alone(
    served: Served, finance: httpx.AsyncClient, project: NewProject
) -> None:
    project_id = await project()
    good, twin = posting(project_id), posting(project_id)
    figure = {"measure": "cost", "period": "whole_life", "figure": {"money": cost("1000")}}
    commands = [
        {"path": "/postings", "body": good, "group": "a", "reason": "Month end"},
        {"path": "/postings", "body": good | {"cost": cost("1")}, "group": "a"},
        {"path": "/postings", "body": good, "group": "a"},
        {"path": "/postings", "body": posting(project_id, cost=cost("-1"))},
        {"path": "/postings", "body": posting(new_id())},
        {"path": "/postings", "body": posting(project_id, cost=cost(1.5))},
        {"path": "/postings", "body": twin, "if_match": '"3"'},
        {"path": "/postings", "body": twin},
        {"path": f"/projects/{project_id}/budget", "method": "PUT", "body": figure},
        {"path": f"/projects/{project_id}/budget", "body": figure},
    ]
    answers = (await finance.post("/batch", json={"commands": commands})).json()["answers"]
    assert [answer["status"] for answer in answers] == [201, 409, 201, 422, 422, 422, 412, 201, 204, 405]
    token = {"Consistency-Token": answers[7]["headers"]["consistency-token"]}
    listed = (await finance.get("/postings", params={"project_id": str(project_id)}, headers=token)).json()
    assert {each["reference"] for each in listed} == {good["reference"], twin["reference"]}
    runtime = served.runtime("finance")
    async with runtime.engine.connect() as connection:
        (event,) = await runtime.store.read_events(connection, f"posting-{answers[0]['body']['id']}")
    assert event.reason == "Month end"
