"""What a service could not digest of portfolio's log gives nobody a role: an end may be in it."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text

from steerco_events.contracts import portfolio
from steerco_events.contracts.portfolio import AppointmentMade
from steerco_events.ids import new_id
from steerco_events.projections.model import View
from steerco_servers.testing import TemporaryPostgres
from steerco_service.access.access import FRESH_SECONDS
from steerco_service.access.placed import ACCESS
from steerco_service.identity.principal import Principal
from steerco_service.reading import Read
from steerco_service.routing import router
from steerco_service.testkit.indigestible import CLOSURES, ILL
from steerco_service.testkit.scopes import (
    ENTERPRISE,
    HARBOR,
    NORTH,
    SCOPES,
    SOUTH,
    appointed,
    end,
    made,
    organized,
    project_registered,
    somebody,
)
from steerco_service.testkit.serving import TESTER, Served, permitting, serving

CONSUMER = "scopes_v1_b1"

routes = router("projects")


@routes.get("/placed")
async def placed(reading: Read) -> dict[UUID, bool]:
    """The projects in the caller's scope, and whether each is there alone, too."""
    table = reading.table("projects_placed")
    query = select(table.c.project_id).where(reading.known_at(table), reading.in_projects(table.c.project_id))
    return {id: await reading.has_project(id) for id in (await reading.connection.execute(query)).scalars()}


@routes.get("/people/{person_id}")
async def person_is_there(person_id: UUID, reading: Read) -> bool:
    """Whether a person is there for the caller."""
    return await reading.has_person(person_id)


permitting("scopes", routes)

FRAIL = replace(
    SCOPES,
    routers=(*SCOPES.routers, routes),
    view=View("scopes", 1, ("portfolio",), (CLOSURES.view.projections[0], *ACCESS)),
)


@pytest.fixture
async def served(postgres: TemporaryPostgres) -> AsyncIterator[Served]:
    async with serving([FRAIL], postgres) as running:
        await organized(running)
        yield running
    ILL.clear()


def forget(served: Served) -> None:
    """Have what is known read anew, as if a second had passed."""
    access = served.runtime("scopes").access
    if access._organization:
        access._organization = replace(access._organization, read_at=access._organization.read_at - 2 * FRESH_SECONDS)
    access._granted.clear()


async def status(served: Served, person: Principal, path: str = "/scope") -> int:
    forget(served)
    return (await (await served.client("scopes", person)).get(path)).status_code


async def held(served: Served, **more: Any) -> tuple[Principal, AppointmentMade]:
    """Somebody, and what they were appointed to."""
    person = somebody()
    appointment = made(person, **more)
    await appointed(served, appointment)
    return person, appointment


async def ended_unseen(served: Served, appointment: AppointmentMade) -> str:
    """End an appointment without the service being able to digest that; the stream."""
    stream = f"appointment-{appointment.appointment_id}"
    ILL.add(stream)
    await end(served, appointment)
    await served.settled()
    return stream


async def retried(served: Served, stream: str) -> None:
    """Let what is parked be digested."""
    ILL.discard(stream)
    operations = await served.client("scopes")
    assert (await operations.post(f"/log/parked/{CONSUMER}/portfolio/{stream}/retry")).status_code == 202
    while (await operations.get("/log/parked")).json():
        await served.runtime("scopes").signals.applied.subscribe().wait(0.05)


async def upset(served: Served) -> None:
    """Move the south below the north without the service being able to digest that."""
    ILL.add("organization")
    moved = portfolio.UnitMoved(unit_id=SOUTH, from_parent_id=ENTERPRISE, to_parent_id=NORTH)
    await served.append("portfolio", "organization", moved)
    await served.settled()


async def test_an_appointment_whose_stream_is_parked_gives_nothing_while_others_hold(served: Served) -> None:
    person, appointment = await held(served)
    other, _ = await held(served)
    assert await status(served, person) == 200
    await ended_unseen(served, appointment)
    assert [await status(served, each) for each in (person, other)] == [403, 200]


async def test_who_stands_in_for_an_appointment_whose_stream_is_parked_may_do_nothing(served: Served) -> None:
    _, appointment = await held(served)
    deputy, _ = await held(served, delegated_from=appointment.appointment_id)
    assert await status(served, deputy) == 200
    await ended_unseen(served, appointment)
    assert await status(served, deputy) == 403


async def test_an_appointment_gives_its_role_again_when_its_stream_goes_on(served: Served) -> None:
    person, appointment = await held(served)
    stream = f"appointment-{appointment.appointment_id}"
    ILL.add(stream)
    from_on = appointment.from_on
    changed = portfolio.AppointmentTermChanged(appointment_id=appointment.appointment_id, from_on=from_on)
    await served.append("portfolio", stream, changed)
    await served.settled()
    assert await status(served, person) == 403
    await retried(served, stream)
    assert await status(served, person) == 200


@pytest.mark.parametrize("type", ["steerco.portfolio.appointment-ended", "of a newer release"])
async def test_an_appointment_of_which_an_event_was_left_out_gives_nothing(served: Served, type: str) -> None:
    person, appointment = await held(served)
    skipped = text(
        "INSERT INTO log.skipped_events (skipped_for, service, stream, position, event_id, type, consumer, error,"
        " skipped_at, skipped_by, reason) VALUES ('scopes_v1', 'portfolio', :stream, 1, :id, :type, :consumer, 'e',"
        " now(), :id, 'r')"
    )
    stream = f"appointment-{appointment.appointment_id}"
    async with served.runtime("scopes").engine.begin() as tx:
        await tx.execute(skipped, {"stream": stream, "id": new_id(), "type": type, "consumer": CONSUMER})
    assert await status(served, person) == 403


async def test_while_units_are_parked_it_is_not_known_who_may_act_in_them(served: Served) -> None:
    person, _ = await held(served)
    await upset(served)
    forget(served)
    answer = await (await served.client("scopes", person)).get("/scope")
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:steerco:problem:access-unknown")
    assert "the stream of units is parked" in answer.json()["detail"]


async def test_who_has_a_role_in_the_whole_enterprise_sees_to_units_that_are_parked(served: Served) -> None:
    person, _ = await held(served, unit_id=HARBOR)
    await upset(served)
    assert await status(served, TESTER) == 200
    assert await status(served, TESTER, "/readyz") == 200
    await retried(served, "organization")
    assert await status(served, person) == 200
    forget(served)
    north, _ = await held(served, unit_id=NORTH)
    answer = await (await served.client("scopes", north)).get("/scope")
    assert set(answer.json()["units"]) == {str(NORTH), str(HARBOR), str(SOUTH)}


async def registered(served: Served, manager: Principal) -> UUID:
    """A project of the north, with a manager."""
    project = project_registered(NORTH)
    project_id = project.project_id
    managed = portfolio.ProjectManagerAppointed(
        project_id=project_id,
        person_id=manager.actor.id,
        job_title="m",
        unit_id=NORTH,
        from_on=served.runtime("scopes").clock.now().date(),
    )
    await served.append("portfolio", f"project-{project_id}", project, managed)
    await served.settled()
    return project_id


async def moved_unseen(served: Served, project_id: UUID) -> None:
    """Move a project to the south without the service being able to digest that."""
    ILL.add(f"project-{project_id}")
    moved = portfolio.ProjectMoved(project_id=project_id, from_unit_id=NORTH, to_unit_id=SOUTH)
    await served.append("portfolio", f"project-{project_id}", moved)
    await served.settled()


async def found(served: Served, person: Principal, path: str = "/placed") -> object:
    forget(served)
    return (await (await served.client("scopes", person)).get(path)).json()


async def test_a_project_that_is_parked_is_in_no_unit_and_has_no_manager(served: Served) -> None:
    manager = somebody()
    project_id, other = await registered(served, manager), await registered(served, somebody())
    north, _ = await held(served, unit_id=NORTH)
    assert await found(served, north) == {str(project_id): True, str(other): True}
    await moved_unseen(served, project_id)
    assert await found(served, north) == {str(other): True}
    assert await status(served, manager) == 403
    assert await found(served, north, f"/people/{manager.actor.id}") is False


async def test_a_project_that_is_parked_is_there_for_who_has_a_role_at_it_or_in_the_whole(served: Served) -> None:
    project_id = await registered(served, somebody())
    sponsor, _ = await held(served, unit_id=None, project_id=project_id)
    await moved_unseen(served, project_id)
    for person in (sponsor, TESTER):
        assert await found(served, person) == {str(project_id): True}


async def test_who_was_appointed_by_what_is_parked_is_nobody_of_the_unit(served: Served) -> None:
    person, appointment = await held(served)
    north, _ = await held(served, unit_id=NORTH)
    assert await found(served, north, f"/people/{person.actor.id}") is True
    await ended_unseen(served, appointment)
    assert await found(served, north, f"/people/{person.actor.id}") is False


async def test_no_view_leaves_out_what_people_act_by(served: Served) -> None:
    _, appointment = await held(served)
    project_id = await registered(served, somebody())
    streams = [await ended_unseen(served, appointment), "organization", f"project-{project_id}"]
    await upset(served)
    await moved_unseen(served, project_id)
    operations = await served.client("scopes")
    for stream in streams:
        answer = await operations.post(f"/log/parked/{CONSUMER}/portfolio/{stream}/skip", json={"reason": "r"})
        assert (answer.status_code, answer.json()["type"]) == (409, "urn:steerco:problem:grants-hang-on-it")
        assert f"people may act by what {stream} tells" in answer.json()["detail"]
    assert [each["asked"] for each in (await operations.get("/log/parked")).json()] == [None, None, None]


async def test_of_a_project_a_view_may_leave_out_what_nobody_acts_by(served: Served) -> None:
    project_id = await registered(served, somebody())
    north, _ = await held(served, unit_id=NORTH)
    stream = f"project-{project_id}"
    ILL.add(stream)
    await served.append("portfolio", stream, portfolio.ProjectRenamed(project_id=project_id, title="another"))
    await served.settled()
    operations = await served.client("scopes")
    answer = await operations.post(f"/log/parked/{CONSUMER}/portfolio/{stream}/skip", json={"reason": "r"})
    assert answer.status_code == 202
    while (await operations.get("/log/parked")).json():
        await served.runtime("scopes").signals.applied.subscribe().wait(0.05)
    assert await found(served, north) == {str(project_id): True}
