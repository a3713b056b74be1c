"""Who holds which role at a scope: by unit, by project, in the whole enterprise; as it was known and organized."""

from typing import Any

import httpx
import pytest

from steerco_events.ids import derived_id

type Held = dict[str, Any]

NAMES = ("auditor", "controller", "deputy", "lead", "officer", "support", "viewer")
BY_ID = {str(derived_id("person", name)): name for name in NAMES}
SCOPES = ("enterprise", "LIC", "SUP", "LIC-reg", "LIC-web", "SUP-insp")
INSTANTS = (
    "2025-02-01T12:00:00Z",
    "2025-04-15T11:59:59Z",
    "2025-04-15T12:00:00Z",
    "2025-05-10T11:59:59Z",
    "2025-05-10T12:00:00Z",
    "2025-05-21T23:59:59Z",
    "2025-05-22T12:00:00Z",
    None,
)


async def held(reporting: httpx.AsyncClient, scope: str = "enterprise", **asked: str | None) -> list[Held]:
    """Who the first page lists, called by name."""
    params = {"scope": scope} | {name: value for name, value in asked.items() if value}
    answer = await reporting.get("/appointments", params=params)
    assert answer.status_code == 200, answer.text
    return [each | {"name": BY_ID[each["person_id"]]} for each in answer.json()]


async def names(reporting: httpx.AsyncClient, scope: str = "enterprise", **asked: str | None) -> set[str]:
    return {each["name"] for each in await held(reporting, scope, **asked)}


async def below(reporting: httpx.AsyncClient, scope: str, as_of: str | None) -> set[str]:
    """The codes of a scope's units at an instant."""
    answer = await reporting.get("/portfolio", params={"scope": scope} | ({"as_of": as_of} if as_of else {}))
    found = {answer.json()["scope"]["code"]}
    for line in answer.json()["units"]:
        found |= await below(reporting, line["unit"]["code"], as_of) if not line.get("direct") else set()
    return found


@pytest.mark.parametrize("as_of", INSTANTS)
@pytest.mark.parametrize("scope", SCOPES)
async def test_a_scope_has_of_the_enterprises_appointments_those_at_its_units_and_their_projects(
    reporting: httpx.AsyncClient, scope: str, as_of: str | None
) -> None:
    units = await below(reporting, scope, as_of)
    for ever in ("true", "false"):
        everywhere = await held(reporting, as_of=as_of, ever=ever)
        at_scope = [each for each in everywhere if each["unit_code"] in units]
        if scope == "enterprise":
            at_scope = everywhere
        assert await held(reporting, scope, as_of=as_of, ever=ever) == at_scope
        assert {"auditor"} == {each["name"] for each in everywhere if each["unit_code"] is None}


async def test_of_a_moved_unit_they_are_at_the_scope_that_it_belonged_to(reporting: httpx.AsyncClient) -> None:
    for as_of, licensing in ((INSTANTS[3], True), (INSTANTS[4], False), (None, False)):
        assert ("viewer" in await names(reporting, "LIC", as_of=as_of)) is licensing
        assert ("viewer" in await names(reporting, "SUP", as_of=as_of)) is not licensing


async def test_of_a_moved_project_they_are_at_the_unit_that_had_it(reporting: httpx.AsyncClient) -> None:
    for as_of, unit in ((INSTANTS[1], "LIC-reg"), (INSTANTS[2], "SUP-insp"), (None, "SUP-insp")):
        (lead,) = [each for each in await held(reporting, as_of=as_of) if each["name"] == "lead"]
        assert (lead["project_code"], lead["unit_code"]) == ("R-2", unit)
        assert "lead" in await names(reporting, unit, as_of=as_of)


async def test_who_has_a_role_in_the_whole_enterprise_is_listed_there_only(reporting: httpx.AsyncClient) -> None:
    assert "auditor" in await names(reporting) & await names(reporting, "COM")
    for scope in SCOPES[1:]:
        assert "auditor" not in await names(reporting, scope, ever="true")


async def test_who_left_is_listed_as_long_as_that_was_not_known_and_after_that_when_asked(
    reporting: httpx.AsyncClient,
) -> None:
    assert {"officer", "deputy"} <= await names(reporting, "LIC", as_of="2025-05-22T11:59:59Z")
    assert await names(reporting, "LIC", as_of="2025-05-22T12:00:00Z") == set()
    found = {each["name"]: each for each in await held(reporting, "LIC", ever="true")}
    officer, deputy = found["officer"], found["deputy"]
    assert (officer["ended_on"], officer["reason"]) == ("2025-05-22", "Moved to another office")
    assert (deputy["ended_on"], deputy["delegated_from"]) == (None, officer["appointment_id"])
    assert [each["in_force"] for each in (officer, deputy)] == [False, False]


async def test_who_has_a_term_is_listed_until_its_last_day(reporting: httpx.AsyncClient) -> None:
    assert "support" in await names(reporting, "SUP-insp", as_of="2025-05-31T23:59:59Z")
    assert "support" not in await names(reporting, "SUP-insp", as_of="2025-06-01T00:00:00Z")
    assert "support" in await names(reporting, "SUP-insp", as_of="2025-06-01T00:00:00Z", ever="true")


async def test_they_are_filtered_by_person_and_by_role(reporting: httpx.AsyncClient) -> None:
    assert await names(reporting, role="finance_controller") == {"controller"}
    assert await names(reporting, "LIC", role="finance_controller") == set()
    viewer = str(derived_id("person", "viewer"))
    assert await names(reporting, person_id=viewer) == await names(reporting, "SUP", person_id=viewer) == {"viewer"}
    assert await names(reporting, person_id=viewer, role="auditor") == set()


async def test_they_come_by_role_page_by_page_each_once(reporting: httpx.AsyncClient) -> None:
    everybody = await held(reporting, ever="true")
    assert [each["role"] for each in everybody] == sorted(each["role"] for each in everybody)
    url, found, pages = "/appointments?limit=2&ever=true", list[str](), 0
    while url:
        answer = await reporting.get(url)
        found += [each["appointment_id"] for each in answer.json()]
        url = answer.links.get("next", {}).get("url", "")
        pages += 1
    assert (found, pages) == ([each["appointment_id"] for each in everybody], 4)


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("scope=NOWHERE", 404, "unknown-scope"),
        ("as_of=2025-01-01T00:00:00Z", 404, "unknown-scope"),
        ("as_of=2025-05-01", 422, "malformed-instant"),
        ("role=boss", 422, "invalid-request"),
        ("person_id=me", 422, "invalid-request"),
        ("ever=perhaps", 422, "invalid-request"),
    ],
)
async def test_what_can_not_be_asked_is_refused(
    reporting: httpx.AsyncClient, query: str, status: int, code: str
) -> None:
    answer = await reporting.get(f"/appointments?{query}")
    assert (answer.status_code, answer.json()["type"]) == (status, f"urn:steerco:problem:{code}")
