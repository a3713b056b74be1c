"""The relay: carries a log's sealed events to its readers, in order, from one process at a time."""

import asyncio
from dataclasses import replace
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from steerco_events.ports import Batch, Cursor, Publisher
from steerco_events.positions import Head
from steerco_events.postgres.checkpoints import Checkpoints
from steerco_events.postgres.feed import StoreFeed
from steerco_events.postgres.lease import Lease, let_go, turn_of

CONSUMER = "relay"
BATCH = 2000
BEAT_SECONDS = 2.0


class Relay:
    """Publishes one log. The holder of the lease `relay` runs it; a standby tries when its lease would run out.

    The checkpoint moves after the readers have the batch and only while the lease is held, so a batch may be
    published twice and never left out; readers pass over what they have. Where what is published into was made
    anew, by whomever, or somebody forgot the checkpoint, all of the log is published again. After an error `run`
    raises: start it again, it goes on from the checkpoint.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        feed: StoreFeed,
        publisher: Publisher,
        lasts: timedelta = timedelta(seconds=10),
    ) -> None:
        self._engine = engine
        self._feed = feed
        self._publisher = publisher
        self._lease = Lease("relay", lasts)
        self._renew_seconds = lasts.total_seconds() / 3
        self._checkpoints = Checkpoints(CONSUMER)
        self._begins_anew = False
        self._told: Head | None = None
        self._ahead: tuple[Cursor, asyncio.Task[Batch]] | None = None

    async def run(self) -> None:
        """Run until cancelled; leaves the lease to a successor.

        Raises what the publisher raises, `LeaseLost`, `CheckpointMoved`, `LogRewound`.
        """
        try:
            while True:
                await self._lead()
        finally:
            self._stop_reading()
            await self._publisher.close()
            await let_go(self._engine, self._lease)

    async def _lead(self) -> None:
        loop = asyncio.get_running_loop()
        while not await self._renew():
            await turn_of(self._lease, self._engine)
        renewed = loop.time()
        self._begins_anew |= await self._publisher.prepare()
        if self._begins_anew:
            await self._begin_anew()
        cursor = await self._go_on()
        self._told = None
        self._stop_reading()
        while True:
            if loop.time() - renewed > self._renew_seconds:
                if not await self._renew() or (await self._checkpoint()).place != cursor.place:
                    return
                if not await self._publisher.is_same():
                    return
                renewed = loop.time()
            before = cursor
            cursor = await self.step(cursor)
            if cursor == before:
                await self._feed.wait(BEAT_SECONDS)

    async def _renew(self) -> bool:
        async with self._engine.begin() as tx:
            return await self._lease.acquire(tx)

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
        async with self._engine.begin() as tx:
            await self._lease.hold(tx)
            await self._checkpoints.advance(tx, self._feed.service, seen, cursor)

    async def step(self, cursor: Cursor) -> Cursor:
        """Publish one batch after the cursor, and the head once all of it is out; the cursor after it.

        Where there is more, the next batch is read meanwhile.
        """
        batch = await self._read(cursor)
        head, after = batch.head, Cursor(batch.cursor.generation, batch.cursor.positions)
        if len(batch.events) == BATCH:
            self._ahead = after, asyncio.create_task(self._feed.read(after, BATCH))
        if batch.events:
            await self._publisher.publish(batch.events)
        if after != cursor:
            await self._move(cursor, after)
        if head and head != self._told and min(after.positions) >= max(head.positions):
            await self._publisher.publish_head(head)
            self._told = head
        return after

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
