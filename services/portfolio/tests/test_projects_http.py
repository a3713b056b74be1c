"""Commands on projects over HTTP: sent twice, sent against a version, and refused by field."""

import asyncio
from typing import Any
from uuid import UUID

import httpx
import pytest

from steerco_events.ids import derived_id, new_id
from steerco_service.testkit.serving import Served

MARKETS, LICENSING = derived_id("unit", "MKT"), derived_id("unit", "LIC")
LINES = {"control": "a\u0007b", "line break": "a\nb", "separator": "a\u2028b", "blank": "  ", "nothing": ""}
"""What is not one line of text."""


def project(**changes: object) -> dict[str, object]:
    return {
        "code": f"C-{new_id().hex[-8:]}",
        "title": "Renewal of the call center",
        "unit_id": str(LICENSING),
        "currency": "EUR",
        "source": "register",
        "reference": "7",
    } | changes


async def registered(portfolio: httpx.AsyncClient, **changes: object) -> str:
    answer = await portfolio.post("/projects", json=project(**changes))
    assert answer.status_code == 201, answer.text
    location: str = answer.headers["Location"]
    return location


def refused(answer: httpx.Response) -> tuple[int, str, str]:
    """The status, the code and the pointer of a refusal that names one field."""
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json()
    (error,) = problem["errors"]
    return answer.status_code, problem["type"].removeprefix("urn:steerco:problem:"), error["pointer"]


MANAGER = {"person_id": str(new_id()), "job_title": "Project manager", "from_on": "2026-05-01"}
CHANGES: list[tuple[str, str, dict[str, Any]]] = [
    ("PUT", "title", {"title": "Contact center"}),
    ("PUT", "dates", {"start": {"on": "2026-04-01"}}),
    ("POST", "assessments", {"assessor": "sponsor", "rating": "green"}),
    ("POST", "manager", MANAGER),
    ("POST", "move", {"unit_id": str(MARKETS), "reason": "They run it"}),
    ("POST", "transition", {"to": "closing"}),
]
"""Every kind of change."""


@pytest.mark.parametrize(("method", "what", "body"), CHANGES)
async def test_a_change_sent_twice_is_made_once(
    portfolio: httpx.AsyncClient, method: str, what: str, body: dict[str, Any]
) -> None:
    location = await registered(portfolio)
    first = await portfolio.request(method, f"{location}/{what}", json=body)
    again = await portfolio.request(method, f"{location}/{what}", json=body)
    assert [(answer.status_code, answer.headers["ETag"]) for answer in (first, again)] == [(204, '"2"')] * 2
    assert again.headers["Consistency-Token"] == first.headers["Consistency-Token"]


@pytest.mark.parametrize(("method", "what", "body"), CHANGES)
async def test_a_change_against_a_version_that_is_gone_is_refused(
    portfolio: httpx.AsyncClient, method: str, what: str, body: dict[str, Any]
) -> None:
    location = await registered(portfolio)
    seen = (await portfolio.get(location)).headers["ETag"]
    await portfolio.put(f"{location}/title", json={"title": "Meanwhile"})
    answer = await portfolio.request(method, f"{location}/{what}", json=body, headers={"If-Match": seen})
    assert (answer.status_code, answer.json()["type"]) == (412, "urn:steerco:problem:stale-version")
    now = (await portfolio.get(location)).headers["ETag"]
    assert now == '"2"'
    answer = await portfolio.request(method, f"{location}/{what}", json=body, headers={"If-Match": now})
    assert (answer.status_code, answer.headers["ETag"]) == (204, '"3"')


@pytest.mark.parametrize(("method", "what", "body"), CHANGES)
async def test_a_change_to_a_project_that_is_not_there_is_404(
    portfolio: httpx.AsyncClient, method: str, what: str, body: dict[str, Any]
) -> None:
    answer = await portfolio.request(method, f"/projects/{new_id()}/{what}", json=body)
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:steerco:problem:unknown-project")


async def test_a_project_that_is_not_there_is_404(portfolio: httpx.AsyncClient) -> None:
    answer = await portfolio.get(f"/projects/{new_id()}")
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:steerco:problem:unknown-project")
    assert "ETag" not in answer.headers


async def test_a_registration_with_a_key_is_done_once_and_answered_again(portfolio: httpx.AsyncClient) -> None:
    headers, body = {"Idempotency-Key": f"key-{new_id()}"}, project()
    first = await portfolio.post("/projects", json=body, headers=headers)
    again = await portfolio.post("/projects", json=body, headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    token = {"Consistency-Token": again.headers["Consistency-Token"]}
    (found,) = (await portfolio.get("/projects", params={"code": str(body["code"])}, headers=token)).json()
    assert found["project_id"] == first.json()["id"]


async def test_a_key_is_not_used_for_another_body_or_project(portfolio: httpx.AsyncClient) -> None:
    headers = {"Idempotency-Key": f"key-{new_id()}"}
    one, another = await registered(portfolio), await registered(portfolio)
    title = {"title": "Contact center"}
    assert (await portfolio.put(f"{one}/title", json=title, headers=headers)).status_code == 204
    for location, body in ((one, {"title": "Call center"}), (another, title)):
        answer = await portfolio.put(f"{location}/title", json=body, headers=headers)
        assert (answer.status_code, answer.json()["type"]) == (422, "urn:steerco:problem:idempotency-key-reused")


async def test_an_id_of_the_callers_own_makes_a_registration_harmless_to_repeat(portfolio: httpx.AsyncClient) -> None:
    body = project(project_id=str(new_id()), start={"said": "Soon"})
    answers = [await portfolio.post("/projects", json=body) for _ in range(2)]
    assert {(answer.status_code, answer.json()["id"]) for answer in answers} == {(201, body["project_id"])}
    for changes in ({"title": "Another"}, {"start": {"on": "2026-04-01"}}, {"code": "OTHER"}):
        answer = await portfolio.post("/projects", json=body | changes)
        assert refused(answer) == (409, "project-already-begun", "/project_id")


async def test_of_projects_registered_at_once_under_one_code_one_has_it(portfolio: httpx.AsyncClient) -> None:
    code = f"Once-{new_id().hex[-8:]}"
    bodies = [project(code=spelled) for spelled in (code, code.upper(), code.lower()) * 3]
    answers = await asyncio.gather(*(portfolio.post("/projects", json=body) for body in bodies))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 8
    for answer in answers:
        if answer.status_code == 409:
            assert refused(answer) == (409, "project-code-in-use", "/code")


async def test_of_dates_the_words_are_kept_and_a_contradiction_is_flagged(portfolio: httpx.AsyncClient) -> None:
    location = await registered(portfolio)
    for dates, contradictory in [
        ({"start": {"on": "2026-05-01"}, "end": {"on": "2026-04-01"}}, True),
        ({"start": {"on": "2026-05-01"}, "end": {"said": "After the election"}}, False),
        ({}, False),
    ]:
        assert (await portfolio.put(f"{location}/dates", json=dates)).status_code == 204
        answer = (await portfolio.get(location)).json()
        assert answer["contradictory_dates"] is contradictory
        for name in ("start", "end"):
            shown = {key: value for key, value in answer[name].items() if value is not None}
            kind = {"on": "stated", "said": "undisclosed"}.get(next(iter(dates.get(name, {})), ""), "not_stated")
            assert shown == {"kind": kind} | dates.get(name, {})


async def test_a_wrong_step_says_what_the_project_is(portfolio: httpx.AsyncClient) -> None:
    location = await registered(portfolio, state="planning")
    answer = await portfolio.post(f"{location}/transition", json={"to": "closed"})
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:steerco:problem:project-in-another-state")
    assert answer.json()["detail"] == "the project is planning; it becomes closed from closing only"


async def test_a_project_that_is_over_is_neither_moved_nor_managed(portfolio: httpx.AsyncClient) -> None:
    location = await registered(portfolio, state="terminated")
    for what, body in (("move", {"unit_id": str(MARKETS), "reason": "No"}), ("manager", MANAGER)):
        answer = await portfolio.post(f"{location}/{what}", json=body)
        assert (answer.status_code, answer.json()["type"]) == (409, "urn:steerco:problem:project-over")


async def test_the_reason_of_a_body_or_of_the_header_is_kept(served: Served, portfolio: httpx.AsyncClient) -> None:
    location = await registered(portfolio)
    await portfolio.post(f"{location}/transition", json={"to": "on_hold", "reason": "No staff"})
    await portfolio.post(f"{location}/transition", json={"to": "resumed"}, headers={"Reason": "Staff"})
    runtime = served.runtime("portfolio")
    async with runtime.engine.connect() as connection:
        events = await runtime.store.read_events(connection, f"project-{UUID(location.rsplit('/', 1)[-1])}")
    assert [event.reason for event in events] == [None, "No staff", "Staff"]


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"code": code}, "/code")
        for code in ("", " LIC-1", "LIC 1", "-LIC", "LIC_1\n", "ÄMT-1", "x" * 61, "LIC\u0000", "٣", 7, None)
    ]
    + [({"title": text}, "/title") for text in ("x" * 201, *LINES.values(), 7, None)]
    + [({"source": text}, "/source") for text in ("x" * 201, *LINES.values())]
    + [({"reference": text}, "/reference") for text in ("x" * 201, *LINES.values(), 7)]
    + [({"currency": code}, "/currency") for code in ("EURO", "eur", "ZZZ", "", "€", 978, None)]
    + [({"unit_id": value}, "/unit_id") for value in ("LIC", "", 7, None)]
    + [({"project_id": "7"}, "/project_id"), ({"state": "waiting"}, "/state"), ({"colour": "red"}, "/colour")]
    + [({"start": start}, "/start") for start in ({"on": "2026-04-01", "said": "Soon"}, "2026-04-01", None)]
    + [({"start": {"on": day}}, "/start/on") for day in ("2026-02-30", "01.04.2026", "soon", "")]
    + [({"end": {"said": text}}, "/end/said") for text in ("x" * 201, *LINES.values())],
)
async def test_a_field_that_is_wrong_is_named(
    portfolio: httpx.AsyncClient, changes: dict[str, object], pointer: str
) -> None:
    answer = await portfolio.post("/projects", json=project(**changes))
    assert refused(answer) == (422, "invalid-request", pointer)


async def test_a_name_may_have_200_characters_of_any_script(portfolio: httpx.AsyncClient) -> None:
    title = "Ü許🏛" * 66 + "xy"
    assert len(title) == 200
    location = await registered(portfolio, title=title)
    assert (await portfolio.get(location)).json()["title"] == title


async def test_a_unit_that_is_not_there_or_closed_takes_no_project(portfolio: httpx.AsyncClient) -> None:
    body = {"code": f"U-{new_id().hex[-8:]}", "name": "Gone", "kind": "department", "parent_id": str(LICENSING)}
    opened = await portfolio.post("/units", json=body)
    await portfolio.post(f"{opened.headers['Location']}/closure", json={"reason": "Merged"})
    location = await registered(portfolio)
    for unit_id in (str(new_id()), opened.json()["id"]):
        registration = await portfolio.post("/projects", json=project(unit_id=unit_id))
        move = await portfolio.post(f"{location}/move", json={"unit_id": unit_id, "reason": "A trial"})
        assert refused(registration) == refused(move) == (422, "no-such-unit", "/unit_id")
