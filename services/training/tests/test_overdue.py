"""An obligation falls overdue by itself when its day is over, against a real database."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from steerco_events.clock import ManualClock
from steerco_events.contracts.portfolio import ProjectManagerAppointed
from steerco_events.contracts.training import ObligationFellOverdue
from steerco_events.ids import new_id
from steerco_servers.testing import TemporaryPostgres
from steerco_service.testkit.serving import Served, log_only, serving
from steerco_training.app import SERVICE

YEARS = count(2026)
COURSE, TICK = "project-management-essentials", timedelta(microseconds=1)


@pytest.fixture(scope="module")
def clock() -> ManualClock:
    return ManualClock(datetime(2026, 1, 1, tzinfo=UTC))


@pytest.fixture(scope="module")
async def served(postgres: TemporaryPostgres, clock: ManualClock) -> AsyncIterator[Served]:
    async with serving([SERVICE, log_only("portfolio")], postgres, clock) as running:
        yield running


@pytest.fixture(scope="module")
async def training(served: Served) -> httpx.AsyncClient:
    return await served.client("training")


@pytest.fixture
async def may(served: Served, clock: ManualClock) -> AsyncIterator[date]:
    """The first of May, in a year of the spec's own; at its end all that was due has been, and no timer waits."""
    may = date(next(YEARS), 5, 1)
    clock.set(datetime(may.year, 5, 1, 9, tzinfo=UTC))
    await served.settled()
    yield may
    async with served.runtime("training").engine.begin() as tx:
        await tx.execute(text("DELETE FROM log.timers WHERE name = 'nonsense'"))
    clock.set(over(may))
    await served.settled()


def over(may: date) -> datetime:
    """When June is."""
    return datetime(may.year, 7, 1, tzinfo=UTC)


async def appointed(served: Served, may: date) -> UUID:
    """A person who owes the course until the end of June."""
    person_id, project_id = new_id(), new_id()
    event = ProjectManagerAppointed(
        project_id=project_id, person_id=person_id, job_title="Project manager", unit_id=new_id(), from_on=may
    )
    await served.append("portfolio", f"project-{project_id}", event, units=(event.unit_id,))
    await served.settled()
    return person_id


async def state_of(training: httpx.AsyncClient, person_id: UUID) -> str:
    """As its stream has it, which is as the list has it."""
    (owed,) = (await training.get(f"/learners/{person_id}")).json()["obligations"]
    (listed,) = (await training.get("/obligations", params={"person_id": str(person_id)})).json()
    assert owed.items() >= listed.items()
    state: str = owed["state"]
    return state


async def completed(training: httpx.AsyncClient, person_id: UUID, may: date) -> None:
    body = {"person_id": str(person_id), "course": COURSE, "completed_on": str(may)}
    assert (await training.post("/completions", json=body)).status_code == 201


async def timers(training: httpx.AsyncClient, **filters: str) -> list[dict[str, Any]]:
    answer = await training.get("/log/timers", params=filters)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()
    return found


async def test_what_is_owed_until_a_day_is_overdue_when_the_day_is_over(
    served: Served, training: httpx.AsyncClient, clock: ManualClock, may: date
) -> None:
    person_id = await appointed(served, may)
    clock.set(over(may) - TICK)
    await served.settled()
    assert await state_of(training, person_id) == "open"
    clock.set(over(may))
    await served.settled()
    assert await state_of(training, person_id) == "overdue"
    runtime = served.runtime("training")
    async with runtime.engine.connect() as connection:
        raised, overdue = await runtime.store.read_events(connection, f"learner-{person_id}")
    assert isinstance(overdue.payload, ObligationFellOverdue)
    assert (overdue.recorded_at, overdue.valid_at, overdue.causation_id) == (over(may), over(may), raised.id)
    assert (overdue.actor.job_title, overdue.org_units) == ("timers of training", raised.org_units)


async def test_what_is_fulfilled_in_time_does_not_fall_overdue_and_what_is_overdue_is_fulfilled_late(
    served: Served, training: httpx.AsyncClient, clock: ManualClock, may: date
) -> None:
    in_time, late = await appointed(served, may), await appointed(served, may)
    await completed(training, in_time, may)
    clock.set(over(may))
    await served.settled()
    assert [await state_of(training, each) for each in (in_time, late)] == ["fulfilled", "overdue"]
    await completed(training, late, may)
    await served.settled()
    assert await state_of(training, late) == "fulfilled"


async def test_what_is_due_is_listed_in_its_order_and_paged(
    served: Served, training: httpx.AsyncClient, clock: ManualClock, may: date
) -> None:
    persons = sorted([str(await appointed(served, may)) for _ in range(3)])
    pages, url = [], "/log/timers?limit=2"
    while url:
        answer = await training.get(url)
        pages.append(answer.json())
        url = answer.links.get("next", {}).get("url", "")
    assert [len(page) for page in pages] == [2, 1]
    found = [timer for page in pages for timer in page]
    assert [timer["stream"] for timer in found] == [f"learner-{person_id}" for person_id in persons]
    assert {(timer["due_at"], timer["attempts"], timer["error"]) for timer in found} == {
        (f"{may.year}-07-01T00:00:00Z", 0, None)
    }
    assert await timers(training, failing="true") == []
    assert len(await timers(training, failing="false")) == 3


async def test_timers_are_made_anew_from_the_log(
    served: Served, training: httpx.AsyncClient, clock: ManualClock, may: date
) -> None:
    person_id, done = await appointed(served, may), await appointed(served, may)
    await completed(training, done, may)
    before = await timers(training)
    runtime = served.runtime("training")
    async with runtime.engine.begin() as tx:
        await tx.execute(text("DELETE FROM log.timers"))
    clock.set(over(may))
    await served.settled()
    assert await state_of(training, person_id) == "open", "its timer was lost"
    rebuilt = await training.post("/log/timers/rebuild")
    assert (rebuilt.status_code, rebuilt.json()) == (200, {"timers": 1, "added": 1, "removed": 0})
    await served.settled()
    assert (len(before), await state_of(training, person_id)) == (1, "overdue")
    assert (await training.post("/log/timers/rebuild")).json() == {"timers": 0, "added": 0, "removed": 0}


async def test_a_timer_that_fails_is_listed_and_makes_the_service_degraded(
    served: Served, training: httpx.AsyncClient, clock: ManualClock, may: date
) -> None:
    person_id = await appointed(served, may)
    insert = text(
        "INSERT INTO log.timers (stream, name, set_by, due_at, fire_at)"
        " SELECT stream, 'nonsense', id, :now, :now FROM log.events WHERE stream = :stream"
    )
    async with served.runtime("training").engine.begin() as tx:
        await tx.execute(insert, {"stream": f"learner-{person_id}", "now": clock.now()})
    await served.settled()
    (failing,) = await timers(training, failing="true")
    assert (failing["name"], failing["attempts"]) == ("nonsense", 1)
    assert failing["error"].startswith("ValueError")
    assert datetime.fromisoformat(failing["fire_at"]) == clock.now() + timedelta(seconds=1)
    assert [each["name"] for each in await timers(training, failing="false")] != ["nonsense"]
    ready = (await training.get("/readyz")).json()
    assert ready["ready"]
    assert ready["degraded"]["timers nonsense of training"] == "failing: 1"
    assert str(person_id) not in str(ready)
