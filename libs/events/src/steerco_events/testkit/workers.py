"""Workers that share in what an eater does, for tests, and feeds that stand still in their midst."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from steerco_events.consuming.consumer import Consumers, run_shards
from steerco_events.ports import Batch, Cursor, EventFeed, OpenFeed, Shard
from steerco_events.postgres.lease_keeper import LeaseKeeper
from steerco_events.postgres.wakeups import LEASES, listen
from steerco_events.retrying import retrying
from steerco_events.signals import Signal
from steerco_events.testkit.eaters import Eater, counts
from steerco_events.testkit.logs import PATIENCE, Log, running

STREAMS = 20
"""How many streams those are told of who share."""

BRIEF = timedelta(seconds=1.5)
"""How long the leases last, some of which are to run out."""


def divided(shards: int) -> list[Shard]:
    """All shards of a division into so many."""
    return [Shard(number, shards) for number in range(shards)]


def of_all(*ns: int) -> Mapping[str, object]:
    """What came of these events of every stream."""
    return {f"tally-{stream}": counts(stream, *ns) for stream in range(STREAMS)}


async def has_come_to(eater: Eater, *ns: int) -> bool:
    """Whether these events of every stream were taken, and no others."""
    return await eater.digested() == of_all(*ns)


@dataclass(slots=True)
class Stalling:
    """A feed that stands still with a batch in its hands, until it is let go on."""

    source: EventFeed
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def service(self) -> str:
        return self.source.service

    async def read(self, after: Cursor, limit: int) -> Batch:
        batch = await self.source.read(after, limit)
        if batch.events:
            self.reached.set()
            await self.released.wait()
        return batch

    async def wait(self, seconds: float) -> None:
        await self.source.wait(seconds)

    async def close(self) -> None:
        await self.source.close()


@dataclass(slots=True)
class FirstStalls:
    """Opens the feeds of a log, of which the first that has something stands still."""

    log: Log
    stalled: asyncio.Event = field(default_factory=asyncio.Event)

    def feed(self, shard: Shard) -> EventFeed:
        """Another feed."""
        feed = Stalling(self.log.feed(shard), self.stalled)
        if self.stalled.is_set():
            feed.released.set()
        return feed

    async def has_stalled(self) -> None:
        """Return once the first stands still."""
        async with asyncio.timeout(PATIENCE):
            await self.stalled.wait()


class Worker:
    """A process that shares in the work; it can be cut off from the database, as if it were killed."""

    def __init__(self, log: Log, lasts: timedelta = BRIEF) -> None:
        self.engine = create_async_engine(log.urls.app_url, poolclass=NullPool)
        self._hears = Signal()
        self.leases = LeaseKeeper(self.engine, lasts, self._hears)
        self.is_cut_off = False
        event.listen(self.engine.sync_engine, "do_connect", self._refuse)

    def _refuse(self, *_: object) -> None:
        if self.is_cut_off:
            raise ConnectionError("cut off")

    @asynccontextmanager
    async def working(self, eater: Eater, shards: int, open_feed: OpenFeed | None = None) -> AsyncIterator["Worker"]:
        """Inside, it does its share."""
        log = eater.log
        consumers = Consumers(self.engine, self.leases, log.clock, Signal(), shards)
        follow = partial(run_shards, consumers, eater.role(), log.service, open_feed or log.feed)
        hearing = partial(listen, log.urls.app_url, {LEASES: self._hears})
        try:
            async with running(partial(retrying, self.leases.run, "leases"), follow, hearing):
                yield self
        finally:
            await self.engine.dispose()

    async def has(self, shards: int) -> bool:
        """Whether it holds the leases of so many shards."""
        return len(await self.held()) == shards

    async def held(self) -> Mapping[str, int]:
        """The leases of shards that it holds, each with its epoch."""
        query = text(
            "SELECT name, epoch FROM log.leases"
            " WHERE name LIKE 'consumer %' AND holder = :holder AND expires_at > clock_timestamp()"
        )
        async with create_async_engine(self.engine.url, poolclass=NullPool).connect() as connection:
            rows = await connection.execute(query, {"holder": self.leases.holder})
            return {name: epoch for name, epoch in rows}
