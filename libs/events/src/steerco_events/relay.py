"""The relay: carries a log's sealed events to its readers, in order, from one process at a time."""

import asyncio
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from steerco_events.bounding import bounded
from steerco_events.metrics import RELAY_ERRORS, RELAY_LEADER, RELAY_PUBLISHED
from steerco_events.ports import Batch, Cursor, Publisher
from steerco_events.positions import Head
from steerco_events.postgres.checkpoints import Checkpoints
from steerco_events.postgres.feed import StoreFeed
from steerco_events.postgres.lease import Lease, let_go, turn_of
from steerco_events.postgres.statements import driver_connection
from steerco_events.signals import Signal

CONSUMER = "relay"
BATCH = 2000
BEAT_SECONDS = 2.0

STEP_SECONDS = 60.0
"""After so long a step hangs; what the publisher waits for by itself takes less."""


class Relay:
    """Publishes one log. The holder of the lease `relay` runs it; a standby tries when its lease would run out.

    The checkpoint moves after the readers have the batch and only while the lease is held, so a batch may be
    published twice and never left out; readers pass over what they have. It moves while the next batch is on its
    way, so who lost the lease without knowing it sends one more at most. Where what is published into was made anew,
    by whomever, or somebody forgot the checkpoint, all of the log is published again. After an error `run` raises:
    start it again, it goes on from the checkpoint.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        feed: StoreFeed,
        publisher: Publisher,
        lasts: timedelta = timedelta(seconds=10),
        leases: Signal | None = None,
    ) -> None:
        """`leases` is signaled when some lease may be free."""
        self._engine = engine
        self._feed = feed
        self._publisher = publisher
        self._lease = Lease("relay", lasts, leases=leases)
        self._renew_seconds = lasts.total_seconds() / 3
        self._checkpoints = Checkpoints(CONSUMER)
        self._begins_anew = False
        self._told: Head | None = None
        self._ahead: tuple[Cursor, asyncio.Task[Batch]] | None = None
        self._keeping: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Run until cancelled; leaves the lease to a successor.

        Raises what the publisher raises, `LeaseLost`, `CheckpointMoved`, `LogRewound`, `Hangs`.
        """
        try:
            while True:
                await self._lead()
        except Exception:
            RELAY_ERRORS.add(self._feed.service)
            raise
        finally:
            RELAY_LEADER.set(0, self._feed.service)
            self._stop_reading()
            self._stop_keeping()
            await self._publisher.close()
            await let_go(self._engine, self._lease)

    async def _lead(self) -> None:
        loop = asyncio.get_running_loop()
        RELAY_ERRORS.add(self._feed.service, amount=0)
        RELAY_PUBLISHED.add(self._feed.service, amount=0)
        RELAY_LEADER.set(0, self._feed.service)
        while not await self._has_turn():
            pass
        RELAY_LEADER.set(1, self._feed.service)
        renewed = loop.time()
        async with self._bounded():
            self._begins_anew |= await self._publisher.prepare()
        async with self._bounded():
            if self._begins_anew:
                await self._begin_anew()
            cursor = await self._go_on()
        self._told = None
        self._stop_reading()
        while True:
            async with self._bounded():
                if loop.time() - renewed > self._renew_seconds:
                    await self._kept()
                    if not await self._renew() or (await self._checkpoint()).place != cursor.place:
                        return
                    if not await self._is_same():
                        return
                    renewed = loop.time()
                before = cursor
                cursor = await self.step(cursor)
                if cursor == before:
                    await self._kept()
                    await self._feed.wait(BEAT_SECONDS)

    def _bounded(self) -> AbstractAsyncContextManager[None]:
        return bounded(STEP_SECONDS, f"the relay of {self._feed.service}")

    async def _has_turn(self) -> bool:
        """Whether the lease is ours; if not, once it is worth while to ask again."""
        async with self._bounded():
            if await self._renew():
                return True
            await turn_of(self._lease, self._engine)
            return False

    async def _renew(self) -> bool:
        async with self._engine.begin() as tx:
            return await self._lease.acquire(tx)

    async def _is_same(self) -> bool:
        """Whether what is published into is what it was. Who does not answer soon is asked again the next time."""
        try:
            async with asyncio.timeout(self._renew_seconds / 2):
                return await self._publisher.is_same()
        except TimeoutError:
            return True

    async def _checkpoint(self) -> Cursor:
        async with self._engine.connect() as connection:
            return await self._checkpoints.load(connection, self._feed.service)

    async def _begin_anew(self) -> None:
        async with self._engine.begin() as tx:
            await self._lease.hold(tx)
            await self._checkpoints.forget(tx)
        self._begins_anew = False

    async def _go_on(self) -> Cursor:
        """The checkpoint, or where the present generation began, if the checkpoint is of one that was longer."""
        cursor = await self._checkpoint()
        kept = (await self._feed.head()).kept_of(cursor.generation) if cursor.generation else None
        if kept is None or max(cursor.positions) <= kept:
            return cursor
        back = replace(cursor, positions=tuple(min(position, kept) for position in cursor.positions))
        await self._move(cursor, back)
        return back

    async def _move(self, seen: Cursor, cursor: Cursor) -> None:
        if seen.generation:
            async with driver_connection(self._engine) as driver:
                await self._checkpoints.advance_as_holder(driver, self._lease, self._feed.service, seen, cursor)
            return
        async with self._engine.begin() as tx:
            await self._lease.hold(tx)
            await self._checkpoints.advance(tx, self._feed.service, seen, cursor)

    async def step(self, cursor: Cursor) -> Cursor:
        """Publish one batch after the cursor; the cursor after it, which is not kept yet.

        Where there is more, the next batch is read meanwhile. Raises what went wrong with the one before, too.
        """
        batch = await self._read(cursor)
        head, after = batch.head, Cursor(batch.cursor.generation, batch.cursor.positions)
        if len(batch.events) == BATCH:
            self._ahead = after, asyncio.create_task(self._feed.read(after, BATCH))
        if batch.events:
            await self._publisher.publish(batch.events)
            RELAY_PUBLISHED.add(self._feed.service, amount=len(batch.events))
        await self._kept()
        if after != cursor or head != self._told:
            self._keeping = asyncio.create_task(self._keep(cursor, after, head))
        return after

    async def _keep(self, seen: Cursor, cursor: Cursor, head: Head | None) -> None:
        """Move the checkpoint behind what the readers have, then tell them the head once all of it is out."""
        if cursor != seen:
            await self._move(seen, cursor)
        if head and head != self._told and min(cursor.positions) >= max(head.positions):
            await self._publisher.publish_head(head)
            self._told = head

    async def _kept(self) -> None:
        """Return when the last batch is behind the checkpoint. Raises why it is not."""
        keeping, self._keeping = self._keeping, None
        if keeping:
            await keeping

    def _stop_keeping(self) -> None:
        keeping, self._keeping = self._keeping, None
        if keeping:
            keeping.cancel()
            keeping.add_done_callback(lambda task: task.cancelled() or task.exception())

    async def _read(self, cursor: Cursor) -> Batch:
        ahead, self._ahead = self._ahead, None
        if ahead and ahead[0] == cursor:
            return await ahead[1]
        return await self._feed.read(cursor, BATCH)

    def _stop_reading(self) -> None:
        ahead, self._ahead = self._ahead, None
        if ahead:
            ahead[1].cancel()
            ahead[1].add_done_callback(lambda task: task.cancelled() or task.exception())
