"""The organization over HTTP: its commands, its list, and the PMO model in force."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from steerco_events.clock import SystemClock
from steerco_events.ids import derived_id, new_id
from steerco_service.testkit.serving import Served

ROOT, MARKETS, LICENSING = (derived_id("unit", code) for code in ("COM", "MKT", "LIC"))
PITCHES = "pitch_submission_and_decision"
TODAY = SystemClock().now().date()


def unit(**changes: object) -> dict[str, object]:
    return {
        "code": f"D-{new_id().hex[-8:]}",
        "name": "Operations",
        "kind": "department",
        "parent_id": str(LICENSING),
    } | changes


async def opened(portfolio: httpx.AsyncClient, **changes: object) -> str:
    answer = await portfolio.post("/units", json=unit(**changes))
    assert answer.status_code == 201, answer.text
    location: str = answer.headers["Location"]
    return location


async def listed(portfolio: httpx.AsyncClient, **params: str) -> list[dict[str, Any]]:
    """The list, once it has what was accepted so far."""
    renamed = await portfolio.put(f"/units/{ROOT}/name", json={"name": f"Commission {new_id()}"})
    token = {"Consistency-Token": renamed.headers["Consistency-Token"]}
    answer = await portfolio.get("/units", params=params, headers=token)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()
    return found


async def test_a_unit_says_what_became_of_it(portfolio: httpx.AsyncClient) -> None:
    location = await opened(portfolio)
    for method, what, body in [
        ("PUT", "name", {"name": "Field operations"}),
        ("POST", "move", {"parent_id": str(MARKETS), "reason": "They inspect"}),
        ("POST", "closure", {"reason": "Merged"}),
    ]:
        assert (await portfolio.request(method, f"{location}/{what}", json=body)).status_code == 204
    answer = (await portfolio.get(location)).json()
    assert (answer["name"], answer["parent_id"], answer["is_open"]) == ("Field operations", str(MARKETS), False)
    assert answer.pop("actions")
    assert answer in await listed(portfolio)


async def test_who_sees_the_unit_above_sees_that_one_is_opened_or_moved_there_or_away(
    served: Served, portfolio: httpx.AsyncClient
) -> None:
    unit_id = UUID((await opened(portfolio)).rsplit("/", 1)[-1])
    move = {"parent_id": str(MARKETS), "reason": "They inspect"}
    for path, body in ((f"/units/{unit_id}/move", move), (f"/units/{unit_id}/closure", {"reason": "Merged"})):
        assert (await portfolio.post(path, json=body)).status_code == 204
    runtime = served.runtime("portfolio")
    async with runtime.engine.connect() as connection:
        events = await runtime.store.read_events(connection, "organization")
    stamps = [event.org_units for event in events if unit_id in event.org_units]
    assert list(map(set, stamps)) == [{unit_id, LICENSING}, {unit_id, LICENSING, MARKETS}, {unit_id}]


async def test_units_are_filtered_by_all_that_is_asked(portfolio: httpx.AsyncClient) -> None:
    location = await opened(portfolio, code="Filter-1")
    unit_id = location.rsplit("/", 1)[-1]
    await opened(portfolio, code="Filter-2", parent_id=unit_id)

    async def codes(**params: str) -> list[str]:
        return [each["code"] for each in await listed(portfolio, **params)]

    assert await codes(parent_id=unit_id) == ["Filter-2"]
    assert await codes(code="Filter-1") == await codes(code="FILTER-1") == ["Filter-1"]
    assert await codes(code="Filter") == await codes(parent_id=str(new_id())) == []
    assert await codes(kind="enterprise") == ["COM"]
    assert {"LIC", "MKT"} <= set(await codes(parent_id=str(ROOT)))
    assert await codes(kind="business_unit", code="filter-1") == []
    assert await codes(kind="department", code="filter-2", parent_id=unit_id) == ["Filter-2"]
    everything = await codes()
    assert everything == sorted(everything)


@pytest.mark.parametrize("query", ["kind=team", "code=white%20space", "code=%00", "parent_id=LIC"])
async def test_a_filter_that_can_not_be_is_refused(portfolio: httpx.AsyncClient, query: str) -> None:
    answer = await portfolio.get(f"/units?{query}")
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:steerco:problem:invalid-request")


async def test_a_unit_is_found_by_its_id_only(portfolio: httpx.AsyncClient) -> None:
    assert (await portfolio.get(f"/units/{new_id()}")).json()["type"] == "urn:steerco:problem:unknown-unit"
    assert (await portfolio.get("/units/LIC")).status_code == 422


@pytest.mark.parametrize(
    ("method", "what", "body"),
    [
        ("PUT", "name", {"name": "x"}),
        ("POST", "move", {"parent_id": str(ROOT), "reason": "x"}),
        ("POST", "closure", {"reason": "x"}),
        ("POST", "pmo-model", {"pmo_model": "coach", "effective_on": "2027-01-01"}),
        ("PUT", "separation-of-duties", {"duties": PITCHES, "is_required": True, "effective_on": "2027-01-01"}),
    ],
)
async def test_what_is_done_to_a_unit_is_done_to_one_that_there_is(
    portfolio: httpx.AsyncClient, method: str, what: str, body: dict[str, object]
) -> None:
    answer = await portfolio.request(method, f"/units/{new_id()}/{what}", json=body)
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:steerco:problem:unknown-unit")


async def test_the_version_of_a_unit_is_that_of_the_whole_organization(portfolio: httpx.AsyncClient) -> None:
    location = await opened(portfolio)
    seen = (await portfolio.get(location)).headers["ETag"]
    await opened(portfolio)
    name = {"name": "Field operations"}
    answer = await portfolio.put(f"{location}/name", json=name, headers={"If-Match": seen})
    assert (answer.status_code, answer.json()["type"]) == (412, "urn:steerco:problem:stale-version")
    now = (await portfolio.get(location)).headers["ETag"]
    assert (await portfolio.put(f"{location}/name", json=name, headers={"If-Match": now})).status_code == 204


async def test_a_unit_can_be_opened_again_by_its_id_or_by_a_key(portfolio: httpx.AsyncClient) -> None:
    by_id, by_key, key = unit(unit_id=str(new_id())), unit(), {"Idempotency-Key": f"key-{new_id()}"}
    for body, headers in ((by_id, {}), (by_key, key)):
        answers = [await portfolio.post("/units", json=body, headers=headers) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [201, 201]
        assert answers[0].json() == answers[1].json()
    reused = await portfolio.post("/units", json=unit(), headers=key)
    assert (reused.status_code, reused.json()["type"]) == (422, "urn:steerco:problem:idempotency-key-reused")


@pytest.mark.parametrize(
    ("changes", "status", "code", "pointer"),
    [
        ({"name": "x" * 201}, 422, "invalid-request", "/name"),
        ({"name": "a\u0000b"}, 422, "invalid-request", "/name"),
        ({"name": " "}, 422, "invalid-request", "/name"),
        ({"code": "x" * 61}, 422, "invalid-request", "/code"),
        ({"kind": "team"}, 422, "invalid-request", "/kind"),
        ({"pmo_model": "strong"}, 422, "invalid-request", "/pmo_model"),
        ({"parent_id": "LIC"}, 422, "invalid-request", "/parent_id"),
        ({"color": "red"}, 422, "invalid-request", "/color"),
        ({"parent_id": str(new_id())}, 422, "unknown-parent", "/parent_id"),
        ({"parent_id": None}, 422, "unknown-parent", "/parent_id"),
        ({"parent_id": str(ROOT)}, 422, "parent-does-not-fit", "/parent_id"),
        ({"code": "lic"}, 409, "unit-code-taken", "/code"),
        ({"code": "Enterprise"}, 422, "unit-code-reserved", "/code"),
        ({"unit_id": str(LICENSING)}, 409, "unit-already-opened", "/unit_id"),
    ],
)
async def test_a_unit_that_can_not_be_is_refused_by_its_field(
    portfolio: httpx.AsyncClient, changes: dict[str, object], status: int, code: str, pointer: str
) -> None:
    answer = await portfolio.post("/units", json=unit(**changes))
    problem = answer.json()
    assert (answer.status_code, problem["type"]) == (status, f"urn:steerco:problem:{code}")
    assert [error["pointer"] for error in problem["errors"]] == [pointer]


async def test_the_model_in_force_is_the_one_adopted_last_for_the_latest_day_that_has_come(
    portfolio: httpx.AsyncClient,
) -> None:
    location = await opened(portfolio, pmo_model="repository")
    below = await opened(portfolio, parent_id=location.rsplit("/", 1)[-1])
    today = SystemClock().now().date()
    days = {"long ago": "2020-01-01", "today": str(today), "one day": str(today + timedelta(days=3000))}
    for model, day, in_force in [
        ("coach", "long ago", "repository"),
        ("coach", "today", "coach"),
        ("enterprise", "today", "enterprise"),
        ("repository", "one day", "enterprise"),
        ("coach", "today", "coach"),
    ]:
        body = {"pmo_model": model, "effective_on": days[day]}
        assert (await portfolio.post(f"{location}/pmo-model", json=body)).status_code == 204
        assert [(await portfolio.get(each)).json()["pmo_model"] for each in (location, below)] == [in_force] * 2


async def separates(portfolio: httpx.AsyncClient, location: str, is_required: bool, on: date = TODAY) -> None:
    body = {"duties": PITCHES, "is_required": is_required, "effective_on": str(on), "reason": "The auditors ask for it"}
    answer = await portfolio.put(f"{location}/separation-of-duties", json=body)
    assert answer.status_code == 204, answer.text


async def separated(portfolio: httpx.AsyncClient, location: str) -> list[dict[str, str]]:
    """Which duties are kept apart at a unit, as it says and as the list says."""
    answer = (await portfolio.get(location)).json()
    assert answer.pop("actions")
    assert answer in await listed(portfolio)
    found: list[dict[str, str]] = answer["separated_duties"]
    return found


def policy(location: str, since_on: date = TODAY) -> list[dict[str, str]]:
    return [{"duties": PITCHES, "policy_of": location.rsplit("/", 1)[-1], "since_on": str(since_on)}]


async def test_no_duties_are_kept_apart_where_nobody_requires_it(portfolio: httpx.AsyncClient) -> None:
    assert await separated(portfolio, await opened(portfolio)) == []


async def test_what_a_unit_requires_is_in_force_there_and_below_from_its_day_until_it_is_lifted(
    portfolio: httpx.AsyncClient,
) -> None:
    location = await opened(portfolio)
    below = await opened(portfolio, parent_id=location.rsplit("/", 1)[-1])
    await separates(portfolio, location, True, TODAY + timedelta(days=3000))
    assert await separated(portfolio, location) == await separated(portfolio, below) == []
    await separates(portfolio, location, True)
    assert await separated(portfolio, location) == await separated(portfolio, below) == policy(location)
    await separates(portfolio, location, False)
    assert await separated(portfolio, location) == await separated(portfolio, below) == []


async def test_what_a_unit_above_requires_is_not_lifted_below(portfolio: httpx.AsyncClient) -> None:
    location = await opened(portfolio)
    below = await opened(portfolio, parent_id=location.rsplit("/", 1)[-1])
    long_ago = TODAY - timedelta(days=3000)
    await separates(portfolio, location, True, long_ago)
    await separates(portfolio, below, False)
    assert await separated(portfolio, below) == policy(location, long_ago)
    await separates(portfolio, below, True)
    assert await separated(portfolio, below) == policy(below)


async def test_a_unit_that_moves_comes_under_the_policy_of_those_above_it_there(portfolio: httpx.AsyncClient) -> None:
    strict, moving = await opened(portfolio), await opened(portfolio)
    await separates(portfolio, strict, True)
    for parent_id, expected in ((strict.rsplit("/", 1)[-1], policy(strict)), (str(LICENSING), [])):
        answer = await portfolio.post(f"{moving}/move", json={"parent_id": parent_id, "reason": "They inspect"})
        assert answer.status_code == 204, answer.text
        assert await separated(portfolio, moving) == expected


@pytest.mark.parametrize("changes", [{"duties": "all"}, {"is_required": "yes"}, {"effective_on": "soon"}])
async def test_a_policy_that_can_not_be_is_refused(portfolio: httpx.AsyncClient, changes: dict[str, str]) -> None:
    body = {"duties": PITCHES, "is_required": True, "effective_on": str(TODAY)} | changes
    answer = await portfolio.put(f"/units/{LICENSING}/separation-of-duties", json=body)
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:steerco:problem:invalid-request")
