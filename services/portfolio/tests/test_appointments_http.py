"""Appointments over HTTP: made, changed, ended and delegated; sent twice, against a version, refused by field."""

from typing import Any

import httpx
import pytest

from steerco_events.ids import derived_id, new_id
from steerco_service.testkit.serving import Served

ROOT, MARKETS, LICENSING = (derived_id("unit", code) for code in ("COM", "MKT", "LIC"))
TERM = {"from_on": "2026-05-01", "until_on": "2026-09-30"}


def body(**changes: object) -> dict[str, object]:
    new = {"person_id": str(new_id()), "role": "pmo_officer", "from_on": "2026-04-01", "unit_id": str(LICENSING)}
    return new | changes


def delegation(**changes: object) -> dict[str, object]:
    return {"person_id": str(new_id()), "from_on": "2026-05-04", "until_on": "2026-05-15"} | changes


async def made(portfolio: httpx.AsyncClient, **changes: object) -> str:
    answer = await portfolio.post("/appointments", json=body(**changes))
    assert answer.status_code == 201, answer.text
    location: str = answer.headers["Location"]
    return location


async def project(portfolio: httpx.AsyncClient, state: str = "executing") -> str:
    new = {"code": f"A-{new_id().hex[-8:]}", "title": "Call center", "currency": "EUR", "state": state}
    place = {"unit_id": str(MARKETS), "source": "register", "reference": "7"}
    answer = await portfolio.post("/projects", json=new | place)
    assert answer.status_code == 201, answer.text
    found: str = answer.json()["id"]
    return found


async def listed(portfolio: httpx.AsyncClient, **params: str) -> list[dict[str, Any]]:
    """The list, once it has what was accepted so far."""
    last = await portfolio.post("/appointments", json=body(role="viewer"))
    token = {"Consistency-Token": last.headers["Consistency-Token"]}
    answer = await portfolio.get("/appointments", params={"limit": "500"} | params, headers=token)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()
    return found


async def stamps(served: Served, location: str) -> list[tuple[object, ...]]:
    """The units that the events of an appointment concern."""
    runtime = served.runtime("portfolio")
    async with runtime.engine.connect() as connection:
        events = await runtime.store.read_events(connection, f"appointment-{location.rsplit('/', 1)[-1]}")
    return [event.org_units for event in events]


def refused(answer: httpx.Response) -> tuple[int, str, list[str]]:
    problem = answer.json()
    code = problem["type"].removeprefix("urn:steerco:problem:")
    return answer.status_code, code, [error["pointer"] for error in problem.get("errors", [])]


async def test_an_appointment_says_what_became_of_it(portfolio: httpx.AsyncClient) -> None:
    location = await made(portfolio)
    assert (await portfolio.put(f"{location}/term", json=TERM)).status_code == 204
    assert (await portfolio.post(f"{location}/end", json={"reason": "Moves on"})).status_code == 204
    answer = (await portfolio.get(location)).json()
    said = {name: answer[name] for name in ("from_on", "until_on", "role", "unit_id", "reason")}
    assert said == TERM | {"role": "pmo_officer", "unit_id": str(LICENSING), "reason": "Moves on"}
    assert answer["ended_on"]
    assert answer.pop("actions")
    assert answer in await listed(portfolio)


async def test_an_appointment_concerns_its_unit_that_of_its_project_or_the_root(
    served: Served, portfolio: httpx.AsyncClient
) -> None:
    for place, unit in (
        ({}, LICENSING),
        ({"unit_id": None, "project_id": await project(portfolio)}, MARKETS),
        ({"unit_id": None}, ROOT),
    ):
        location = await made(portfolio, **place)
        delegated = await portfolio.post(f"{location}/delegations", json=delegation())
        await portfolio.put(f"{location}/term", json=TERM)
        await portfolio.post(f"{location}/end", json={"reason": "Over"})
        assert await stamps(served, location) == [(unit,)] * 3
        assert await stamps(served, delegated.headers["Location"]) == [(unit,)]


async def test_an_appointment_at_a_project_that_moved_concerns_the_unit_that_has_it_then(
    served: Served, portfolio: httpx.AsyncClient
) -> None:
    project_id = await project(portfolio)
    location = await made(portfolio, unit_id=None, project_id=project_id)
    await portfolio.post(f"/projects/{project_id}/move", json={"unit_id": str(LICENSING), "reason": "They run it"})
    await portfolio.post(f"{location}/end", json={"reason": "Over"})
    assert await stamps(served, location) == [(MARKETS,), (LICENSING,)]


CHANGES: list[tuple[str, str, dict[str, str]]] = [("PUT", "term", TERM), ("POST", "end", {"reason": "Moves on"})]
"""Every kind of change."""


@pytest.mark.parametrize(("method", "what", "change"), CHANGES)
async def test_a_change_sent_twice_is_made_once_and_against_a_version_that_is_gone_refused(
    portfolio: httpx.AsyncClient, method: str, what: str, change: dict[str, str]
) -> None:
    location = await made(portfolio)
    seen = (await portfolio.get(location)).headers["ETag"]
    answers = [await portfolio.request(method, f"{location}/{what}", json=change) for _ in range(2)]
    assert [(answer.status_code, answer.headers["ETag"]) for answer in answers] == [(204, '"2"')] * 2
    late = await portfolio.request(method, f"{location}/{what}", json=change, headers={"If-Match": seen})
    assert refused(late) == (412, "stale-version", [])


@pytest.mark.parametrize(
    ("method", "what", "change"), [*CHANGES, ("POST", "delegations", delegation())], ids=["term", "end", "delegation"]
)
async def test_what_is_done_with_an_appointment_is_done_with_one_that_there_is(
    portfolio: httpx.AsyncClient, method: str, what: str, change: dict[str, object]
) -> None:
    answer = await portfolio.request(method, f"/appointments/{new_id()}/{what}", json=change)
    assert refused(answer) == (404, "unknown-appointment", [])


async def test_an_appointment_is_found_by_its_id_only(portfolio: httpx.AsyncClient) -> None:
    assert refused(await portfolio.get(f"/appointments/{new_id()}")) == (404, "unknown-appointment", [])
    assert (await portfolio.get("/appointments/PMO")).status_code == 422


async def test_an_appointment_and_a_delegation_can_be_sent_again_by_id_or_by_key(portfolio: httpx.AsyncClient) -> None:
    location = await made(portfolio)
    for path, new in (("/appointments", body()), (f"{location}/delegations", delegation())):
        by_id, key = new | {"appointment_id": str(new_id())}, {"Idempotency-Key": f"key-{new_id()}"}
        for sent, headers in ((by_id, {}), (new, key)):
            answers = [await portfolio.post(path, json=sent, headers=headers) for _ in range(2)]
            assert [answer.status_code for answer in answers] == [201, 201]
            assert answers[0].json() == answers[1].json()
        otherwise = by_id | {"person_id": str(new_id())}
        answer = await portfolio.post(path, json=otherwise)
        assert refused(answer) == (409, "appointment-already-made", ["/appointment_id"])


async def test_a_delegation_is_an_appointment_of_its_own(portfolio: httpx.AsyncClient) -> None:
    location = await made(portfolio, role="sponsor")
    answer = await portfolio.post(f"{location}/delegations", json=delegation())
    assert answer.headers["Location"] == f"/appointments/{answer.json()['id']}"
    found = (await portfolio.get(answer.headers["Location"])).json()
    assert (found["role"], found["unit_id"]) == ("sponsor", str(LICENSING))
    assert found["delegated_from"] == location.rsplit("/", 1)[-1]
    onward = await portfolio.post(f"{answer.headers['Location']}/delegations", json=delegation())
    assert refused(onward) == (409, "delegated-already", [])


async def test_a_delegation_stays_within_the_original_whatever_that_is_now(portfolio: httpx.AsyncClient) -> None:
    location = await made(portfolio)
    delegated = (await portfolio.post(f"{location}/delegations", json=delegation())).headers["Location"]
    await portfolio.put(f"{location}/term", json={"from_on": "2026-05-01", "until_on": "2026-05-10"})
    for change, pointer in (("2026-05-11", "/until_on"), (None, "/until_on")):
        answer = await portfolio.put(f"{delegated}/term", json={"from_on": "2026-05-04", "until_on": change})
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)
    answer = await portfolio.put(f"{delegated}/term", json={"from_on": "2026-05-04", "until_on": "2026-05-10"})
    assert answer.status_code == 204
    assert [each["appointment_id"] for each in await listed(portfolio, in_force_on="2026-05-10")].count(
        delegated.rsplit("/", 1)[-1]
    ) == 1


@pytest.mark.parametrize(
    ("changes", "status", "code", "pointer"),
    [
        ({"role": "boss"}, 422, "invalid-request", "/role"),
        ({"person_id": "Ms. Weber"}, 422, "invalid-request", "/person_id"),
        ({"from_on": "soon"}, 422, "invalid-request", "/from_on"),
        ({"from_on": None}, 422, "invalid-request", "/from_on"),
        ({"until_on": "2026-02-30"}, 422, "invalid-request", "/until_on"),
        ({"unit_id": "LIC"}, 422, "invalid-request", "/unit_id"),
        ({"color": "red"}, 422, "invalid-request", "/color"),
        ({"until_on": "2026-03-31"}, 422, "term-ends-before-it-begins", "/until_on"),
        ({"unit_id": str(new_id())}, 422, "no-such-unit", "/unit_id"),
        ({"unit_id": None, "project_id": str(new_id())}, 422, "no-such-project", "/project_id"),
        ({"project_id": str(new_id())}, 422, "unit-and-project-named", "/project_id"),
    ],
)
async def test_an_appointment_that_can_not_be_is_refused_by_its_field(
    portfolio: httpx.AsyncClient, changes: dict[str, object], status: int, code: str, pointer: str
) -> None:
    answer = await portfolio.post("/appointments", json=body(**changes))
    assert refused(answer) == (status, code, [pointer])


async def test_nobody_is_appointed_at_a_closed_unit_or_a_project_that_is_over(portfolio: httpx.AsyncClient) -> None:
    unit = {"code": f"G-{new_id().hex[-8:]}", "name": "Gone", "kind": "department", "parent_id": str(LICENSING)}
    opened = await portfolio.post("/units", json=unit)
    await portfolio.post(f"{opened.headers['Location']}/closure", json={"reason": "Merged"})
    answer = await portfolio.post("/appointments", json=body(unit_id=opened.json()["id"]))
    assert refused(answer) == (422, "no-such-unit", ["/unit_id"])
    over = await project(portfolio, "closed")
    answer = await portfolio.post("/appointments", json=body(unit_id=None, project_id=over))
    assert refused(answer) == (422, "no-such-project", ["/project_id"])


async def test_appointments_are_filtered_by_all_that_is_asked(portfolio: httpx.AsyncClient) -> None:
    person, other, project_id = str(new_id()), str(new_id()), await project(portfolio)
    at_unit = await made(portfolio, person_id=person, role="auditor")
    at_project = await made(portfolio, person_id=person, role="sponsor", unit_id=None, project_id=project_id)
    of_other = await made(portfolio, person_id=other, role="auditor", unit_id=str(MARKETS))

    async def found(**params: str) -> list[str]:
        return [f"/appointments/{each['appointment_id']}" for each in await listed(portfolio, **params)]

    assert await found(person_id=person) == [at_unit, at_project]
    assert await found(person_id=person, role="sponsor") == await found(project_id=project_id) == [at_project]
    assert of_other in await found(role="auditor")
    assert await found(role="auditor", unit_id=str(MARKETS), person_id=other) == [of_other]
    assert await found(unit_id=str(MARKETS), person_id=person) == await found(person_id=str(new_id())) == []


async def test_an_appointment_is_in_force_on_the_days_of_its_term_until_it_is_ended(
    portfolio: httpx.AsyncClient,
) -> None:
    person, deputy = str(new_id()), str(new_id())
    location = await made(portfolio, person_id=person, from_on="2026-04-01", until_on="2026-06-30")
    await portfolio.post(f"{location}/delegations", json=delegation(person_id=deputy))

    async def held(who: str, *days: str) -> list[bool]:
        return [bool(await listed(portfolio, person_id=who, in_force_on=day)) for day in days]

    assert await held(person, "2026-03-31", "2026-04-01", "2026-06-30", "2026-07-01") == [False, True, True, False]
    assert await held(deputy, "2026-05-03", "2026-05-04", "2026-05-15", "2026-05-16") == [False, True, True, False]
    await portfolio.put(f"{location}/term", json={"from_on": "2026-04-01", "until_on": "2026-05-10"})
    assert await held(deputy, "2026-05-10", "2026-05-11") == [True, False]
    await portfolio.put(f"{location}/term", json={"from_on": "2026-04-01", "until_on": "2099-12-31"})
    await portfolio.post(f"{location}/end", json={"reason": "Moves on"})
    assert await held(person, "2099-01-01") == [False]


async def test_a_delegation_ends_with_the_original(portfolio: httpx.AsyncClient) -> None:
    deputy = str(new_id())
    location = await made(portfolio)
    later = delegation(person_id=deputy, from_on="2098-01-01", until_on="2099-12-31")
    assert (await portfolio.post(f"{location}/delegations", json=later)).status_code == 201
    assert await listed(portfolio, person_id=deputy, in_force_on="2099-01-01")
    await portfolio.post(f"{location}/end", json={"reason": "Moves on"})
    assert await listed(portfolio, person_id=deputy, in_force_on="2099-01-01") == []
    refusal = await portfolio.post(f"{location}/delegations", json=later)
    assert refused(refusal) == (409, "appointment-is-ended", [])


async def test_a_list_is_paged_by_link_with_each_appointment_once(portfolio: httpx.AsyncClient) -> None:
    person = str(new_id())
    locations = [await made(portfolio, person_id=person) for _ in range(5)]
    await listed(portfolio)
    url, found, pages = f"/appointments?limit=2&person_id={person}", list[str](), 0
    while url:
        answer = await portfolio.get(url)
        found += [f"/appointments/{each['appointment_id']}" for each in answer.json()]
        url = answer.links.get("next", {}).get("url", "")
        pages += 1
    assert (found, pages) == (locations, 3)


@pytest.mark.parametrize(
    "query", ["role=boss", "unit_id=LIC", "person_id=me", "project_id=7", "in_force_on=today", "limit=0"]
)
async def test_a_filter_that_can_not_be_is_refused(portfolio: httpx.AsyncClient, query: str) -> None:
    answer = await portfolio.get(f"/appointments?{query}")
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:steerco:problem:invalid-request")
