"""Group commit: the commands that come to a process while its transactions are on their way share the next one.

Each is accepted or refused alone. A command that comes alone waits for nobody, and a batch is as large as the load
makes it. There are two transactions at a time, so that one is decided while the other is written.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any
from weakref import WeakSet

from sqlalchemy.ext.asyncio import AsyncEngine

from steerco_events import tracing
from steerco_events.commands.attempts import ATTEMPTS, Contended
from steerco_events.commands.handling import Handled, appends_of, resolve_all
from steerco_events.commands.planning import Handling
from steerco_events.commands.situations import Situations
from steerco_events.metrics import APPEND_COMMANDS, APPEND_SECONDS
from steerco_events.postgres.commands import CommandKey, TwinAccepted, find, remember
from steerco_events.postgres.faults import DATABASE_FAULTS, is_unavailable
from steerco_events.postgres.statements import Driver, driver_transaction
from steerco_events.postgres.store import EventStore, VersionConflict
from steerco_events.signals import Signal

MOST_AT_ONCE = 256
"""Commands of one transaction."""

LANES = 2
"""Transactions at a time."""

WORTH_SHARING = 8
"""Of more commands than these, those that wait are shared between the lanes that are free."""


@dataclass(slots=True)
class _Job:
    """A command that somebody waits for."""

    handling: Handling[Any, Any]
    key: CommandKey | None
    answer: Callable[[Handled], bytes]
    done: asyncio.Future[bytes]

    @property
    def identity(self) -> object:
        """What it shares with its twins, if it may have any."""
        return self.key.identity if self.key else None

    @property
    def claims(self) -> Sequence[object]:
        """What no other lane may work on at the same time."""
        return (self.handling.stream, self.key.identity) if self.key else (self.handling.stream,)

    def settle(self, result: bytes | Exception) -> None:
        if self.done.done():
            return
        if isinstance(result, Exception):
            self.done.set_exception(result)
        else:
            self.done.set_result(result)


class Batcher:
    """Handles the commands of one process. One per event store."""

    def __init__(self, engine: AsyncEngine, store: EventStore, appended: Signal) -> None:
        self._engine = engine
        self._store = store
        self._appended = appended
        self._waiting: deque[_Job] = deque()
        self._lanes: set[asyncio.Task[None] | None] = set()
        self._is_starting = False
        self._under_way: set[object] = set()
        self._situations = Situations()
        self._connections: WeakSet[Driver] = WeakSet()

    async def submit(
        self, handling: Handling[Any, Any], key: CommandKey | None, answer: Callable[[Handled], bytes]
    ) -> bytes:
        """Handle a command; its answer, or the one that is remembered under its key.

        The answer is remembered in the append's transaction. Raises the domain's `Refusal`s, `StaleVersion`,
        `Contended`, `IdempotencyKeyReused`, `EventTooLarge`, and what the database raises; then nothing of the
        command stays.
        """
        job = _Job(handling, key, answer, asyncio.get_running_loop().create_future())
        self._waiting.append(job)
        self._start()
        return await job.done

    def _start(self) -> None:
        if not self._is_starting and len(self._lanes) < LANES:
            self._is_starting = True
            self._lanes.add(asyncio.create_task(self._work(), name="group commit"))

    async def _work(self) -> None:
        batch: list[_Job] = []
        try:
            while batch := self._next_batch():
                if self._waiting:
                    self._start()
                try:
                    await self._handle(batch)
                finally:
                    self._under_way.difference_update(*(job.claims for job in batch))
        except BaseException:
            for job in (*batch, *self._waiting):
                job.done.cancel()
            self._waiting.clear()
            raise
        finally:
            self._lanes.discard(asyncio.current_task())

    def _next_batch(self) -> list[_Job]:
        """Those that wait, but for those whose stream or key is under way in the other lane, and twins."""
        self._is_starting = False
        most = len(self._waiting)
        if most > WORTH_SHARING:
            most = -(-most // (LANES + 1 - len(self._lanes)))
        batch: list[_Job] = []
        left: list[_Job] = []
        keys: set[object] = set()
        while self._waiting and len(batch) < min(most, MOST_AT_ONCE):
            job = self._waiting.popleft()
            if job.identity in keys or not self._under_way.isdisjoint(job.claims):
                left.append(job)
            else:
                batch.append(job)
                if job.identity:
                    keys.add(job.identity)
        self._waiting.extendleft(reversed(left))
        self._under_way.update(*(job.claims for job in batch))
        return batch

    async def _handle(self, batch: Sequence[_Job]) -> None:
        fault: Exception = Contended("")
        for _ in range(ATTEMPTS):
            began = monotonic()
            try:
                results = await self._in_one_transaction(batch)
            except (VersionConflict, TwinAccepted) as conflict:
                self._situations.forget(job.handling.stream for job in batch)
                fault = Contended(f"{conflict}; others kept writing to it")
            except Exception as error:
                self._situations.forget_all()
                fault = error
                break
            else:
                APPEND_SECONDS.observe(monotonic() - began, self._store.service)
                APPEND_COMMANDS.observe(len(batch), self._store.service)
                self._appended.notify()
                for job, result in zip(batch, results, strict=True):
                    job.settle(result)
                return
        if len(batch) == 1 or (isinstance(fault, DATABASE_FAULTS) and is_unavailable(fault)):
            for job in batch:
                job.settle(fault)
            return
        for job in batch:
            await self._handle([job])

    async def _in_one_transaction(self, batch: Sequence[_Job]) -> Sequence[bytes | Exception]:
        began = tracing.now()
        async with driver_transaction(self._engine) as tx:
            if tx not in self._connections:  # perhaps to another server, or to this one after it was restored
                self._connections.add(tx)
                self._situations.forget_all()
            assumed = self._situations.assumed(job.handling for job in batch)
            # First the streams, then the keys: what a twin did between is found as its answer, not as a refusal.
            unread = {job.handling.stream for job in batch} - assumed.keys()
            slices = await self._store.read_streams(tx, unread) if unread else {}
            found = await find(tx, [job.key for job in batch if job.key])
            results: dict[int, bytes | Exception] = {}
            new: list[int] = []
            for n, job in enumerate(batch):
                if job.key and (remembered := found.get(job.key.identity)):
                    results[n] = _repeated(job.key, remembered.answer_to)
                else:
                    new.append(n)
            resolved = await resolve_all(tx, self._store, [batch[n].handling for n in new], slices, assumed)
            accepted: list[tuple[CommandKey, bytes]] = []
            refused: list[CommandKey] = []
            for n, outcome in zip(new, resolved.outcomes, strict=True):
                job = batch[n]
                results[n] = outcome if isinstance(outcome, Exception) else job.answer(outcome)
                if job.key and isinstance(answer := results[n], bytes):
                    accepted.append((job.key, answer))
                elif job.key and job.handling.stream in assumed:
                    refused.append(job.key)  # by what was read of its stream after the keys
            if refused and await find(tx, refused):
                raise TwinAccepted
            await remember(tx, accepted, batch[0].handling.context.recorded_at)
        self._situations.keep(resolved.situations)
        tracing.appended(self._store.service, appends_of([batch[n].handling for n in new], resolved.outcomes), began)
        return [results[n] for n in range(len(batch))]


def _repeated(key: CommandKey, answer_to: Callable[[CommandKey], bytes]) -> bytes | Exception:
    try:
        return answer_to(key)
    except Exception as error:
        return error
