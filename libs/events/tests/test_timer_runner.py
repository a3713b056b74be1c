"""A timer is written with the event that set it, and fired at its instant, once, in the order of the instants."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from steerco_events.clock import ManualClock, SystemClock
from steerco_events.commands.batching import Batcher
from steerco_events.commands.handling import handle_all
from steerco_events.commands.planning import Handling
from steerco_events.ids import derived_id
from steerco_events.postgres.store import Write
from steerco_events.registry import Payload
from steerco_events.testkit.alarms import (
    ALARMS,
    AlarmRang,
    Alarms,
    LoseAlarm,
    Mute,
    Muted,
    Ring,
    SetAlarm,
    StopAlarm,
    alarms,
)
from steerco_events.testkit.logs import Log, fresh_log, running, until
from steerco_events.testkit.timed import NOON, Timed, desk, timed_log, timetable
from steerco_events.timing.runner import BATCH
from steerco_events.timing.timetable import TimedDecider, Timetable
from steerco_servers.testing import TemporaryPostgres

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture
async def timed(postgres: TemporaryPostgres) -> AsyncIterator[Timed]:
    async with timed_log(postgres) as timed:
        yield timed


async def test_what_an_event_says_about_timers_is_written_with_it(timed: Timed) -> None:
    log = timed.log
    await log.handle(alarms, desk(), SetAlarm("tea", NOON + MINUTE))
    await log.handle(alarms, desk(), SetAlarm("bell", NOON + HOUR))
    assert await timed.timers() == {(desk(), "tea"): NOON + MINUTE, (desk(), "bell"): NOON + HOUR}
    await log.handle(alarms, desk(), SetAlarm("tea", NOON + 2 * HOUR))
    assert await timed.timers() == {(desk(), "bell"): NOON + HOUR, (desk(), "tea"): NOON + 2 * HOUR}
    await log.handle(alarms, desk(), StopAlarm("bell"))
    assert await timed.timers() == {(desk(), "tea"): NOON + 2 * HOUR}


async def test_what_is_rolled_back_sets_no_timer(timed: Timed) -> None:
    log = timed.log
    async with log.engine.connect() as tx:
        await handle_all(tx, log.store, [Handling(alarms, desk(), SetAlarm("tea", NOON), log.context())])
        await tx.rollback()
    assert await timed.timers() == {}


async def test_commands_of_one_transaction_write_all_their_timers_and_the_last_one_of_a_name_counts(
    timed: Timed,
) -> None:
    log = timed.log
    batcher = Batcher(log.engine, log.store, log.appended)
    commands: list[tuple[str, SetAlarm | StopAlarm]] = [
        (desk(1), SetAlarm("tea", NOON)),
        (desk(2), SetAlarm("tea", NOON)),
        (desk(2), StopAlarm("tea")),
        (desk(1), SetAlarm("tea", NOON + HOUR)),
        (desk(3), SetAlarm("tea", NOON)),
        (desk(3), StopAlarm("tea")),
        (desk(3), SetAlarm("tea", NOON + MINUTE)),
    ]
    handlings = [Handling(alarms, stream, command, log.context()) for stream, command in commands]
    await asyncio.gather(*(batcher.submit(each, None, lambda _: b"") for each in handlings))
    assert await timed.timers() == {(desk(3), "tea"): NOON + MINUTE, (desk(1), "tea"): NOON + HOUR}


async def test_a_timer_is_fired_at_its_instant_and_not_before(timed: Timed) -> None:
    await timed.log.handle(alarms, desk(), SetAlarm("tea", NOON + MINUTE))
    assert await timed.at(NOON + MINUTE - SECOND) == 0
    assert await timed.at(NOON + MINUTE) == 1
    assert (await timed.rang(desk()), await timed.timers()) == ([NOON + MINUTE], {})


async def test_what_a_timer_leads_to_bears_the_timer_and_the_event_that_set_it(timed: Timed) -> None:
    context = replace(timed.log.context(), traceparent="00-trace-span-01").concerning(derived_id("unit"))
    await timed.log.handle(alarms, desk(), SetAlarm("tea", NOON + MINUTE), context)
    await timed.at(NOON + HOUR)
    async with timed.log.engine.connect() as connection:
        cause, effect = await timed.log.store.read_events(connection, desk())
    assert effect.id == derived_id(derived_id("timer", desk(), "tea", cause.id), 0)
    assert (effect.causation_id, effect.correlation_id) == (cause.id, cause.correlation_id)
    assert (effect.traceparent, effect.org_units) == ("00-trace-span-01", cause.org_units)
    assert (effect.recorded_at, effect.valid_at) == (NOON + HOUR, NOON + MINUTE)
    assert (effect.actor.job_title, effect.client) == (f"timers of {timed.log.service}", "steerco-timer")


async def units_of_the_last(log: Log) -> tuple[UUID, ...]:
    async with log.engine.connect() as connection:
        *_, last = await log.store.read_events(connection, desk())
    assert isinstance(last.payload, AlarmRang)
    return last.org_units


async def test_what_a_timer_leads_to_concerns_the_units_of_what_set_it_whatever_came_after_it(timed: Timed) -> None:
    for name, hours in (("tea", 1), ("bell", 2)):
        context = timed.log.context().concerning(derived_id("unit", name))
        await timed.log.handle(alarms, desk(), SetAlarm(name, NOON + hours * HOUR), context)
    await timed.at(NOON + HOUR)
    assert await units_of_the_last(timed.log) == (derived_id("unit", "tea"),)


async def test_where_it_is_known_what_it_is_about_it_concerns_the_units_that_have_that_when_it_is_fired(
    timed: Timed,
) -> None:
    here, now = derived_id("unit", "here"), {derived_id("thing", "tea"): [derived_id("unit", "tea")]}

    async def units_of(_: AsyncConnection, thing_id: UUID) -> Sequence[UUID]:
        return now.get(thing_id, [])

    def about(state: Alarms, command: Ring) -> UUID | None:
        return derived_id("thing", command.name) if command.name in state.set else None

    runner = timed.runner(Timetable([TimedDecider("desk", alarms, about=about)]), units_of=units_of)
    for name, hours, expected in (("tea", 1, derived_id("unit", "tea")), ("bell", 2, here)):
        await timed.log.handle(
            alarms, desk(), SetAlarm(name, NOON + hours * HOUR), timed.log.context().concerning(here)
        )
        await timed.at(NOON + hours * HOUR, runner)
        assert await units_of_the_last(timed.log) == (expected,)


async def test_while_it_can_not_be_told_where_a_thing_is_the_timer_waits_and_is_tried_again(timed: Timed) -> None:
    async def not_yet(_: AsyncConnection, __: UUID) -> Sequence[UUID]:
        raise LookupError("the view is being made")

    async def there(_: AsyncConnection, thing_id: UUID) -> Sequence[UUID]:
        return [thing_id]

    thing_id = derived_id("thing")
    table = Timetable([TimedDecider("desk", alarms, about=lambda *_: thing_id)])
    await timed.log.handle(alarms, desk(), SetAlarm("tea", NOON))
    await timed.at(NOON, timed.runner(table, units_of=not_yet))
    ((name, attempts, error, _),) = await timed.failures()
    assert (name, attempts, error) == ("tea", 1, "LookupError: the view is being made")
    assert await timed.rang(desk()) == []
    await timed.at(NOON + MINUTE, timed.runner(table, units_of=there))
    assert await units_of_the_last(timed.log) == (thing_id,)


async def test_a_timer_that_was_moved_or_cancelled_is_not_fired_at_its_old_instant(timed: Timed) -> None:
    for name in ("moved", "cancelled"):
        await timed.log.handle(alarms, desk(), SetAlarm(name, NOON + MINUTE))
    await timed.log.handle(alarms, desk(), SetAlarm("moved", NOON + HOUR))
    await timed.log.handle(alarms, desk(), StopAlarm("cancelled"))
    assert await timed.at(NOON + MINUTE) == 0
    assert await timed.at(NOON + HOUR) == 1
    assert await timed.rang(desk()) == [NOON + HOUR]


async def test_one_that_is_moved_while_it_is_fired_is_fired_at_the_new_instant_only(timed: Timed) -> None:
    log = timed.log
    await log.handle(alarms, desk(), SetAlarm("tea", NOON))
    async with log.engine.begin() as faster:
        command = SetAlarm("tea", NOON + HOUR)
        await handle_all(faster, log.store, [Handling(alarms, desk(), command, log.context())])
        firing = asyncio.create_task(timed.runner().step())
        await until(timed.somebody_waits, "the runner waits for the faster writer")
    await firing
    assert (await timed.rang(desk()), await timed.timers()) == ([], {(desk(), "tea"): NOON + HOUR})


async def test_a_schedule_that_was_missed_is_made_up_for_in_order(timed: Timed) -> None:
    await timed.log.handle(alarms, desk(), SetAlarm("bell", NOON, every=HOUR))
    assert await timed.at(NOON + 24 * HOUR) == 25
    assert await timed.rang(desk()) == [NOON + n * HOUR for n in range(25)]
    assert await timed.timers() == {(desk(), "bell"): NOON + 25 * HOUR}


async def test_timers_of_one_stream_are_fired_one_after_the_other_in_the_order_in_which_they_are_due(
    timed: Timed,
) -> None:
    for n in (3, 1, 2):
        await timed.log.handle(alarms, desk(), SetAlarm(f"{n}", NOON + n * MINUTE))
    assert await timed.at(NOON + HOUR) == 3
    assert await timed.rang(desk()) == [NOON + n * MINUTE for n in (1, 2, 3)]


async def test_a_timer_that_an_earlier_one_ends_is_not_fired_though_both_are_due(timed: Timed) -> None:
    def decide(command: Any, state: Any) -> Sequence[Payload]:
        events = alarms.decide(command, state)
        return [*events, *alarms.decide(StopAlarm("second"), state)] if command == Ring("first", NOON) else events

    await timed.log.handle(alarms, desk(), SetAlarm("first", NOON))
    await timed.log.handle(alarms, desk(), SetAlarm("second", NOON + MINUTE))
    assert await timed.at(NOON + HOUR, timed.runner(timetable(replace(alarms, decide=decide)))) == 1
    assert (await timed.rang(desk()), await timed.timers()) == ([NOON], {})


async def test_a_refusal_ends_the_timer_and_so_does_having_nothing_to_do(timed: Timed) -> None:
    for n in (1, 2, 3):
        await timed.log.handle(alarms, desk(n), SetAlarm("tea", NOON))
    await timed.log.handle(alarms, desk(1), Mute())
    await timed.log.handle(alarms, desk(2), LoseAlarm("tea"))
    assert await timed.at(NOON) == 3
    assert [await timed.rang(desk(n)) for n in (1, 2, 3)] == [[], [], [NOON]]
    assert (await timed.timers(), await timed.failures()) == ({}, [])


async def test_ten_thousand_that_are_due_at_once_are_fired_in_batches_in_the_order_in_which_they_are_due(
    timed: Timed,
) -> None:
    desks = [desk(n) for n in range(10_000)]
    for start in range(0, len(desks), 1000):
        await timed.set_all(desks[start : start + 1000], NOON - start * SECOND)
    runner, batches = timed.runner(), []
    while fired := await runner.step():
        batches.append(fired)
    assert (sum(batches), max(batches)) == (len(desks), BATCH)
    async with timed.log.engine.connect() as connection:
        query = text("SELECT valid_at FROM log.events WHERE type = 'steerco.alarms.alarm-rang' ORDER BY position")
        due = list((await connection.execute(query)).scalars())
    assert (len(due), due) == (len(desks), sorted(due))


async def test_a_runner_wakes_for_a_timer_that_is_set_while_it_rests(postgres: TemporaryPostgres) -> None:
    async with fresh_log(postgres, ALARMS, SystemClock()) as log:
        timed = Timed(log, ManualClock(NOON))
        async with running(timed.runner().run):
            due = log.clock.now() + timedelta(milliseconds=400)
            await log.handle(alarms, desk(), SetAlarm("tea", due))

            async def has_rung() -> bool:
                return bool(await timed.rang(desk()))

            await until(has_rung, "the alarm rang")
        async with log.engine.connect() as connection:
            _, rang = await log.store.read_events(connection, desk())
        assert timedelta() <= rang.recorded_at - due < SECOND


async def test_what_other_deciders_write_has_no_timers(timed: Timed) -> None:
    untimed = replace(alarms, timing=None)
    await timed.log.handle(untimed, desk(), SetAlarm("tea", NOON))
    async with timed.log.engine.begin() as tx:
        await timed.log.store.append(tx, [Write(desk(2), 0, [Muted()])], timed.log.context())
    assert await timed.timers() == {}
