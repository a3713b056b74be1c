"""After any history the timers are those of an oracle in memory and those that the log says, at any time."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from random import Random
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from steerco_events.commands.attempts import in_transaction
from steerco_events.commands.handling import handle_all
from steerco_events.commands.planning import Handling
from steerco_events.decider import Refusal
from steerco_events.testkit.alarms import (
    AlarmCommand,
    Alarms,
    LoseAlarm,
    Mute,
    Ring,
    SetAlarm,
    StopAlarm,
    alarms,
    timers,
)
from steerco_events.testkit.logs import Log, running
from steerco_events.testkit.timed import Due, desk, timed_log
from steerco_events.timers import TimerSet
from steerco_events.timing.timetable import Rebuilt
from steerco_servers.testing import TemporaryPostgres

DESKS = [desk(n) for n in range(3)]
HOUR = timedelta(hours=1)


class Oracle:
    """What stands, and what the log alone says, in which a firing in vain left no trace."""

    def __init__(self) -> None:
        self.standing: Due = {}
        self.logged: Due = {}
        self.states: dict[str, Alarms] = dict.fromkeys(DESKS, alarms.initial)

    def tell(self, stream: str, command: AlarmCommand) -> None:
        events = alarms.decide(command, self.states[stream])
        self.states[stream] = alarms.fold(events, self.states[stream])
        for effect in (effect for event in events for effect in timers(event)):
            for due in (self.standing, self.logged):
                if isinstance(effect, TimerSet):
                    due[stream, effect.name] = effect.due_at
                else:
                    due.pop((stream, effect.name), None)

    def fire(self, now: datetime) -> None:
        while due := [key for key, at in self.standing.items() if at <= now]:
            stream, name = min(due, key=self.standing.__getitem__)
            at = self.standing.pop((stream, name))
            try:
                self.tell(stream, Ring(name, at))
            except Refusal:
                continue


def _command(what: str, name: str, now: datetime, random: Random) -> AlarmCommand:
    match what:
        case "set":
            every = random.choice([None, timedelta(minutes=random.randrange(20, 90))])
            return SetAlarm(name, now + timedelta(minutes=random.randrange(-60, 120)), every)
        case "stop":
            return StopAlarm(name)
        case "lose":
            return LoseAlarm(name)
        case _:
            return Mute()


@pytest.mark.parametrize("seed", range(12))
async def test_after_any_history_the_timers_are_those_of_an_oracle_and_of_the_log(
    postgres: TemporaryPostgres, seed: int
) -> None:
    random, oracle = Random(seed), Oracle()
    async with timed_log(postgres) as timed:
        runner = timed.runner()
        for _ in range(60):
            what = random.choices(("set", "stop", "lose", "mute", "fire", "rebuild"), (8, 3, 2, 0.2, 6, 2))[0]
            if what == "fire":
                await timed.at(timed.clock.now() + timedelta(minutes=random.randrange(-30, 120)), runner)
                oracle.fire(timed.clock.now())
            elif what == "rebuild":
                missing = len(oracle.logged) - len(oracle.standing)
                assert await timed.rebuilt() == Rebuilt(timers=len(oracle.logged), added=missing, removed=0)
                oracle.standing = dict(oracle.logged)
            else:
                stream = random.choice(DESKS)
                command = _command(what, random.choice("abc"), timed.clock.now(), random)
                await timed.log.handle(alarms, stream, command)
                oracle.tell(stream, command)
            assert await timed.timers() == oracle.standing
        for stream, state in oracle.states.items():
            assert alarms.fold(await timed.log.payloads(stream)) == state


@pytest.mark.parametrize("seed", range(2))
async def test_writers_firings_and_rebuilds_at_once_leave_what_the_log_says(
    postgres: TemporaryPostgres, seed: int
) -> None:
    async with timed_log(postgres) as timed:
        written = False

        async def write(seed: int) -> None:
            random = Random(seed)
            for _ in range(20):
                now = timed.clock.now()
                what = [SetAlarm("a", now + HOUR), SetAlarm("b", now, HOUR), StopAlarm("a"), StopAlarm("b")]
                commands = [
                    Handling(alarms, name, command, timed.log.context())
                    for name in random.sample(DESKS, 2)
                    for command in random.sample(what, 2)
                ]
                await in_transaction(timed.log.engine, partial(_handle, timed.log, commands), attempts=100)

        async def fire() -> None:
            runner = timed.runner()
            while not written:
                timed.clock.advance(timedelta(minutes=7))
                await runner.step()

        async def rebuild() -> None:
            while not written:
                found = await timed.rebuilt()
                assert (found.added, found.removed) == (0, 0)

        async with running(fire, rebuild):
            await asyncio.gather(*(write(4 * seed + n) for n in range(4)))
            written = True
        before = await timed.timers()
        assert await timed.rebuilt() == Rebuilt(timers=len(before), added=0, removed=0)
        assert await timed.timers() == before


async def _handle(log: Log, commands: Sequence[Handling[Any, Any]], tx: AsyncConnection) -> None:
    await handle_all(tx, log.store, commands)
