"""Which units the events of a learner concern: those that have now what each is about, whatever the person did last."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest

from steerco_events.clock import ManualClock
from steerco_events.contracts import portfolio, training
from steerco_events.ids import new_id
from steerco_servers.testing import TemporaryPostgres
from steerco_service.identity.principal import Principal
from steerco_service.testkit.scopes import (
    HARBOR,
    NORTH,
    SOUTH,
    appointed,
    end,
    made,
    organized,
    project_registered,
    somebody,
)
from steerco_service.testkit.serving import TESTER, Served, serving
from steerco_training.app import SERVICE

MAY, OVER = date(2026, 5, 1), datetime(2026, 7, 1, tzinfo=UTC)
MORNING = datetime(2026, 5, 1, 9, tzinfo=UTC)
MANAGING, RISKS = "project-management-essentials", "risk-essentials"
WAIVED, OVERDUE = "steerco.training.obligation-waived", "steerco.training.obligation-fell-overdue"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(MORNING)


@asynccontextmanager
async def organized_at(clock: ManualClock, postgres: TemporaryPostgres) -> AsyncIterator[Served]:
    async with serving([SERVICE], postgres, clock) as running:
        await organized(running)
        yield running


@pytest.fixture(scope="module")
async def served(postgres: TemporaryPostgres) -> AsyncIterator[Served]:
    """For all specs of one day; each has persons and projects of its own."""
    async with organized_at(ManualClock(MORNING), postgres) as running:
        yield running


@pytest.fixture
async def timed(postgres: TemporaryPostgres, clock: ManualClock) -> AsyncIterator[Served]:
    """For a spec that sets the clock."""
    async with organized_at(clock, postgres) as running:
        yield running


async def project_at(served: Served, unit_id: UUID) -> UUID:
    project = project_registered(unit_id)
    await served.append("portfolio", f"project-{project.project_id}", project, units=(unit_id,))
    return project.project_id


async def manages(served: Served, person: Principal, project_id: UUID, unit_id: UUID) -> None:
    """The person manages a project that the unit has, and so owes the course until the end of June."""
    event = portfolio.ProjectManagerAppointed(
        project_id=project_id, person_id=person.actor.id, job_title="Manager", unit_id=unit_id, from_on=MAY
    )
    await served.append("portfolio", f"project-{project_id}", event, units=(unit_id,))
    await served.settled()


async def moved(served: Served, project_id: UUID, from_unit_id: UUID, to_unit_id: UUID) -> None:
    event = portfolio.ProjectMoved(project_id=project_id, from_unit_id=from_unit_id, to_unit_id=to_unit_id)
    await served.append("portfolio", f"project-{project_id}", event, units=(from_unit_id, to_unit_id))
    await served.settled()


async def owes_for(served: Served, person: Principal, unit_id: UUID) -> UUID:
    """The person owes another course, because of another project, which the unit has."""
    raised = training.ObligationRaised(
        obligation_id=new_id(),
        person_id=person.actor.id,
        job_title="m",
        project_id=await project_at(served, unit_id),
        course=RISKS,
        due_on=date(2026, 6, 30),
        cause_id=new_id(),
        cause_type="t",
    )
    await served.append("training", f"learner-{person.actor.id}", raised, units=(unit_id,))
    await served.settled()
    return raised.obligation_id


async def appointed_in(served: Served, unit_id: UUID | None, role: portfolio.Role, **place: UUID) -> Principal:
    person = somebody()
    await appointed(served, made(person, role, unit_id, from_on=MAY, **place))
    return person


async def waives(served: Served, by: Principal, person: Principal, project_id: UUID) -> None:
    client = await served.client("training", by)
    owed = (await client.get("/obligations", params={"project_id": str(project_id)})).json()
    (path,) = [f"/learners/{person.actor.id}/obligations/{each['obligation_id']}/waiver" for each in owed]
    assert (await client.post(path, json={"reason": "Teaches the course"})).status_code == 204


async def completes(served: Served, by: Principal, person: Principal, course: str = MANAGING) -> None:
    body = {"person_id": str(person.actor.id), "course": course, "completed_on": str(MAY)}
    answer = await (await served.client("training", by)).post("/completions", json=body)
    assert answer.status_code == 201, answer.text


async def concerned(served: Served, person: Principal) -> Sequence[tuple[type, set[UUID]]]:
    """What is in the person's stream, and which units each event concerns."""
    runtime = served.runtime("training")
    async with runtime.engine.connect() as connection:
        events = await runtime.store.read_events(connection, f"learner-{person.actor.id}")
    return [(type(event.payload), set(event.org_units)) for event in events]


async def reads(served: Served, auditor: Principal, person: Principal) -> Sequence[tuple[str, str | None]]:
    """What somebody finds of a person in the audit, with the reasons."""
    await served.settled()
    answer = await (await served.client("training", auditor)).get(f"/audit?subject=learner-{person.actor.id}")
    assert answer.status_code == 200, answer.text
    return [(each["type"], each["reason"]) for each in answer.json()]


async def test_a_waiver_and_its_reason_are_for_the_unit_that_has_the_project_whatever_else_is_owed(
    served: Served,
) -> None:
    person, project_id = somebody(), await project_at(served, NORTH)
    await manages(served, person, project_id, NORTH)
    await owes_for(served, person, SOUTH)
    await waives(served, await appointed_in(served, NORTH, "training_coordinator"), person, project_id)
    assert (await concerned(served, person))[-1] == (training.ObligationWaived, {NORTH})
    north, south = [await appointed_in(served, unit, "auditor") for unit in (NORTH, SOUTH)]
    assert (WAIVED, "Teaches the course") in await reads(served, north, person)
    assert WAIVED not in [type_ for type_, _ in await reads(served, south, person)]


async def test_a_completion_concerns_the_unit_whose_obligation_it_fulfills(served: Served) -> None:
    person, project_id = somebody(), await project_at(served, NORTH)
    await manages(served, person, project_id, NORTH)
    await owes_for(served, person, SOUTH)
    await completes(served, TESTER, person)
    done = [(training.CompletionRecorded, {NORTH}), (training.ObligationFulfilled, {NORTH})]
    assert (await concerned(served, person))[-2:] == done
    await completes(served, TESTER, person, RISKS)
    done = [(training.CompletionRecorded, {SOUTH}), (training.ObligationFulfilled, {SOUTH})]
    assert (await concerned(served, person))[-2:] == done


async def test_one_completion_concerns_all_the_units_whose_obligations_it_fulfills(served: Served) -> None:
    person = somebody()
    for unit in (NORTH, SOUTH):
        await owes_for(served, person, unit)
    await completes(served, TESTER, person, RISKS)
    assert [units for _, units in (await concerned(served, person))[-3:]] == [{NORTH, SOUTH}] * 3


async def test_a_completion_of_who_owes_nothing_concerns_the_units_where_the_person_is(served: Served) -> None:
    person, at_harbor, managed = somebody(), await project_at(served, HARBOR), await project_at(served, NORTH)
    await appointed(served, made(person, "viewer", SOUTH, from_on=MAY))
    await appointed(served, made(person, "contributor", None, project_id=at_harbor, from_on=MAY))
    await completes(served, TESTER, person, RISKS)
    assert await concerned(served, person) == [(training.CompletionRecorded, {SOUTH, HARBOR})]
    await manages(served, person, managed, NORTH)
    await completes(served, TESTER, person, RISKS)
    assert (await concerned(served, person))[-1] == (training.CompletionRecorded, {NORTH, SOUTH, HARBOR})


async def test_a_completion_of_who_is_nowhere_any_more_concerns_no_unit(served: Served) -> None:
    person = somebody()
    held = made(person, "viewer", SOUTH, from_on=MAY)
    await appointed(served, held)
    await completes(served, TESTER, person, RISKS)
    await end(served, held)
    await served.settled()
    await completes(served, TESTER, person, RISKS)
    assert [units for _, units in await concerned(served, person)] == [{SOUTH}, set()]


async def test_who_coordinates_where_the_person_has_a_role_at_a_project_records_a_completion(served: Served) -> None:
    person = await appointed_in(served, None, "contributor", project_id=await project_at(served, HARBOR))
    await completes(served, await appointed_in(served, NORTH, "training_coordinator"), person)
    assert await concerned(served, person) == [(training.CompletionRecorded, {HARBOR})]


async def test_what_became_of_an_obligation_concerns_the_unit_that_has_its_project_by_then(
    timed: Served, clock: ManualClock
) -> None:
    waived, completed, overdue = [(somebody(), await project_at(timed, NORTH)) for _ in range(3)]
    for person, project_id in (waived, completed, overdue):
        await manages(timed, person, project_id, NORTH)
        assert await concerned(timed, person) == [(training.ObligationRaised, {NORTH})]
        await moved(timed, project_id, NORTH, SOUTH)
    await waives(timed, TESTER, *waived)
    await completes(timed, TESTER, completed[0])
    clock.set(OVER)
    await timed.settled()
    for (person, _), became in [
        (waived, training.ObligationWaived),
        (completed, training.ObligationFulfilled),
        (overdue, training.ObligationFellOverdue),
    ]:
        assert (await concerned(timed, person))[-1] == (became, {SOUTH})


async def test_what_falls_due_concerns_the_unit_of_its_own_project_whatever_else_is_owed(
    timed: Served, clock: ManualClock
) -> None:
    person = somebody()
    await manages(timed, person, await project_at(timed, NORTH), NORTH)
    await owes_for(timed, person, SOUTH)
    await (await timed.client("training")).post("/log/timers/rebuild")
    clock.set(OVER + timedelta(seconds=1))
    await timed.settled()
    raised, due = (await concerned(timed, person))[:2], (await concerned(timed, person))[2:]
    assert [units for _, units in raised] == [{NORTH}, {SOUTH}]
    assert sorted(map(str, due)) == sorted(str((training.ObligationFellOverdue, {unit})) for unit in (NORTH, SOUTH))


async def test_what_is_raised_for_a_project_that_moved_concerns_the_unit_that_has_it_then(served: Served) -> None:
    person, project_id = somebody(), await project_at(served, NORTH)
    await owes_for(served, person, NORTH)
    await moved(served, project_id, NORTH, SOUTH)
    await manages(served, person, project_id, SOUTH)
    assert (await concerned(served, person))[-1] == (training.ObligationRaised, {SOUTH})
