"""A timer is fired once, whatever breaks, competes or comes again; and one that can't be fired stops no other."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from steerco_events.postgres.faults import DATABASE_FAULTS
from steerco_events.postgres.lease import Lease, LeaseLost
from steerco_events.postgres.statements import Transaction
from steerco_events.registry import Payload
from steerco_events.testkit.alarms import AlarmRang, AlarmSet, Ring, SetAlarm, alarms
from steerco_events.testkit.logs import running, until
from steerco_events.testkit.timed import NOON, Timed, desk, timed_log, timetable
from steerco_events.timing.runner import BATCH, LONGEST_PAUSE
from steerco_events.timing.timetable import TimedDecider, Timetable
from steerco_servers.testing import TemporaryPostgres

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture
async def timed(postgres: TemporaryPostgres) -> AsyncIterator[Timed]:
    async with timed_log(postgres) as timed:
        yield timed


def poisoned(command: Any, state: Any) -> Sequence[Payload]:
    match command:
        case Ring("poison"):
            raise ZeroDivisionError("the bell is broken\nand more")
        case _:
            return alarms.decide(command, state)


def unstorable(command: Any, state: Any) -> Sequence[Payload]:
    match command:
        case Ring("poison", at):
            return [AlarmRang(name="a\x00b" * 100_000, at=at, next_at=None)]
        case Ring("reset"):
            return [*alarms.decide(command, state), AlarmSet(name="a\x00b", at=NOON)]
        case _:
            return alarms.decide(command, state)


def unspeakable(command: Any, state: Any) -> Sequence[Payload]:
    match command:
        case Ring("poison"):
            raise ValueError("a\x00b")
        case _:
            return alarms.decide(command, state)


@pytest.mark.parametrize(
    ("decide", "name", "error"),
    [
        (unspeakable, "poison", "ValueError: a\\0b"),
        (poisoned, "poison", "ZeroDivisionError: the bell is broken"),
        (unstorable, "poison", "EventTooLarge: steerco.alarms.alarm-rang has"),
        (unstorable, "reset", "DBAPIError"),
    ],
)
async def test_a_poisonous_timer_is_listed_and_put_off_and_stops_no_other(
    timed: Timed, decide: Any, name: str, error: str
) -> None:
    await timed.log.handle(alarms, desk(1), SetAlarm(name, NOON))
    for n in (2, 3):
        await timed.log.handle(alarms, desk(n), SetAlarm("tea", NOON + n * MINUTE))
    broken = timed.runner(timetable(replace(alarms, decide=decide)))
    assert await timed.at(NOON + HOUR, broken) == 3
    assert [await timed.rang(desk(n)) for n in (1, 2, 3)] == [[], [NOON + 2 * MINUTE], [NOON + 3 * MINUTE]]
    (failure,) = await timed.failures()
    assert (failure.name, failure.attempts, failure.fire_at) == (name, 1, NOON + HOUR + SECOND)
    assert failure.error.startswith(error)
    assert "and more" not in failure.error
    assert await timed.at(NOON + HOUR) == 0, "it is put off"
    assert await timed.at(NOON + HOUR + SECOND, broken) == 1
    (failure,) = await timed.failures()
    assert (failure.attempts, failure.fire_at) == (2, NOON + HOUR + 3 * SECOND)
    assert await timed.at(NOON + 2 * HOUR) == 1, "the runner of a mended release"
    assert (await timed.rang(desk(1)), await timed.timers()) == ([NOON], {})


async def test_the_pause_of_a_poisonous_timer_grows_up_to_a_limit(timed: Timed) -> None:
    await timed.log.handle(alarms, desk(), SetAlarm("poison", NOON))
    broken, pauses = timed.runner(timetable(replace(alarms, decide=poisoned))), []
    for _ in range(11):
        await timed.at(timed.clock.now(), broken)
        (failure,) = await timed.failures()
        pauses.append(failure.fire_at - timed.clock.now())
        timed.clock.set(failure.fire_at)
    assert pauses == [min(2**n * SECOND, LONGEST_PAUSE) for n in range(11)]


async def test_moving_a_poisonous_timer_forgets_its_failures(timed: Timed) -> None:
    await timed.log.handle(alarms, desk(), SetAlarm("poison", NOON))
    await timed.at(NOON, timed.runner(timetable(replace(alarms, decide=poisoned))))
    await timed.log.handle(alarms, desk(), SetAlarm("poison", NOON + MINUTE))
    assert await timed.failures() == []


async def test_a_timer_whose_decider_is_gone_is_listed(timed: Timed) -> None:
    await timed.log.handle(alarms, desk(), SetAlarm("tea", NOON))
    assert await timed.runner(Timetable([TimedDecider("kitchen", alarms)])).step() == 1
    (failure,) = await timed.failures()
    assert failure.error == f"OrphanedTimer: no decider keeps the time of {desk()}"


async def test_a_firing_that_breaks_off_before_its_commit_is_done_again_once(timed: Timed) -> None:
    log = timed.log
    runner = timed.runner()
    await log.handle(alarms, desk(), SetAlarm("tea", NOON))
    async with log.engine.connect() as blocking:
        await blocking.execute(text("SELECT 1 FROM log.streams FOR UPDATE"))
        firing = asyncio.create_task(runner.step())
        await until(timed.somebody_waits, "the runner has decided and waits to append")
        await _end_waiting_connections(blocking)
        with pytest.raises(DATABASE_FAULTS):
            await firing
    assert (await timed.rang(desk()), await timed.timers()) == ([], {(desk(), "tea"): NOON})
    assert await timed.at(NOON, runner) == 1
    assert (await timed.rang(desk()), await timed.timers()) == ([NOON], {})


async def _end_waiting_connections(connection: AsyncConnection) -> None:
    await connection.execute(
        text(
            "SELECT pg_terminate_backend(a.pid) FROM pg_stat_activity a JOIN pg_locks l USING (pid)"
            " WHERE NOT l.granted AND a.datname = current_database()"
        )
    )


async def test_of_two_runners_one_leads_and_every_timer_is_fired_once(timed: Timed) -> None:
    desks = [desk(n) for n in range(3 * BATCH)]
    await timed.set_all(desks, NOON)
    first, second = timed.runner(), timed.runner()

    async def none_left() -> bool:
        return await timed.timers() == {}

    async with running(first.run, second.run):
        await until(none_left, "all timers were fired")
    assert [await timed.rang(name) for name in desks] == [[NOON]] * len(desks)


async def test_while_one_leads_another_does_nothing_and_then_takes_over(timed: Timed) -> None:
    await timed.set_all([desk(1), desk(2)], NOON)
    leader = Lease("timers", timedelta(milliseconds=300))
    async with timed.log.engine.begin() as tx:
        assert await leader.acquire(tx)
    assert await timed.runner().step() == 0

    async def took_over() -> bool:
        return await timed.runner().step() == 2

    await until(took_over, "the lease of a silent leader ran out")
    assert await timed.timers() == {}


class Paused(Lease):
    """A lease whose holder is stopped before it asks whether it still holds it."""

    def __init__(self, lasts: timedelta) -> None:
        super().__init__("timers", lasts)
        self.reached, self.woken = asyncio.Event(), asyncio.Event()

    async def hold(self, tx: Transaction) -> None:
        self.reached.set()
        await self.woken.wait()
        await super().hold(tx)


async def test_a_runner_that_was_paused_past_its_lease_changes_nothing(timed: Timed) -> None:
    await timed.log.handle(alarms, desk(), SetAlarm("bell", NOON, every=HOUR))
    lease = Paused(timedelta(milliseconds=100))
    zombie = asyncio.create_task(timed.runner(lease=lease).step())
    await lease.reached.wait()

    async def successor() -> bool:
        return await timed.at(NOON) == 1

    await until(successor, "another runner took over")
    lease.woken.set()
    with pytest.raises(LeaseLost):
        await zombie
    assert (await timed.rang(desk()), await timed.timers()) == ([NOON], {(desk(), "bell"): NOON + HOUR})


async def test_a_timer_that_comes_again_after_it_was_fired_doubles_nothing(timed: Timed) -> None:
    await timed.log.handle(alarms, desk(), SetAlarm("tea", NOON))
    async with timed.log.engine.connect() as connection:
        kept = (await connection.execute(text("SELECT * FROM log.timers"))).mappings().one()
    await timed.at(NOON)
    async with timed.log.engine.begin() as tx:
        values = "(:stream, :name, :set_by, :due_at, :fire_at, :attempts, :error)"
        await tx.execute(text(f"INSERT INTO log.timers VALUES {values}"), dict(kept))
    assert await timed.at(NOON) == 1
    assert (await timed.rang(desk()), await timed.timers()) == ([NOON], {})


async def test_a_clock_that_jumps_back_fires_nothing_twice_and_nothing_early(timed: Timed) -> None:
    await timed.log.handle(alarms, desk(), SetAlarm("bell", NOON, every=HOUR))
    assert await timed.at(NOON + HOUR) == 2
    assert await timed.at(NOON - HOUR) == 0
    assert await timed.at(NOON + HOUR) == 0
    assert await timed.at(NOON + 2 * HOUR) == 1
    assert await timed.rang(desk()) == [NOON, NOON + HOUR, NOON + 2 * HOUR]
