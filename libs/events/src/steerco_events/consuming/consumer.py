"""How a consumer follows a log, whatever it does with the events: a view's rows, a reaction's commands.

Load the checkpoint; read; in one transaction move the checkpoint, let parked streams wait and do the work on the
others; signal. The work in a log is divided into shards, each done by one worker at a time, by a lease; that no two
have an effect is up to the checkpoint alone.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from steerco_events import tracing
from steerco_events.bounding import Hangs, bounded
from steerco_events.clock import Clock
from steerco_events.commands.attempts import in_transaction
from steerco_events.consuming.poison import Poison, Work, digest, is_poison
from steerco_events.consuming.standing import Standing
from steerco_events.envelope import Recorded
from steerco_events.kafka.topics import events_topic
from steerco_events.ports import WHOLE, Batch, Cursor, EventFeed, FeedStalled, LogRewound, OpenFeed, Shard
from steerco_events.positions import Positions
from steerco_events.postgres.checkpoints import Checkpoints
from steerco_events.postgres.lease import LeaseLost
from steerco_events.postgres.lease_keeper import LeaseKeeper
from steerco_events.postgres.parking import Parking
from steerco_events.postgres.statements import driver_connection
from steerco_events.retrying import retrying
from steerco_events.saying import said
from steerco_events.signals import Signal

IDLE_SECONDS = 5.0
STEP_SECONDS = 60.0
"""After so long a step hangs, and the consumer is started again."""

LOCK_TIMEOUT = "20s"
"""So long a step waits for a lock of the database, which is an error then and says so, before it hangs."""

CLOSE_SECONDS = 5.0
WATERMARK_STEP = timedelta(seconds=1)
PARKED_LIMIT = 100


class TooManyParked(Exception):
    """So much can't be digested that something else must be wrong: the consumer stops rather than park all of it."""


@dataclass(frozen=True, slots=True)
class Consumers:
    """What the consumers of one process over one database share.

    `applied` is signaled after every move. Each consumer works in `shards` parts, and stops rather than have more
    than `parked_limit` streams parked. They are those of `service`, in metrics and spans.
    """

    engine: AsyncEngine
    leases: LeaseKeeper
    clock: Clock
    applied: Signal
    shards: int = 1
    parked_limit: int = PARKED_LIMIT
    service: str = ""


@dataclass(frozen=True, slots=True)
class Role:
    """One consumer: its name, under which its checkpoints and parked streams are kept, and its work.

    It takes at most `batch` events at once. When it has found none it looks again not sooner than `gather_seconds`
    after that, so that under load more come together. `keeps_watermark`: that the log is complete up to an instant is
    kept also while nothing happens. `after` are signaled when there was work. It is counted as `known_as`, if that is
    not its name.
    """

    name: str
    work: Work
    batch: int
    gather_seconds: float = 0.0
    keeps_watermark: bool = False
    after: Sequence[Signal] = ()
    known_as: str = ""


class Consumer:
    """A consumer in one shard of one log. `step` takes one batch; `run` follows the log."""

    def __init__(self, consumers: Consumers, role: Role, service: str, shard: Shard = WHOLE) -> None:
        self._consumers = consumers
        self._role = role
        self._service = service
        self._shard = shard
        self._checkpoints = Checkpoints(role.name)
        self._parking = Parking(role.name, service)
        self._cursor: Cursor | None = None
        known_as = role.known_as or role.name
        self._standing = Standing(self.name, consumers.service, known_as, service, shard)
        self._topic = events_topic(service)

    @property
    def name(self) -> str:
        """What it is called where its failures are listed."""
        divided = f", {self._shard}" if self._shard.of > 1 else ""
        return f"{self._role.name} in the log of {self._service}{divided}"

    async def run(self, open_feed: OpenFeed) -> None:
        """Follow the log until cancelled, whenever the shard's lease is ours. Raises what `step` raises."""
        while True:
            with suppress(LeaseLost), self._counted():
                group = f"consumer {self._role.name} in the log of {self._service}"
                async with self._consumers.leases.hold(group, self._shard, self._standing.leaves):
                    await self._follow(open_feed)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        try:
            yield
        except (LeaseLost, asyncio.CancelledError):
            self._standing.leaves()
            raise
        except (Hangs, FeedStalled):
            self._standing.hangs()
            raise
        except (TooManyParked, LogRewound):
            self._standing.stops()
            raise
        except Exception:
            self._standing.fails()
            raise

    async def _follow(self, open_feed: OpenFeed) -> None:
        self._standing.begins()
        self._cursor, loop = None, asyncio.get_running_loop()
        async with _opened(open_feed, self._shard) as feed:
            while True:
                again = loop.time() + self._role.gather_seconds
                async with bounded(STEP_SECONDS, self.name):
                    took = await self.step(feed)
                if not took:
                    async with bounded(IDLE_SECONDS + STEP_SECONDS, self.name):
                        await feed.wait(IDLE_SECONDS)
                    await asyncio.sleep(again - loop.time())

    async def step(self, feed: EventFeed) -> int:
        """Take one batch; the number of its events.

        Raises `CheckpointMoved`, `TooManyParked`, what the feed raises and what is no event's fault, having changed
        nothing: the next step begins from what it finds.
        """
        seen, self._cursor = self._cursor or await self._load(), None
        batch = await self._read(feed, seen)
        new = _not_yet_seen(batch.events, seen.positions)
        if new:
            self._standing.applies()
        if new or self._is_worth_keeping(seen, batch.cursor):
            with tracing.processing(self._consumers.service, self._role.name, batch.system, self._topic, new):
                await self._take(seen, batch.cursor, new)
            self._consumers.applied.notify()
            for signal in self._role.after if new else ():
                signal.notify()
            seen = batch.cursor
        self._standing.stands(seen, batch.head, len(new))
        self._cursor = seen
        return len(batch.events)

    async def _load(self) -> Cursor:
        async with self._consumers.engine.begin() as tx:
            return await self._checkpoints.load_shard(tx, self._service, self._shard)

    async def _read(self, feed: EventFeed, seen: Cursor) -> Batch:
        try:
            return await feed.read(seen, self._role.batch)
        except LogRewound as rewound:
            async with self._consumers.engine.begin() as tx:
                await self._checkpoints.learn(tx, self._service, rewound.began)
            raise

    def _is_worth_keeping(self, seen: Cursor, cursor: Cursor) -> bool:
        if cursor.place != seen.place:
            return True
        if cursor.watermark is None or not self._role.keeps_watermark:
            return False
        return seen.watermark is None or cursor.watermark >= seen.watermark + WATERMARK_STEP

    async def _take(self, seen: Cursor, cursor: Cursor, new: Sequence[Recorded]) -> None:
        """All at once; and if some event is to blame, the same once more with its stream set aside."""
        if seen.generation and not new:
            async with driver_connection(self._consumers.engine) as driver:
                await self._checkpoints.advance(driver, self._service, seen, cursor, self._shard)
            return

        async def at_once(tx: AsyncConnection) -> None:
            await self._role.work(tx, await self._begin(tx, seen, cursor, new))

        async def apart(tx: AsyncConnection) -> None:
            await self._park(tx, await digest(tx, self._role.work, await self._begin(tx, seen, cursor, new)))

        try:
            await in_transaction(self._consumers.engine, at_once)
        except Exception as error:
            if not is_poison(error):
                raise
            await in_transaction(self._consumers.engine, apart)

    async def _begin(
        self, tx: AsyncConnection, seen: Cursor, cursor: Cursor, new: Sequence[Recorded]
    ) -> Sequence[Recorded]:
        """Move the checkpoint and keep what belongs to parked streams; the other events, but for those skipped.

        First the checkpoint: a zombie learns there that it is one, and nobody else works on the shard until we end.
        """
        await tx.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'"))
        await self._checkpoints.advance(tx, self._service, seen, cursor, self._shard)
        events, waiting = (await self._parking.aside(tx, new)).part(new)
        await self._parking.keep(tx, waiting)
        return events

    async def _park(self, tx: AsyncConnection, poisons: Sequence[Poison]) -> None:
        if not poisons:
            return
        there, limit = await self._parking.count(tx), self._consumers.parked_limit
        if there + len(poisons) > limit:
            raise TooManyParked(
                f"{self._role.name} has parked {there} streams, {len(poisons)} more would be beyond the limit of"
                f" {limit}; {poisons[0].events[0].stream}: {said(poisons[0].error)}"
            )
        for poison in poisons:
            first = poison.events[0]
            at = self._consumers.clock.now()
            await self._parking.park(tx, first.stream, first.partition, said(poison.error), at)
            await self._parking.keep(tx, poison.events)


async def run_shards(consumers: Consumers, role: Role, service: str, open_feed: OpenFeed) -> None:
    """A consumer in all shards of a log, until cancelled; each starts again by itself after an error."""
    async with asyncio.TaskGroup() as group:
        for number in range(consumers.shards):
            consumer = Consumer(consumers, role, service, Shard(number, consumers.shards))
            group.create_task(retrying(partial(consumer.run, open_feed), consumer.name, consumers.service))


@asynccontextmanager
async def _opened(open_feed: OpenFeed, shard: Shard) -> AsyncIterator[EventFeed]:
    feed = open_feed(shard)
    try:
        yield feed
    finally:
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await feed.close()


def _not_yet_seen(events: Sequence[Recorded], positions: Positions) -> Sequence[Recorded]:
    """Each event once, and none that the positions cover: a feed may give one twice."""
    new: list[Recorded] = []
    reached = list(positions)
    for event in events:
        if event.position > reached[event.partition]:
            reached[event.partition] = event.position
            new.append(event)
    return new
