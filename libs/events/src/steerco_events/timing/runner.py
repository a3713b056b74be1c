"""Fires what is due: each timer once, its command decided and its row removed in one transaction.

A runner holds its lease only while something is due; at rest it asks now and then when the next one will be.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from steerco_events import tracing
from steerco_events.bounding import bounded
from steerco_events.clock import Clock
from steerco_events.commands.attempts import in_transaction
from steerco_events.commands.handling import appends_of, decide_all
from steerco_events.commands.planning import Handling
from steerco_events.decider import Refusal
from steerco_events.envelope import Actor, Context, StreamSlice
from steerco_events.ids import derived_id
from steerco_events.metrics import TIMERS_FIRED
from steerco_events.postgres.faults import DATABASE_FAULTS, is_unavailable
from steerco_events.postgres.lease import Lease, LeaseLost, let_go, turn_of
from steerco_events.postgres.statements import driver_connection
from steerco_events.postgres.store import EventStore
from steerco_events.postgres.timers import (
    Setting,
    due_timers,
    next_firing,
    put_off_timer,
    remove_timers,
    settings_of,
)
from steerco_events.retrying import said
from steerco_events.signals import Signal
from steerco_events.timers import Timer
from steerco_events.timing.timetable import Timetable, rebuild_if_other_rules

BATCH = 100
"""Timers of one transaction."""

POLL_SECONDS = 5.0
GATHER_SECONDS = 0.1

STEP_SECONDS = 60.0
"""After so long a step hangs."""
FIRST_PAUSE = timedelta(seconds=1)
LONGEST_PAUSE = timedelta(minutes=5)

_logger = logging.getLogger("steerco.timers")


class OrphanedTimer(Exception):
    """No decider of this release keeps the time of the timer's stream."""


type UnitsOf = Callable[[AsyncConnection, UUID], Awaitable[Sequence[UUID]]]
"""The units that have a thing now, as far as the service knows."""


async def unknown(_tx: AsyncConnection, _thing_id: UUID) -> Sequence[UUID]:
    """The service does not know of any thing where it is."""
    return ()


class TimerRunner:
    """Fires the timers of one service's log, by the clock that it is given. Of several, one at a time does.

    What a timer leads to concerns the `units_of` the thing that it is about; where they are not known, those that the
    event concerned that set it.
    """

    def __init__(
        self,
        timetable: Timetable,
        engine: AsyncEngine,
        store: EventStore,
        clock: Clock,
        appended: Signal,
        lease: Lease,
        units_of: UnitsOf = unknown,
    ) -> None:
        self._timetable = timetable
        self._engine = engine
        self._store = store
        self._clock = clock
        self._signal = appended
        self._appended = appended.subscribe()
        self._lease = lease
        self._units_of = units_of
        self._is_led_by_another = False
        self._actor = Actor(derived_id("timers", store.service), f"timers of {store.service}")

    async def run(self) -> None:
        """Fire what becomes due, until cancelled; first make the timers anew if they are by other rules than ours.

        Raises `Hangs`, and what `step` raises. To make them anew takes as long as the log is, and is not cut off.
        """
        TIMERS_FIRED.add(self._store.service, amount=0)
        async with self._engine.begin() as tx:
            if rebuilt := await rebuild_if_other_rules(tx, self._store, self._timetable):
                _logger.info("%s has %d timers by new rules", self._store.service, rebuilt.timers)
        try:
            while True:
                with suppress(LeaseLost):
                    while await self._bounded_step():
                        pass
                await self._rest()
        finally:
            await let_go(self._engine, self._lease)

    def _bounded(self) -> AbstractAsyncContextManager[None]:
        return bounded(STEP_SECONDS, f"the timers of {self._store.service}")

    async def _bounded_step(self) -> int:
        async with self._bounded():
            return await self.step()

    async def step(self) -> int:
        """Deal with the first of the timers that are due; their number, 0 if there are none or another runner leads.

        Raises `LeaseLost`, having changed nothing, if another one came to lead meanwhile.
        """
        async with self._engine.begin() as tx:
            due = _one_of_each_stream(await due_timers(tx, self._clock.now(), BATCH))
            self._is_led_by_another = bool(due) and not await self._lease.acquire(tx)
        if self._is_led_by_another:
            return 0
        if not due:
            await self._stop_leading()
            return 0
        await self._fire(due)
        TIMERS_FIRED.add(self._store.service, amount=len(due))
        self._signal.notify()
        return len(due)

    async def _stop_leading(self) -> None:
        if self._lease.epoch:
            await let_go(self._engine, self._lease)
            self._lease.epoch = 0

    async def _fire(self, timers: Sequence[Timer]) -> None:
        """All in one transaction, or each in its own if that fails."""
        try:
            await in_transaction(self._engine, lambda tx: self._fire_in(tx, timers))
        except Exception as error:
            if isinstance(error, LeaseLost) or (isinstance(error, DATABASE_FAULTS) and is_unavailable(error)):
                raise
            if len(timers) > 1:
                for timer in timers:
                    await self._fire([timer])
                return
            async with self._engine.begin() as tx:
                await self._lease.hold(tx)
                if setting := (await settings_of(tx, timers)).get(timers[0].key):
                    await self._put_off(tx, timers[0], setting, error)

    async def _fire_in(self, tx: AsyncConnection, timers: Sequence[Timer]) -> None:
        await self._lease.hold(tx)
        # First the streams, then the timers: one that was moved or ended after this is a conflict of its stream.
        slices = await self._store.read_streams(tx, {timer.stream for timer in timers})
        standing = await settings_of(tx, timers)
        now = self._clock.now()
        traces = [setting.traceparent for setting in standing.values()]
        with tracing.firing(self._store.service, traces):
            await self._fire_standing(tx, timers, slices, standing, now)

    async def _fire_standing(
        self,
        tx: AsyncConnection,
        timers: Sequence[Timer],
        slices: Mapping[str, StreamSlice],
        standing: Mapping[tuple[str, str], Setting],
        now: datetime,
    ) -> None:
        handlings: list[tuple[Timer, Handling[Any, Any]]] = []
        failed: list[tuple[Timer, Exception]] = []
        for timer in timers:
            if setting := standing.get(timer.key):
                try:
                    handlings.append((timer, await self._handling(tx, slices[timer.stream], timer, setting, now)))
                except Exception as error:
                    failed.append((timer, error))
        given, began = [each for _, each in handlings], tracing.now()
        outcomes = await decide_all(tx, self._store, given, slices)
        tracing.appended(self._store.service, appends_of(given, outcomes), began)
        done: list[Timer] = []
        for (timer, _), outcome in zip(handlings, outcomes, strict=True):
            if isinstance(outcome, Exception) and not isinstance(outcome, Refusal):
                failed.append((timer, outcome))
                continue
            if isinstance(outcome, Refusal):
                _logger.info("timer %s of %s was refused: %s", timer.name, timer.stream, outcome.detail)
            done.append(timer)
        await remove_timers(tx, done)
        for timer, fault in failed:
            await self._put_off(tx, timer, standing[timer.key], fault)

    async def _handling(
        self, tx: AsyncConnection, current: StreamSlice, timer: Timer, setting: Setting, now: datetime
    ) -> Handling[Any, Any]:
        timed = self._timetable.timed(timer.stream)
        if timed is None or timed.decider.timing is None:
            raise OrphanedTimer(f"no decider keeps the time of {timer.stream}")
        decider = timed.decider
        command = timed.decider.timing.on_timer(timer.name, timer.due_at)
        thing_id = timed.about(decider.fold(current.payloads), command)
        units = await self._units_of(tx, thing_id) if thing_id else ()
        context = Context(
            command_id=timer.id,
            actor=self._actor,
            client="steerco-timer",
            recorded_at=now,
            correlation_id=setting.correlation_id,
            causation_id=timer.set_by,
            valid_at=timer.due_at,
            traceparent=tracing.continued(setting.traceparent),
            org_units=tuple(units) or setting.org_units,
        )
        return Handling(decider, timer.stream, command, context)

    async def _put_off(self, tx: AsyncConnection, timer: Timer, setting: Setting, error: Exception) -> None:
        pause = min(FIRST_PAUSE * 2 ** min(setting.attempts, 20), LONGEST_PAUSE)
        await put_off_timer(tx, timer, self._clock.now() + pause, said(error))
        _logger.warning("timer %s of %s failed and is fired again later", timer.name, timer.stream, exc_info=error)

    async def _rest(self) -> None:
        """Return when something may be due."""
        if self._is_led_by_another:
            async with self._bounded():
                await turn_of(self._lease, self._engine)
            return
        while (seconds := await self._seconds_left()) > 0:
            if await self._appended.wait(seconds):
                await asyncio.sleep(GATHER_SECONDS)

    async def _seconds_left(self) -> float:
        """How long to rest: until the next timer is due, or until it is time to ask again."""
        async with self._bounded(), driver_connection(self._engine) as driver:
            at = await next_firing(driver)
        return POLL_SECONDS if at is None else min(POLL_SECONDS, (at - self._clock.now()).total_seconds())


def _one_of_each_stream(timers: Sequence[Timer]) -> Sequence[Timer]:
    """The timers before the second one of any stream: what the first one leads to may move or end it."""
    seen: set[str] = set()
    for n, timer in enumerate(timers):
        if timer.stream in seen:
            return timers[:n]
        seen.add(timer.stream)
    return timers
