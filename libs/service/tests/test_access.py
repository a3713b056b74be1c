"""Who may act where, over a real view of portfolio's log: what an appointment gives, when, and how soon."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import date, timedelta
from uuid import UUID

import httpx
import pytest

from steerco_events.clock import SystemClock
from steerco_events.contracts import portfolio
from steerco_events.ids import new_id
from steerco_events.positions import Token
from steerco_servers.testing import TemporaryPostgres
from steerco_service.access.access import FRESH_SECONDS
from steerco_service.access.groups import GroupRole
from steerco_service.identity.principal import Principal
from steerco_service.testkit.scopes import (
    ENTERPRISE,
    HARBOR,
    NORTH,
    SCOPES,
    SOUTH,
    appoint,
    appointed,
    end,
    made,
    opened,
    organized,
    project_registered,
    somebody,
)
from steerco_service.testkit.serving import Served, serving

TODAY = SystemClock().now().date()
DAY = timedelta(days=1)
SLACK = 1.5
"""Seconds that an event may be on its way, also on a busy machine."""


@pytest.fixture(scope="module")
async def served(postgres: TemporaryPostgres) -> AsyncIterator[Served]:
    async with serving([SCOPES], postgres) as running:
        await organized(running)
        yield running


async def seen(client: httpx.AsyncClient, token: Token, path: str = "/scope") -> httpx.Response:
    """The answer to who has seen this much."""
    return await client.get(path, headers={"Consistency-Token": token.encode()})


async def status(served: Served, person: Principal, path: str = "/scope") -> int:
    return (await (await served.client("scopes", person)).get(path)).status_code


async def until_status(client: httpx.AsyncClient, expected: int) -> float:
    """The seconds until the answer is another."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with asyncio.timeout(30):
        while (await client.get("/scope")).status_code != expected:
            await asyncio.sleep(0.02)
    return loop.time() - began


def with_groups(served: Served, person: Principal, **groups: Sequence[GroupRole]) -> httpx.AsyncClient:
    """A client of a process that is told these groups."""
    app = served.apart("scopes", groups=groups)
    token = served.issuer.token(person, SystemClock().now(), timedelta(hours=1))
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://scopes", headers=headers)


async def test_an_appointment_takes_effect_within_a_second_and_so_does_its_end(served: Served) -> None:
    person = somebody()
    appointment, client = made(person), await served.client("scopes", person)
    assert (await client.get("/scope")).status_code == 403
    await appoint(served, appointment)
    assert await until_status(client, 200) < FRESH_SECONDS + SLACK
    await end(served, appointment)
    assert await until_status(client, 403) < FRESH_SECONDS + SLACK


async def test_who_has_seen_an_appointment_may_act_at_once_and_who_has_seen_its_end_no_more(served: Served) -> None:
    person = somebody()
    client = await served.client("scopes", person)
    for _ in range(5):
        appointment = made(person)
        assert (await client.get("/scope")).status_code == 403
        assert (await seen(client, await appoint(served, appointment))).status_code == 200
        assert (await seen(client, await end(served, appointment))).status_code == 403


async def test_who_has_seen_a_unit_acts_in_it_at_once(served: Served) -> None:
    person, pier = somebody(), new_id()
    await appointed(served, made(person, unit_id=HARBOR))
    client = await served.client("scopes", person)
    assert (await client.get("/scope")).json()["units"] == [str(HARBOR)]
    answer = await seen(client, await opened(served, pier, HARBOR, f"PIER-{pier.hex[-6:]}"))
    assert set(answer.json()["units"]) == {str(HARBOR), str(pier)}


async def test_a_role_holds_for_what_is_below_wherever_that_moves(served: Served) -> None:
    person, crew = somebody(), new_id()
    token = await opened(served, crew, SOUTH, f"CREW-{crew.hex[-6:]}")
    await appointed(served, made(person, unit_id=SOUTH))
    client = await served.client("scopes", person)
    assert str(crew) in (await seen(client, token)).json()["units"]
    moved = portfolio.UnitMoved(unit_id=crew, from_parent_id=SOUTH, to_parent_id=ENTERPRISE)
    answer = await seen(client, await served.append("portfolio", "organization", moved))
    assert answer.json()["units"] == [str(SOUTH)]


@pytest.mark.parametrize(
    ("from_on", "until_on", "expected"),
    [
        (TODAY + 2 * DAY, None, 403),
        (TODAY - 9 * DAY, TODAY - 2 * DAY, 403),
        (TODAY - 9 * DAY, TODAY + 9 * DAY, 200),
        (TODAY - 9 * DAY, None, 200),
    ],
    ids=["has not begun", "is over", "is under way", "has no end"],
)
async def test_an_appointment_gives_its_role_on_its_days(
    served: Served, from_on: date, until_on: date | None, expected: int
) -> None:
    person = somebody()
    await appointed(served, made(person, from_on=from_on, until_on=until_on))
    assert await status(served, person) == expected


async def test_an_appointment_whose_days_were_changed_gives_its_role_on_the_new_ones(served: Served) -> None:
    person = somebody()
    appointment = made(person)
    await appointed(served, appointment)
    changed = portfolio.AppointmentTermChanged(appointment_id=appointment.appointment_id, from_on=TODAY + 9 * DAY)
    token = await served.append("portfolio", f"appointment-{appointment.appointment_id}", changed)
    assert (await seen(await served.client("scopes", person), token)).status_code == 403


@pytest.mark.parametrize(
    ("from_on", "until_on", "expected"),
    [(TODAY - 9 * DAY, None, 200), (TODAY + 2 * DAY, None, 403), (TODAY - 9 * DAY, TODAY - 2 * DAY, 403)],
    ids=["holds", "has not begun", "is over"],
)
async def test_who_stands_in_may_act_while_the_original_holds(
    served: Served, from_on: date, until_on: date | None, expected: int
) -> None:
    deputy, appointment = somebody(), made(somebody(), from_on=from_on, until_on=until_on)
    await appointed(served, appointment, made(deputy, delegated_from=appointment.appointment_id))
    assert await status(served, deputy) == expected


async def test_who_stands_in_may_not_act_any_more_when_the_original_was_ended(served: Served) -> None:
    holder, deputy = somebody(), somebody()
    appointment = made(holder)
    await appointed(served, appointment, made(deputy, delegated_from=appointment.appointment_id))
    client = await served.client("scopes", deputy)
    assert (await client.get("/scope")).status_code == 200
    assert (await seen(client, await end(served, appointment))).status_code == 403


async def test_who_stands_in_for_nobody_knows_what_may_not_act(served: Served) -> None:
    deputy = somebody()
    await appointed(served, made(deputy, delegated_from=new_id()))
    assert await status(served, deputy) == 403


async def manages(served: Served, project_id: UUID, person: Principal, from_on: date = TODAY) -> Token:
    managed = portfolio.ProjectManagerAppointed(
        project_id=project_id, person_id=person.actor.id, job_title="Manager", unit_id=NORTH, from_on=from_on
    )
    return await served.append("portfolio", f"project-{project_id}", managed)


async def registered(served: Served) -> UUID:
    """A project of the north."""
    project = project_registered(NORTH)
    await served.append("portfolio", f"project-{project.project_id}", project)
    return project.project_id


async def test_a_project_s_manager_may_act_at_the_project_and_the_one_before_no_more(served: Served) -> None:
    first, second = somebody(), somebody()
    project_id = await registered(served)
    clients = [await served.client("scopes", each) for each in (first, second)]
    token = await manages(served, project_id, first)
    answers = [await seen(client, token) for client in clients]
    assert [each.status_code for each in answers] == [200, 403]
    assert answers[0].json() == {"whole": False, "units": [], "projects": [str(project_id)]}
    token = await manages(served, project_id, second)
    assert [(await seen(client, token)).status_code for client in clients] == [403, 200]


async def test_who_manages_a_project_from_a_later_day_on_may_not_act_yet(served: Served) -> None:
    person, project_id = somebody(), await registered(served)
    token = await manages(served, project_id, person, TODAY + 2 * DAY)
    assert (await seen(await served.client("scopes", person), token)).status_code == 403


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ([("first", -9), ("second", 2)], "first"),
        ([("first", -9), ("second", 2), ("third", 5)], "first"),
        ([("first", -9), ("second", 2), ("third", 0)], "third"),
        ([("first", -1), ("second", -9)], "second"),
        ([("first", -9), ("second", -5), ("third", 2), ("first", 3)], "second"),
    ],
    ids=["the next", "and the one after", "somebody before the next", "from a day before the present's", "of many"],
)
async def test_who_manages_a_project_from_a_later_day_on_displaces_nobody_before(
    served: Served, said: Sequence[tuple[str, int]], expected: str
) -> None:
    people, project_id = {name: somebody() for name, _ in said}, await registered(served)
    for name, days in said:
        token = await manages(served, project_id, people[name], TODAY + days * DAY)
    found = {}
    for name, person in people.items():
        found[name] = (await seen(await served.client("scopes", person), token)).status_code
    assert found == {name: 200 if name == expected else 403 for name in people}


@pytest.mark.parametrize("end", [portfolio.ProjectClosed, portfolio.ProjectTerminated])
async def test_who_managed_a_project_to_its_end_sees_it_still_and_does_no_more(
    served: Served, end: type[portfolio.ProjectClosed] | type[portfolio.ProjectTerminated]
) -> None:
    person, project_id = somebody(), await registered(served)
    client = await served.client("scopes", person)
    assert (await seen(client, await manages(served, project_id, person), "/delivery")).status_code == 204
    token = await served.append("portfolio", f"project-{project_id}", end(project_id=project_id))
    assert (await seen(client, token, "/delivery")).status_code == 403
    assert (await seen(client, token)).json()["projects"] == [str(project_id)]


async def test_a_group_gives_its_roles_at_a_unit_by_its_code_or_in_the_whole_enterprise(served: Served) -> None:
    staff = [GroupRole("pmo_officer", "north"), GroupRole("viewer", "SOUTH")]
    auditors = [GroupRole("auditor")]
    async with with_groups(served, somebody("staff"), staff=staff, auditors=auditors) as client:
        found = (await client.get("/scope")).json()
        assert (found["whole"], (await client.get("/office")).status_code) == (False, 204)
        assert {str(NORTH), str(HARBOR), str(SOUTH)} <= set(found["units"])
    async with with_groups(served, somebody("auditors", "others"), staff=staff, auditors=auditors) as client:
        assert (await client.get("/scope")).json()["whole"]
        assert (await client.get("/office")).status_code == 403
    async with with_groups(served, somebody("others"), staff=staff, auditors=auditors) as client:
        assert (await client.get("/scope")).status_code == 403


async def test_a_group_at_a_unit_that_is_opened_later_gives_nothing_before(served: Served) -> None:
    code, unit_id = f"LATER-{new_id().hex[-6:]}", new_id()
    async with with_groups(served, somebody("staff"), staff=[GroupRole("viewer", code)]) as client:
        assert (await client.get("/scope")).status_code == 403
        answer = await seen(client, await opened(served, unit_id, NORTH, code))
        assert answer.json()["units"] == [str(unit_id)]


async def test_what_groups_and_appointments_give_adds_up(served: Served) -> None:
    person = somebody("staff")
    await appointed(served, made(person, unit_id=HARBOR))
    async with with_groups(served, person, staff=[GroupRole("viewer", "SOUTH")]) as client:
        assert {str(HARBOR), str(SOUTH)} <= set((await client.get("/scope")).json()["units"])


async def test_who_has_no_role_is_refused_and_told_the_roles(served: Served) -> None:
    client = await served.client("scopes", somebody())
    answer = await client.get("/office")
    assert (answer.status_code, answer.json()["type"]) == (403, "urn:steerco:problem:forbidden")
    assert answer.json()["detail"] == "this needs one of the roles pmo_admin, pmo_officer"


async def test_another_role_than_is_needed_does_not_help(served: Served) -> None:
    person = somebody()
    await appointed(served, made(person, "sponsor"))
    assert (await status(served, person), await status(served, person, "/office")) == (200, 403)


async def test_what_is_about_the_whole_takes_a_role_in_the_whole_enterprise(served: Served) -> None:
    north, root, everywhere = somebody(), somebody(), somebody()
    await appointed(
        served,
        made(north, "pmo_admin", NORTH),
        made(root, "pmo_admin", ENTERPRISE),
        made(everywhere, "pmo_admin", None),
    )
    assert [await status(served, each, "/whole") for each in (north, root, everywhere)] == [403, 204, 204]
    answer = await (await served.client("scopes", north)).get("/whole")
    assert answer.json()["detail"].endswith("roles pmo_admin, pmo_officer in the whole enterprise")
