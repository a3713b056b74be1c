"""Timers under test: a log of alarms, the clock that it keeps, and runners that fire what is due."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import text

from steerco_events.clock import ManualClock
from steerco_events.commands.handling import handle_all
from steerco_events.commands.planning import Handling
from steerco_events.decider import Decider
from steerco_events.ids import derived_id
from steerco_events.postgres.lease import Lease
from steerco_events.postgres.timers import replace_timers
from steerco_events.testkit.alarms import ALARMS, AlarmRang, SetAlarm, alarms
from steerco_events.testkit.logs import Log, Server, fresh_log, waits_for_a_lock
from steerco_events.timing.runner import TimerRunner, UnitsOf, unknown
from steerco_events.timing.timetable import Rebuilt, TimedDecider, Timetable, rebuild_timers

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
"""When a timed log begins."""

type Due = dict[tuple[str, str], datetime]
"""By stream and name, when a timer is due."""


def desk(n: int = 1) -> str:
    """A stream of alarms."""
    return f"desk-{derived_id('desk', n)}"


def timetable(decider: Decider[Any, Any] = alarms, version: int = 1) -> Timetable:
    """The timetable of a service of desks."""
    return Timetable([TimedDecider("desk", decider, version)])


@dataclass(frozen=True, slots=True)
class Timed:
    """A log whose alarms keep the time of a clock that the test moves."""

    log: Log
    clock: ManualClock

    def runner(
        self, table: Timetable | None = None, lease: Lease | None = None, units_of: UnitsOf = unknown
    ) -> TimerRunner:
        """A runner; of several, each wants the lease for itself."""
        log, lease = self.log, lease or Lease("timers")
        return TimerRunner(table or timetable(), log.engine, log.store, log.clock, log.appended, lease, units_of)

    async def at(self, instant: datetime, runner: TimerRunner | None = None) -> int:
        """At that instant a runner does what is due; how many timers that were."""
        self.clock.set(instant)
        runner, fired = runner or self.runner(), 0
        while some := await runner.step():
            fired += some
        return fired

    async def set_all(self, desks: Sequence[str], at: datetime) -> None:
        """Set an alarm on each desk, by one transaction."""
        commands = [Handling(alarms, name, SetAlarm("tea", at), self.log.context()) for name in desks]
        async with self.log.engine.begin() as tx:
            await handle_all(tx, self.log.store, commands)

    async def timers(self) -> Due:
        """What stands."""
        async with self.log.engine.connect() as connection:
            rows = await connection.execute(text("SELECT stream, name, due_at FROM log.timers"))
            return {(row.stream, row.name): row.due_at for row in rows}

    async def failures(self) -> Sequence[Any]:
        """What stands and has failed, with the name, attempts, error and fire_at of each."""
        query = text("SELECT name, attempts, error, fire_at FROM log.timers WHERE attempts > 0 ORDER BY due_at")
        async with self.log.engine.connect() as connection:
            return (await connection.execute(query)).all()

    async def rang(self, name: str) -> list[datetime]:
        """For which instants alarms rang on a desk."""
        return [each.at for each in await self.log.payloads(name) if isinstance(each, AlarmRang)]

    async def rebuilt(self, table: Timetable | None = None) -> Rebuilt:
        """Make the timers anew from the log."""
        async with self.log.engine.begin() as tx:
            return await rebuild_timers(tx, self.log.store, table or timetable())

    async def lose(self) -> None:
        """Lose every timer."""
        async with self.log.engine.begin() as tx:
            await replace_timers(tx, [])

    async def somebody_waits(self) -> bool:
        """Whether a transaction waits for another's row or table."""
        async with self.log.engine.connect() as connection:
            return await waits_for_a_lock(connection)


@asynccontextmanager
async def timed_log(server: Server) -> AsyncIterator[Timed]:
    """A new log of alarms at noon; dropped on leaving."""
    clock = ManualClock(NOON)
    async with fresh_log(server, ALARMS, clock) as log:
        yield Timed(log, clock)
