"""Several services in one process, each over its own database; the logs are read straight from their stores."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from uuid import UUID

from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from steerco_events.clock import Clock
from steerco_events.consuming.consumer import PARKED_LIMIT
from steerco_events.ports import WHOLE, EventFeed, Shard
from steerco_events.positions import Positions, reached
from steerco_events.postgres.accesses import KEPT
from steerco_events.postgres.checkpoints import Checkpoints
from steerco_events.postgres.feed import StoreFeed
from steerco_events.postgres.timers import are_due
from steerco_events.registry import Registry
from steerco_events.signals import AnyOf
from steerco_service.access.access import STALE_AFTER
from steerco_service.access.gaps import SOURCE
from steerco_service.access.groups import GroupRole
from steerco_service.factory import create_app
from steerco_service.identity.authenticator import Authenticator
from steerco_service.log_key import Signing
from steerco_service.migrations import migrate
from steerco_service.privacy.key_database import MIGRATIONS, KeyDatabase, keys_of
from steerco_service.privacy.keys import KeptKeys, Keys, NoKeys
from steerco_service.runtime import Runtime, Service, Signals
from steerco_service.workers import run_workers, workers

SETTLE_SECONDS = 60.0
"""So long nothing may move before it is said that something does not come to rest."""

WRITERS, READERS, KEY_READERS, BESIDE = 5, 3, 1, 2
"""Connections of a service to its database, of all who read its log, to the keys, and how many more of each under load.
Once open they stay, but for the latter: six services with five logs have 46 at rest and 70 at most, of PostgreSQL's
100."""


@dataclass(frozen=True, slots=True, repr=False)
class DatabaseUrls:
    """The three ways into a service's database: to migrate it, to serve from it, to read its sealed log. Secrets."""

    owner_url: str
    app_url: str
    feed_url: str


def databases_of(services: Sequence[Service]) -> Sequence[str]:
    """The names of the databases that services need: one each, and beside it another for keys where they are kept."""
    return [
        *(each.name for each in services),
        *(keys_of(each.name) for each in services if each.keeps_keys),
    ]


class NotSettled(Exception):
    """Something does not come to rest; the text says what."""


class Host:
    """The services, their engines and their background work."""

    def __init__(
        self,
        services: Sequence[Service],
        databases: Mapping[str, DatabaseUrls],
        registry: Registry,
        clock: Clock,
        authenticator: Authenticator,
        signing: Signing | None = None,
        *,
        shards: int = 1,
        parked_limit: int = PARKED_LIMIT,
        first_admin: UUID | None = None,
        service_clients: frozenset[str] = frozenset(),
        groups: Mapping[str, Sequence[GroupRole]] = MappingProxyType({}),
        stale_after: timedelta = STALE_AFTER,
        accesses_kept: timedelta = KEPT,
    ) -> None:
        self._services = {service.name: service for service in services}
        self._databases = databases
        self._registry = registry
        self._signals = {service.name: Signals() for service in services}
        self._feeds = {
            service.name: _engine(databases[service.name].feed_url, READERS) for service in services if service.owns_log
        }
        self._key_databases = {
            service.name: KeyDatabase(_engine(databases[keys_of(service.name)].app_url, KEY_READERS))
            for service in services
            if service.keeps_keys
        }
        keys: Keys = next(map(KeptKeys, self._key_databases.values()), NoKeys())
        self.runtimes = {
            service.name: Runtime(
                service=service,
                engine=_engine(databases[service.name].app_url, WRITERS),
                registry=registry,
                clock=clock,
                authenticator=authenticator,
                signals=self._signals[service.name],
                open_feed=self._open_feed,
                signing=signing,
                shards=shards,
                parked_limit=parked_limit,
                first_admin=first_admin,
                keys=keys,
                key_database=self._key_databases.get(service.name),
                service_clients=service_clients,
                groups=groups,
                stale_after=stale_after,
                accesses_kept=accesses_kept,
            )
            for service in services
        }

    def _open_feed(self, service: str, shard: Shard = WHOLE) -> EventFeed:
        signals = self._signals[service]
        # Who sees a part of the enterprise waits until it is known what that is, also while portfolio's log is quiet.
        woken = AnyOf(signals.sealed, signals.rested) if service == SOURCE else signals.sealed
        return StoreFeed(service, self._feeds[service], self._registry, woken, shard)

    async def migrate(self, progress: Callable[[str], None] = lambda _: None) -> None:
        """Bring every database to its newest schema."""
        for name, service in self._services.items():
            progress(name)
            await migrate(service.migrations, self._databases[name].owner_url)
        for name in self._key_databases:
            await migrate(MIGRATIONS, self._databases[keys_of(name)].owner_url)

    def apps(self) -> dict[str, FastAPI]:
        """One application per service, by its name."""
        return {name: create_app(runtime) for name, runtime in self.runtimes.items()}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Inside, every service's background work runs."""
        background = asyncio.create_task(self._work(), name="workers")
        try:
            yield
        finally:
            background.cancel()
            with suppress(asyncio.CancelledError):
                await background
            await asyncio.gather(*(runtime.close() for runtime in self.runtimes.values()))
            for engine in [*self._feeds.values(), *(each.engine for each in self._key_databases.values())]:
                await engine.dispose()

    async def _work(self) -> None:
        async with asyncio.TaskGroup() as group:
            for name, runtime in self.runtimes.items():
                group.create_task(run_workers(workers(runtime), name), name=f"workers of {name}")

    async def settled(self, patience: float = SETTLE_SECONDS) -> None:
        """Return when what is due was done, and all that was appended is sealed, projected and reacted to.

        Raises `NotSettled` when nothing has moved for so many seconds, however long it took until then.
        """
        loop = asyncio.get_running_loop()
        before: object = None
        last, moved_at = "", loop.time()
        while True:
            try:
                async with asyncio.timeout(patience):
                    heads, waiting = await self._unsettled()
            except TimeoutError as error:
                raise NotSettled(last or "a database does not answer") from error
            if not waiting and heads == before:
                return
            if waiting != last:
                last, moved_at = waiting, loop.time()
            elif waiting and loop.time() > moved_at + patience:
                raise NotSettled(waiting)
            before = None if waiting else heads
            if waiting:
                await asyncio.sleep(0.005)

    async def serves(self) -> bool:
        """Whether every service has begun and has a view to read."""
        for runtime in self.runtimes.values():
            async with runtime.engine.connect() as connection:
                if not await runtime.builds.in_state(connection, "live"):
                    return False
            if runtime.service.begins and not runtime.begun.is_set():
                return False
        return True

    async def _unsettled(self) -> tuple[dict[str, Positions], str]:
        """How far the logs go, and what has not come to rest: how far it has come, too."""
        heads: dict[str, Positions] = {}
        for name, service in self._services.items():
            if service.owns_log:
                runtime = self.runtimes[name]
                async with runtime.engine.connect() as connection:
                    if service.timed and await are_due(connection, runtime.clock.now()):
                        runtime.signals.appended.notify()
                        return heads, f"timers of {name} are due"
                    row = (await connection.execute(_HEAD)).one()
                if row.position < row.high_water:
                    return heads, f"the log of {name} is sealed up to {row.position} of {row.high_water}"
                heads[name] = tuple(row.positions)
        for name, runtime in self.runtimes.items():
            if runtime.service.begins and not runtime.begun.is_set():
                return heads, f"{name} begins"
            async with runtime.engine.connect() as connection:
                behind = await _behind(connection, runtime, heads)
            if behind:
                return heads, f"{name}: {behind}"
        return heads, ""


_HEAD = text(
    "SELECT h.position, h.positions, CASE WHEN s.is_called THEN s.last_value ELSE 0 END AS high_water"
    " FROM log.head h, log.positions s"
)


async def _behind(connection: AsyncConnection, runtime: Runtime, heads: Mapping[str, Positions]) -> str | None:
    builds = await runtime.builds.in_state(connection, "live")
    if not builds:
        applied = [each.applied for each in await runtime.builds.standings(connection) if each.state == "building"]
        return f"the view is being made, of {sum(applied)} positions so far"
    consumers = [
        *((builds[0].checkpoints, source) for source in runtime.service.view.services),
        *((Checkpoints(each.name), each.service) for each in runtime.service.reactions),
    ]
    for checkpoints, source in consumers:
        cursor = await checkpoints.load(connection, source)
        if not reached(cursor.positions, heads[source]):
            return f"{checkpoints.consumer} is behind in the log of {source}, at {max(cursor.positions)}"
    return None


def _engine(url: str, size: int) -> AsyncEngine:
    return create_async_engine(url, pool_size=size, max_overflow=BESIDE, pool_timeout=30, hide_parameters=True)
