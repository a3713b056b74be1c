"""The list of actual costs: filtered by project, period, source and reference; paged by `Link`."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import httpx
import pytest

from steerco_events.ids import new_id

type NewProject = Callable[..., Awaitable[UUID]]
type Json = dict[str, Any]

SOURCE = "a ledger of twelve"


@pytest.fixture(scope="module")
async def twelve(finance: httpx.AsyncClient, project: NewProject) -> list[Json]:
    """Twelve postings of one source: of two projects by turns, in three fiscal years, the last one reversed."""
    projects = [await project(), await project()]
    commands = [
        {
            "path": "/postings",
            "body": {
                "project_id": str(projects[n % 2]),
                "source": SOURCE,
                "reference": f"INV-{n}",
                "cost": {"amount": f"{n}.00", "currency": "EUR"},
                "incurred_on": "2025-03-01",
                "period": f"fiscal_year 202{3 + n // 4}",
            },
        }
        for n in range(12)
    ]
    answers = (await finance.post("/batch", json={"commands": commands})).json()["answers"]
    assert {answer["status"] for answer in answers} == {201}
    last = answers[-1]["headers"]
    reversal = await finance.post(f"{last['location']}/reversal", json={"reason": "Wrong"})
    found = []
    for answer in answers:
        token = {"Consistency-Token": answer["headers"]["consistency-token"]}
        assert (await finance.get("/postings", headers=token)).status_code == 200
        one = (await finance.get(answer["headers"]["location"])).json()
        found.append({name: value for name, value in one.items() if name != "actions"})
    token = {"Consistency-Token": reversal.headers["Consistency-Token"]}
    assert (await finance.get("/postings", headers=token)).status_code == 200
    return sorted(found, key=lambda each: str(each["posting_id"]))


async def test_postings_come_in_the_order_of_their_ids_reversed_ones_too(
    finance: httpx.AsyncClient, twelve: list[Json]
) -> None:
    listed = (await finance.get("/postings", params={"source": SOURCE})).json()
    assert listed == twelve
    assert [(each["reference"], each["reason"]) for each in listed if each["reversed"]] == [("INV-11", "Wrong")]


@pytest.mark.parametrize(
    ("names", "count"),
    [
        (("project_id",), 6),
        (("period",), 4),
        (("project_id", "period"), 2),
        (("reference",), 1),
        (("reference", "project_id", "period"), 1),
    ],
)
async def test_postings_are_filtered_by_all_that_is_asked(
    finance: httpx.AsyncClient, twelve: list[Json], names: tuple[str, ...], count: int
) -> None:
    for one in twelve:
        wanted = {name: one[name] for name in names}
        found = (await finance.get("/postings", params={"source": SOURCE} | wanted)).json()
        assert found == [each for each in twelve if wanted.items() <= each.items()]
        assert len(found) == count


@pytest.mark.parametrize(
    "params",
    [
        {"project_id": str(new_id())},
        {"period": "whole_life"},
        {"period": "fiscal_year 2023-24"},
        {"reference": "INV"},
        {"reference": "inv-1"},
        {"source": "a ledger"},
        {"source": "' OR 1=1 --"},
    ],
)
async def test_nothing_is_found_for_what_is_not_there(
    finance: httpx.AsyncClient, twelve: list[Json], params: dict[str, str]
) -> None:
    assert (await finance.get("/postings", params={"source": SOURCE} | params)).json() == []


@pytest.mark.parametrize("limit", [1, 5, 6, 12])
async def test_a_filtered_list_is_paged_by_link_with_each_posting_once(
    finance: httpx.AsyncClient, twelve: list[Json], limit: int
) -> None:
    url, found, pages = f"/postings?limit={limit}&source={SOURCE.replace(' ', '+')}", list[Json](), 0
    while url:
        answer = await finance.get(url)
        assert len(answer.json()) <= limit
        found += answer.json()
        url = answer.links.get("next", {}).get("url", "")
        pages += 1
    assert (found, pages) == (twelve, -(-12 // limit))


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("project_id=7", 422),
        ("period=2026", 422),
        ("period=fiscal_year%202026-28", 422),
        ("source=", 422),
        ("source=%00", 422),
        (f"reference={'x' * 201}", 422),
        ("limit=501", 422),
        ("after=%21", 400),
    ],
)
async def test_a_filter_or_page_that_can_not_be_is_refused(finance: httpx.AsyncClient, query: str, status: int) -> None:
    answer = await finance.get(f"/postings?{query}")
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
