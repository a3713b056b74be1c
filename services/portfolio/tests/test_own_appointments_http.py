"""Nobody appoints themselves, over HTTP, but who administers the whole enterprise in person."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import httpx
import pytest

from steerco_events.clock import SystemClock
from steerco_events.contracts.portfolio import Role
from steerco_events.ids import derived_id, new_id
from steerco_service.identity.principal import Principal
from steerco_service.testkit.scopes import appointed, made, somebody
from steerco_service.testkit.serving import Served

ROOT, MARKETS, LICENSING = (derived_id("unit", code) for code in ("COM", "MKT", "LIC"))
TODAY = SystemClock().now().date()
SOON, LATER = TODAY + timedelta(days=5), TODAY + timedelta(days=500)
DAYS = {"from_on": str(TODAY), "until_on": str(SOON)}


async def acting(
    served: Served, person: Principal, role: Role, unit_id: UUID | None, *, is_deputy: bool = False
) -> httpx.AsyncClient:
    """A client of who has a role, or stands in for who has it until soon; it brings what tells of that."""
    original = made(somebody() if is_deputy else person, role, unit_id)
    deputy = made(person, role, unit_id, delegated_from=original.appointment_id, until_on=SOON)
    token = await appointed(served, original, *([deputy] if is_deputy else []))
    client = await served.client("portfolio", person)
    client.headers["Consistency-Token"] = token.encode()
    return client


async def of_licensing(portfolio: httpx.AsyncClient, person: Principal, role: Role) -> str:
    """An appointment until soon."""
    body = DAYS | {"person_id": str(person.actor.id), "role": role, "unit_id": str(LICENSING)}
    answer = await portfolio.post("/appointments", json=body)
    assert answer.status_code == 201, answer.text
    location: str = answer.headers["Location"]
    return location


async def project(portfolio: httpx.AsyncClient) -> str:
    new = {"code": f"S-{new_id().hex[-8:]}", "title": "Call center", "currency": "EUR", "unit_id": str(LICENSING)}
    answer = await portfolio.post("/projects", json=new | {"source": "register", "reference": "7"})
    location: str = answer.headers["Location"]
    return location


BOUND: list[tuple[Role, UUID | None, bool]] = [
    ("pmo_officer", None, False),
    ("pmo_officer", None, True),
    ("pmo_admin", None, True),
    ("pmo_admin", ROOT, True),
    ("pmo_admin", LICENSING, False),
]
"""Who may appoint others and not themselves: a role, where it is held, and whether as a deputy."""


@pytest.mark.parametrize(("role", "unit_id", "is_deputy"), BOUND)
@pytest.mark.parametrize("where", [{}, {"unit_id": str(LICENSING)}], ids=["whole", "unit"])
async def test_nobody_gives_themselves_a_role(
    served: Served, role: Role, unit_id: UUID | None, is_deputy: bool, where: dict[str, str]
) -> None:
    me, body = somebody(), {"role": "portfolio_manager", "from_on": str(TODAY), **where}
    client = await acting(served, me, role, unit_id, is_deputy=is_deputy)
    answer = await client.post("/appointments", json=body | {"person_id": str(me.actor.id)})
    assert (answer.status_code, answer.json()["type"]) == (403, "urn:steerco:problem:forbidden")
    if where or unit_id in (None, ROOT):
        other = await client.post("/appointments", json=body | {"person_id": str(new_id())})
        assert other.status_code == 201, other.text


@pytest.mark.parametrize(("role", "unit_id", "is_deputy"), BOUND)
async def test_nobody_gives_themselves_more_days(
    served: Served, portfolio: httpx.AsyncClient, role: Role, unit_id: UUID | None, is_deputy: bool
) -> None:
    me, more = somebody(), {"from_on": str(TODAY), "until_on": str(LATER)}
    client = await acting(served, me, role, unit_id, is_deputy=is_deputy)
    mine = await of_licensing(portfolio, me, "portfolio_manager")
    theirs = await of_licensing(portfolio, somebody(), "portfolio_manager")
    assert (await client.put(f"{mine}/term", json=more)).status_code == 403
    assert (await client.get(mine)).json()["until_on"] == str(SOON)
    assert (await client.put(f"{theirs}/term", json=more)).status_code == 204


@pytest.mark.parametrize("sees", ["auditor", "viewer"])
async def test_who_sees_the_whole_and_is_the_office_of_a_part_does_not_stand_in_by_their_own_word(
    served: Served, portfolio: httpx.AsyncClient, sees: Role
) -> None:
    me = somebody()
    await acting(served, me, sees, None)
    officer = await acting(served, me, "pmo_officer", LICENSING)
    path = f"{await of_licensing(portfolio, somebody(), 'finance_controller')}/delegations"
    answer = await officer.post(path, json=DAYS | {"person_id": str(me.actor.id)})
    assert (answer.status_code, answer.json()["type"]) == (403, "urn:steerco:problem:forbidden")
    assert (await officer.post(path, json=DAYS | {"person_id": str(new_id())})).status_code == 201


async def test_of_an_appointment_elsewhere_nobody_learns_by_delegating_it_to_themselves(
    served: Served, portfolio: httpx.AsyncClient
) -> None:
    me = somebody()
    officer = await acting(served, me, "pmo_officer", MARKETS)
    elsewhere = await of_licensing(portfolio, somebody(), "finance_controller")
    for path in (elsewhere, f"/appointments/{new_id()}"):
        answer = await officer.post(f"{path}/delegations", json=DAYS | {"person_id": str(me.actor.id)})
        assert (answer.status_code, answer.json()["type"]) == (404, "urn:steerco:problem:unknown-appointment")


@pytest.mark.parametrize(
    ("role", "unit_id", "is_deputy"), [*BOUND, ("integration", LICENSING, False), ("program_manager", None, False)]
)
async def test_nobody_gives_themselves_a_project_to_manage(
    served: Served, portfolio: httpx.AsyncClient, role: Role, unit_id: UUID | None, is_deputy: bool
) -> None:
    me, location = replace(somebody(), is_machine=role == "integration"), await project(portfolio)
    client = await acting(served, me, role, unit_id, is_deputy=is_deputy)
    body = {"job_title": "Project manager", "from_on": str(TODAY)}
    answer = await client.post(f"{location}/manager", json=body | {"person_id": str(me.actor.id)})
    assert (answer.status_code, answer.json()["type"]) == (403, "urn:steerco:problem:forbidden")
    other = await client.post(f"{location}/manager", json=body | {"person_id": str(new_id())})
    assert other.status_code == 204, other.text


@pytest.mark.parametrize("unit_id", [None, ROOT], ids=["whole", "top"])
async def test_who_administers_the_whole_in_person_may_do_all_of_it(
    served: Served, portfolio: httpx.AsyncClient, unit_id: UUID | None
) -> None:
    me = somebody()
    admin, own = await acting(served, me, "pmo_admin", unit_id), {"person_id": str(me.actor.id)}
    appointment = await admin.post("/appointments", json=DAYS | own | {"role": "portfolio_manager"})
    assert appointment.status_code == 201, appointment.text
    term = await admin.put(f"{appointment.headers['Location']}/term", json={"from_on": str(TODAY)})
    assert term.status_code == 204, term.text
    theirs = await of_licensing(portfolio, somebody(), "finance_controller")
    assert (await admin.post(f"{theirs}/delegations", json=DAYS | own)).status_code == 201
    manager = own | {"job_title": "Project manager", "from_on": str(TODAY)}
    assert (await admin.post(f"{await project(portfolio)}/manager", json=manager)).status_code == 204
