"""Logs under test: a real database with the roles of production, its store, its sealer."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from steerco_events.clock import Clock, SystemClock
from steerco_events.commands.attempts import in_transaction
from steerco_events.commands.handling import Handled, handle
from steerco_events.consuming.consumer import PARKED_LIMIT, Consumers
from steerco_events.decider import Decider
from steerco_events.envelope import Actor, Context, Recorded
from steerco_events.ids import derived_id, new_id
from steerco_events.ports import WHOLE, Cursor, EventFeed, Shard
from steerco_events.positions import Token
from steerco_events.postgres.feed import StoreFeed
from steerco_events.postgres.lease import Lease
from steerco_events.postgres.lease_keeper import LeaseKeeper
from steerco_events.postgres.schema import REVISIONS, log_statements
from steerco_events.postgres.sealer import Sealer
from steerco_events.postgres.store import EventStore, Write
from steerco_events.registry import Payload, Registry
from steerco_events.sealing import Sealing
from steerco_events.signals import Signal
from steerco_events.testkit.tally import TALLY

PATIENCE = 30.0
"""Seconds after which what should have come will not."""


class Urls(Protocol):
    """The ways into one service's database."""

    @property
    def name(self) -> str: ...

    @property
    def owner_url(self) -> str: ...

    @property
    def app_url(self) -> str: ...

    @property
    def feed_url(self) -> str: ...


class Server(Protocol):
    """A PostgreSQL server for tests, such as `steerco_servers.testing.TemporaryPostgres`."""

    def databases(self, *services: str) -> AbstractAsyncContextManager[Mapping[str, Urls]]:
        """New databases of these services, dropped on leaving."""
        ...


@dataclass(frozen=True, slots=True)
class Log:
    """One service's log, with an engine for each role."""

    service: str
    urls: Urls
    engine: AsyncEngine
    reader: AsyncEngine
    store: EventStore
    clock: Clock
    sealer: Sealer
    appended: Signal
    sealed: Signal

    @property
    def registry(self) -> Registry:
        """The event types of the log."""
        return self.store.registry

    def context(self) -> Context:
        """The context of a new command."""
        command_id = new_id()
        return Context(
            command_id=command_id,
            actor=Actor(derived_id("person", "tester"), "PMO officer"),
            client="tests",
            recorded_at=self.clock.now(),
            correlation_id=command_id,
            causation_id=command_id,
        )

    async def append(self, stream: str, *events: Payload) -> Token:
        """Put events at the end of a stream, whatever its version."""
        async with self.engine.begin() as tx:
            version = (await self.store.read_stream(tx, stream)).version
            token = await self.store.append(tx, [Write(stream, version, events)], self.context())
        self.appended.notify()
        return token

    async def handle[State, Command](
        self, decider: Decider[State, Command], stream: str, command: Command, context: Context | None = None
    ) -> Handled:
        """Send a command, as a service does."""
        about = context or self.context()
        handled = await in_transaction(self.engine, lambda tx: handle(tx, self.store, decider, stream, command, about))
        self.appended.notify()
        return handled

    async def payloads(self, stream: str) -> Sequence[Payload]:
        """What a stream holds, sealed or not."""
        async with self.engine.connect() as connection:
            return (await self.store.read_stream(connection, stream)).payloads

    async def seal(self) -> None:
        """Seal everything that was appended."""
        assert await self.sealer.start(), "another sealer holds the lease"
        while (await self.sealer.scan()).pending:
            await asyncio.sleep(0.001)
        self.sealed.notify()

    @asynccontextmanager
    async def sealing(self) -> AsyncIterator[None]:
        """Inside, the log is sealed in the background."""
        async with running(Sealing(self.sealer, self.appended, self.sealed, service=self.service).run):
            yield

    def feed(self, shard: Shard = WHOLE) -> StoreFeed:
        """A feed, by the role that sees sealed events only."""
        return StoreFeed(self.service, self.reader, self.registry, self.sealed, shard)

    def consumers(
        self, leases: LeaseKeeper | None = None, shards: int = 1, parked_limit: int = PARKED_LIMIT
    ) -> Consumers:
        """What the consumers of one process over the log's database share."""
        keeper = leases or LeaseKeeper(self.engine)
        return Consumers(self.engine, keeper, self.clock, Signal(), shards, parked_limit, self.service)


@asynccontextmanager
async def fresh_log(
    server: Server, registry: Registry = TALLY, clock: Clock | None = None, writers: int = 8
) -> AsyncIterator[Log]:
    """A new log under a name of its own, for so many writers at once; dropped on leaving."""
    service = f"tally_{new_id().hex[-12:]}"
    async with server.databases(service) as databases:
        urls = databases[service]
        await _create(urls)
        time = clock or SystemClock()
        engine = create_async_engine(urls.app_url, pool_size=writers, max_overflow=4, pool_timeout=PATIENCE)
        reader = create_async_engine(urls.feed_url, pool_size=2, max_overflow=4, pool_timeout=PATIENCE)
        sealer = Sealer(engine, time, Lease("sealer"))
        try:
            yield Log(service, urls, engine, reader, EventStore(service, registry), time, sealer, Signal(), Signal())
        finally:
            await engine.dispose()
            await reader.dispose()


async def _create(urls: Urls) -> None:
    owner = create_async_engine(urls.owner_url, poolclass=NullPool)
    async with owner.begin() as tx:
        for revision in REVISIONS:
            for statement in log_statements(f"{urls.name}_app", f"{urls.name}_feed", revision):
                await tx.exec_driver_sql(statement)
    await owner.dispose()


@asynccontextmanager
async def running(*works: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Inside, these run in the background; what one of them raises comes out on leaving."""

    async def run(work: Callable[[], Awaitable[None]]) -> None:
        await work()

    tasks = [asyncio.create_task(run(work)) for work in works]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task


async def until(holds: Callable[[], Awaitable[bool]], what: str, within: float = PATIENCE) -> None:
    """Return when it holds; fail with `what` when it does not in time."""
    try:
        async with asyncio.timeout(within):
            while not await holds():
                await asyncio.sleep(0.005)
    except TimeoutError:
        raise AssertionError(f"in {within:.0f} s it never came true that {what}") from None


async def waits_for_a_lock(connection: AsyncConnection) -> bool:
    """Whether some transaction of this database waits for another's row."""
    found = await connection.execute(
        text(
            "SELECT 1 FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
            " WHERE NOT l.granted AND a.datname = current_database()"
        )
    )
    return found.first() is not None


async def read_on(feed: EventFeed, cursor: Cursor, events: int, limit: int = 100) -> tuple[list[Recorded], Cursor]:
    """Read until so many events have come; they, and the cursor after them."""
    found: list[Recorded] = []
    try:
        async with asyncio.timeout(PATIENCE):
            while len(found) < events:
                batch = await feed.read(cursor, limit)
                found.extend(batch.events)
                cursor = batch.cursor
                if not batch.events:
                    await feed.wait(0.2)
    except TimeoutError:
        raise AssertionError(f"only {len(found)} of {events} events came in {PATIENCE:.0f} s") from None
    return found, cursor
