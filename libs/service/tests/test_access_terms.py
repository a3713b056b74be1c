"""On which days an appointment is in force, by a clock that is set by hand; a deputy's is none without the original."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from steerco_events.clock import ManualClock
from steerco_events.contracts.portfolio import AppointmentMade
from steerco_servers.testing import TemporaryPostgres
from steerco_service.access.known import Places
from steerco_service.identity.principal import Principal
from steerco_service.testkit.scopes import NORTH, SCOPES, appointed, end, made, organized, somebody
from steerco_service.testkit.serving import Served, serving

BEGAN, OVER = date(2026, 1, 1), date(2026, 6, 30)
NOWHERE = Places(frozenset(), frozenset(), is_whole=False)
THERE = Places(frozenset([NORTH]), frozenset(), is_whole=False)


@pytest.fixture(scope="module")
def clock() -> ManualClock:
    return ManualClock(datetime(2025, 1, 1, tzinfo=UTC))


@pytest.fixture(scope="module")
async def served(postgres: TemporaryPostgres, clock: ManualClock) -> AsyncIterator[Served]:
    async with serving([SCOPES], postgres, clock) as running:
        await organized(running)
        yield running


async def places(served: Served, person: Principal) -> Places:
    return await served.runtime("scopes").access.places(person.actor.id)


def deputy_of(original: AppointmentMade, deputy: Principal) -> AppointmentMade:
    return replace(made(deputy, from_on=BEGAN, until_on=OVER), delegated_from=original.appointment_id)


DAYS = pytest.mark.parametrize(
    ("on", "expected"),
    [(date(2025, 12, 31), NOWHERE), (BEGAN, THERE), (OVER, THERE), (date(2026, 7, 1), NOWHERE)],
    ids=["the day before", "first day", "last day", "the day after"],
)


@DAYS
async def test_an_appointment_holds_from_its_first_day_to_its_last(
    served: Served, clock: ManualClock, on: date, expected: Places
) -> None:
    person = somebody()
    await appointed(served, made(person, from_on=BEGAN, until_on=OVER))
    clock.set(datetime.combine(on, clock.now().time(), UTC))
    assert await places(served, person) == expected


@DAYS
async def test_a_deputy_s_appointment_holds_on_the_days_of_the_original_alone(
    served: Served, clock: ManualClock, on: date, expected: Places
) -> None:
    deputy, original = somebody(), made(somebody(), from_on=BEGAN, until_on=OVER)
    longer = replace(deputy_of(original, deputy), from_on=date(2020, 1, 1), until_on=date(2030, 1, 1))
    await appointed(served, original, longer)
    clock.set(datetime.combine(on, clock.now().time(), UTC))
    assert await places(served, deputy) == expected


async def test_an_appointment_without_a_last_day_holds_on(served: Served, clock: ManualClock) -> None:
    person = somebody()
    await appointed(served, made(person, from_on=BEGAN))
    clock.set(datetime(2099, 1, 1, tzinfo=UTC))
    assert await places(served, person) == THERE


async def test_an_appointment_that_was_ended_holds_no_more_nor_does_its_deputy_s(
    served: Served, clock: ManualClock
) -> None:
    holder, deputy = somebody(), somebody()
    original = made(holder, from_on=BEGAN, until_on=OVER)
    await appointed(served, original, deputy_of(original, deputy))
    clock.set(datetime(2026, 3, 1, tzinfo=UTC))
    assert [await places(served, each) for each in (holder, deputy)] == [THERE, THERE]
    await end(served, original)
    await served.settled()
    assert [await places(served, each) for each in (holder, deputy)] == [NOWHERE, NOWHERE]
