"""The list of projects: filtered by unit, state, code, source and reference; paged by `Link`."""

import asyncio
from typing import Any

import httpx
import pytest

from steerco_events.ids import derived_id, new_id

MARKETS, LICENSING = derived_id("unit", "MKT"), derived_id("unit", "LIC")
SOURCE = "a register of twelve"
CODES = [f"TWELVE-{n:02}" for n in range(12)]


@pytest.fixture(scope="module")
async def listed(portfolio: httpx.AsyncClient) -> httpx.AsyncClient:
    """Twelve projects of one source, in the order of their codes by threes of a state, by halves of a unit."""
    states = ("planning", "executing", "closing", "closed")
    answers = await asyncio.gather(
        *(
            portfolio.post(
                "/projects",
                json={
                    "code": code,
                    "title": f"Project {code}",
                    "unit_id": str(MARKETS if n < 6 else LICENSING),
                    "currency": "EUR",
                    "source": SOURCE,
                    "reference": str(n),
                    "state": states[n // 3],
                },
            )
            for n, code in reversed(list(enumerate(CODES)))
        )
    )
    for answer in answers:
        assert answer.status_code == 201, answer.text
        token = {"Consistency-Token": answer.headers["Consistency-Token"]}
        assert (await portfolio.get("/projects", headers=token)).status_code == 200
    return portfolio


async def codes(portfolio: httpx.AsyncClient, **params: Any) -> list[str]:
    answer = await portfolio.get("/projects", params={"limit": 500} | params)
    assert answer.status_code == 200, answer.text
    return [each["code"] for each in answer.json()]


async def test_projects_come_in_the_order_of_their_codes(listed: httpx.AsyncClient) -> None:
    assert await codes(listed, source=SOURCE) == CODES
    everything = await codes(listed)
    assert everything == sorted(everything)
    assert set(CODES) <= set(everything)


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"unit_id": str(MARKETS)}, CODES[:6]),
        ({"unit_id": str(LICENSING)}, CODES[6:]),
        ({"unit_id": str(new_id())}, []),
        ({"unit_id": str(derived_id("unit", "COM"))}, []),
        ({"state": "executing"}, CODES[3:6]),
        ({"state": "chartered"}, []),
        ({"state": "executing", "unit_id": str(LICENSING)}, []),
        ({"state": "closing", "unit_id": str(LICENSING)}, CODES[6:9]),
        ({"code": "TWELVE-07"}, CODES[7:8]),
        ({"code": "twelve-07"}, CODES[7:8]),
        ({"code": "TWELVE"}, []),
        ({"code": "TWELVE-0_"}, []),
        ({"reference": "11"}, CODES[11:]),
        ({"reference": "1", "state": "closed"}, []),
    ],
)
async def test_a_list_is_filtered_by_all_that_is_asked(
    listed: httpx.AsyncClient, params: dict[str, str], expected: list[str]
) -> None:
    assert await codes(listed, source=SOURCE, **params) == expected


@pytest.mark.parametrize("source", ["another register", "a register", SOURCE.upper(), "' OR 1=1 --", "a%"])
async def test_a_source_is_asked_by_its_whole_name(listed: httpx.AsyncClient, source: str) -> None:
    assert await codes(listed, source=source) == []


@pytest.mark.parametrize("limit", [1, 5, 6, 12])
async def test_a_filtered_list_is_paged_by_link_with_each_project_once(listed: httpx.AsyncClient, limit: int) -> None:
    url, found = f"/projects?limit={limit}&source={SOURCE.replace(' ', '+')}", list[str]()
    pages = 0
    while url:
        answer = await listed.get(url)
        assert len(answer.json()) <= limit
        found += [each["code"] for each in answer.json()]
        url = answer.links.get("next", {}).get("url", "")
        pages += 1
    assert (found, pages) == (CODES, -(-len(CODES) // limit))


async def test_a_project_that_comes_between_two_pages_moves_no_other(listed: httpx.AsyncClient) -> None:
    source = f"register {new_id()}"
    body = {"title": "x", "unit_id": str(MARKETS), "currency": "EUR", "source": source, "reference": "1"}
    prefix = f"B-{new_id().hex[-8:]}"
    for code in ("1", "2", "4"):
        answer = await listed.post("/projects", json=body | {"code": f"{prefix}-{code}"})
    token = {"Consistency-Token": answer.headers["Consistency-Token"]}
    first = await listed.get("/projects", params={"source": source, "limit": 2}, headers=token)
    for code in ("0", "3"):
        answer = await listed.post("/projects", json=body | {"code": f"{prefix}-{code}"})
    token = {"Consistency-Token": answer.headers["Consistency-Token"]}
    second = await listed.get(first.links["next"]["url"], headers=token)
    assert [each["code"][-1] for each in first.json() + second.json()] == ["1", "2", "3", "4"]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("limit=0", 422),
        ("limit=501", 422),
        ("limit=ten", 422),
        ("after=nonsense!", 400),
        ("unit_id=LIC", 422),
        ("state=waiting", 422),
        ("code=white%20space", 422),
        ("code=", 422),
        ("source=", 422),
        ("source=%00", 422),
        (f"source={'x' * 201}", 422),
        ("reference=a%0Ab", 422),
    ],
)
async def test_a_filter_or_page_that_can_not_be_is_refused(listed: httpx.AsyncClient, query: str, status: int) -> None:
    answer = await listed.get(f"/projects?{query}")
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"


async def test_the_list_follows_what_happens_to_a_project(listed: httpx.AsyncClient) -> None:
    source = f"register {new_id()}"
    body = {"code": f"F-{new_id().hex[-8:]}", "title": "x", "unit_id": str(MARKETS), "currency": "EUR"}
    location = (await listed.post("/projects", json=body | {"source": source, "reference": "1"})).headers["Location"]
    await listed.post(f"{location}/move", json={"unit_id": str(LICENSING), "reason": "They run it"})
    answer = await listed.post(f"{location}/transition", json={"to": "terminated"})
    token = {"Consistency-Token": answer.headers["Consistency-Token"]}
    params = {"source": source, "unit_id": str(LICENSING), "state": "terminated"}
    found = (await listed.get("/projects", params=params, headers=token)).json()
    assert [each["code"] for each in found] == [body["code"]]
    assert await codes(listed, source=source, unit_id=str(MARKETS)) == []
