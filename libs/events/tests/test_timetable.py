"""The timers can be made anew from the log, also while it is written to; a release of other rules does so by itself."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from steerco_events.commands.handling import handle_all
from steerco_events.commands.planning import Handling
from steerco_events.ids import derived_id
from steerco_events.testkit.alarms import Alarms, AlarmSet, LoseAlarm, Mute, Ring, SetAlarm, alarms
from steerco_events.testkit.logs import running, until
from steerco_events.testkit.timed import NOON, Timed, desk, timed_log, timetable
from steerco_events.timers import TimerSet, Timing
from steerco_events.timing.timetable import PAGE, Rebuilt, rebuild_timers
from steerco_servers.testing import TemporaryPostgres

HOUR = timedelta(hours=1)


@pytest.fixture
async def timed(postgres: TemporaryPostgres) -> AsyncIterator[Timed]:
    async with timed_log(postgres) as timed:
        yield timed


async def test_lost_timers_come_again_and_those_that_the_log_does_not_know_go(timed: Timed) -> None:
    await timed.set_all([desk(n) for n in range(3)], NOON + HOUR)
    before = await timed.timers()
    assert await timed.rebuilt() == Rebuilt(timers=3, added=0, removed=0)
    await timed.lose()
    assert await timed.rebuilt() == Rebuilt(timers=3, added=3, removed=0)
    async with timed.log.engine.begin() as tx:
        await tx.execute(text("UPDATE log.timers SET name = 'coffee' WHERE stream = :stream"), {"stream": desk(1)})
        await tx.execute(text("UPDATE log.timers SET due_at = now() WHERE stream = :stream"), {"stream": desk(2)})
    assert await timed.rebuilt() == Rebuilt(timers=3, added=2, removed=1)
    assert await timed.timers() == before


def _broken(command: object, state: Alarms) -> list[object]:
    raise ZeroDivisionError


async def test_a_timer_that_stands_as_it_should_keeps_its_failures(timed: Timed) -> None:
    await timed.log.handle(alarms, desk(), SetAlarm("tea", NOON))
    await timed.at(NOON, timed.runner(timetable(replace(alarms, decide=_broken))))
    before = await timed.failures()
    await timed.rebuilt()
    assert await timed.failures() == before != []


async def test_what_was_fired_in_vain_comes_again_and_is_fired_in_vain_again(timed: Timed) -> None:
    await timed.log.handle(alarms, desk(), SetAlarm("tea", NOON))
    await timed.log.handle(alarms, desk(), LoseAlarm("tea"))
    runner = timed.runner()
    for missing in (0, 1):
        assert await timed.rebuilt() == Rebuilt(timers=1, added=missing, removed=0)
        assert await timed.at(NOON, runner) == 1
        assert await timed.timers() == {}


async def test_streams_of_others_have_no_timers(timed: Timed) -> None:
    for stream in ("desk-lamp", f"desktop-{derived_id('desk', 1)}", desk()):
        await timed.log.append(stream, AlarmSet(name="tea", at=NOON))
    assert (await timed.rebuilt()).timers == 1
    assert await timed.timers() == {(desk(), "tea"): NOON}


async def test_a_log_of_several_pages_is_read_to_its_end_sealed_or_not(timed: Timed) -> None:
    count = PAGE + 10
    await timed.set_all([desk(n) for n in range(count)], NOON)
    await timed.log.seal()
    await timed.set_all([desk(n) for n in range(count, 2 * count)], NOON)
    before = await timed.timers()
    await timed.lose()
    assert await timed.rebuilt() == Rebuilt(timers=2 * count, added=2 * count, removed=0)
    assert await timed.timers() == before


async def test_a_rebuild_waits_for_whoever_is_changing_timers_and_counts_what_they_wrote(timed: Timed) -> None:
    log = timed.log
    await log.handle(alarms, desk(), SetAlarm("tea", NOON))
    async with log.engine.begin() as writing:
        command = Handling(alarms, desk(), SetAlarm("tea", NOON + HOUR), log.context())
        await handle_all(writing, log.store, [command])
        rebuilding = asyncio.create_task(timed.rebuilt())
        await until(timed.somebody_waits, "the rebuild waits for the writer")
    assert await rebuilding == Rebuilt(timers=1, added=0, removed=0)
    assert await timed.timers() == {(desk(), "tea"): NOON + HOUR}


async def test_whoever_changes_timers_during_a_rebuild_waits_for_its_end_and_nobody_else_does(timed: Timed) -> None:
    log = timed.log
    await log.handle(alarms, desk(), SetAlarm("tea", NOON))
    async with log.engine.begin() as tx:
        await rebuild_timers(tx, log.store, timetable())
        writing = asyncio.create_task(log.handle(alarms, desk(), SetAlarm("tea", NOON + HOUR)))
        await until(timed.somebody_waits, "the writer waits for the rebuild")
        await log.handle(alarms, desk(2), Mute())
    await writing
    assert await timed.timers() == {(desk(), "tea"): NOON + HOUR}


async def test_a_runner_of_other_rules_first_makes_the_timers_anew(timed: Timed) -> None:
    await timed.log.append(desk(), AlarmSet(name="tea", at=NOON + HOUR))
    assert await timed.timers() == {}, "as a release before there were timers left it"
    later = replace(alarms, timing=Timing(lambda _: [TimerSet("tea", NOON + 2 * HOUR)], Ring))
    for table, due in ((timetable(), HOUR), (timetable(later, version=2), 2 * HOUR)):

        async def is_due(due: timedelta = due) -> bool:
            return await timed.timers() == {(desk(), "tea"): NOON + due}

        async with running(timed.runner(table).run):
            await until(is_due, "the timers were made anew")


async def test_a_runner_of_the_same_rules_leaves_the_timers_as_they_are(timed: Timed) -> None:
    await timed.log.handle(alarms, desk(1), SetAlarm("tea", NOON + HOUR))
    await timed.rebuilt()
    await timed.lose()
    await timed.log.handle(alarms, desk(2), SetAlarm("tea", NOON))

    async def has_fired() -> bool:
        return await timed.timers() == {}

    async with running(timed.runner().run):
        await until(has_fired, "the runner runs")
