"""Group commit: the commands that come to a process while a transaction is on its way share the next one.

Each is accepted or refused alone. One transaction at a time, so a batch is as large as the load makes it, and a
command that comes alone waits for nobody.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from steerco_events.handling import ATTEMPTS, Contended, Handled, Handling, decide_all
from steerco_events.postgres.commands import CommandKey, TwinAccepted, find, remember
from steerco_events.postgres.faults import DATABASE_FAULTS, is_unavailable
from steerco_events.postgres.store import EventStore, VersionConflict
from steerco_events.signals import Signal

MOST_AT_ONCE = 256
"""Commands of one transaction."""


@dataclass(slots=True)
class _Job:
    """A command that somebody waits for."""

    handling: Handling[Any, Any]
    key: CommandKey | None
    answer: Callable[[Handled], bytes]
    done: asyncio.Future[bytes]

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
        self._working: asyncio.Task[None] | None = None

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
        if self._working is None:
            self._working = asyncio.create_task(self._work(), name="group commit")
        return await job.done

    async def _work(self) -> None:
        batch: list[_Job] = []
        try:
            while self._waiting:
                batch = self._next_batch()
                await self._handle(batch)
        except BaseException:
            for job in (*batch, *self._waiting):
                job.done.cancel()
            self._waiting.clear()
            raise
        finally:
            self._working = None

    def _next_batch(self) -> list[_Job]:
        """Those that wait, but for the twins of one among them: they wait until it is decided."""
        batch: list[_Job] = []
        twins: list[_Job] = []
        keys = set()
        while self._waiting and len(batch) < MOST_AT_ONCE:
            job = self._waiting.popleft()
            if job.key and job.key.identity in keys:
                twins.append(job)
            else:
                batch.append(job)
                keys.add(job.key.identity if job.key else None)
        self._waiting.extendleft(reversed(twins))
        return batch

    async def _handle(self, batch: Sequence[_Job]) -> None:
        fault: Exception = Contended("")
        for _ in range(ATTEMPTS):
            try:
                results = await self._in_one_transaction(batch)
            except (VersionConflict, TwinAccepted) as conflict:
                fault = Contended(f"{conflict}; others kept writing to it")
            except Exception as error:
                fault = error
                break
            else:
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
        async with self._engine.begin() as tx:
            # First the streams, then the keys: what a twin did between is found as its answer, not as a refusal.
            slices = await self._store.read_streams(tx, {job.handling.stream for job in batch})
            found = await find(tx, [job.key for job in batch if job.key])
            results: dict[int, bytes | Exception] = {}
            new: list[int] = []
            for n, job in enumerate(batch):
                if job.key and (remembered := found.get(job.key.identity)):
                    results[n] = _repeated(job.key, remembered.answer_to)
                else:
                    new.append(n)
            outcomes = await decide_all(tx, self._store, [batch[n].handling for n in new], slices)
            accepted: list[tuple[CommandKey, bytes]] = []
            for n, outcome in zip(new, outcomes, strict=True):
                job = batch[n]
                results[n] = outcome if isinstance(outcome, Exception) else job.answer(outcome)
                if job.key and isinstance(answer := results[n], bytes):
                    accepted.append((job.key, answer))
            await remember(tx, accepted, batch[0].handling.context.recorded_at)
        return [results[n] for n in range(len(batch))]


def _repeated(key: CommandKey, answer_to: Callable[[CommandKey], bytes]) -> bytes | Exception:
    try:
        return answer_to(key)
    except Exception as error:
        return error
