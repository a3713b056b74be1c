"""One service as processes of its own: an API and a worker over one database, the other logs by Kafka."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import timedelta
from functools import partial

from fastapi import APIRouter
from sqlalchemy.ext.asyncio import create_async_engine

from steerco_events.clock import Clock, SystemClock
from steerco_events.kafka.feed import KafkaFeed
from steerco_events.kafka.outgoing import OutgoingFeed
from steerco_events.kafka.publisher import KafkaPublisher
from steerco_events.ports import WHOLE, EventFeed, Shard
from steerco_events.postgres.feed import StoreFeed
from steerco_events.postgres.wakeups import (
    APPENDED,
    COALESCE_SEALED_SECONDS,
    LEASES,
    PARKED_ASKED,
    REBUILD_REQUESTED,
    SEALED,
    announce,
    listen,
)
from steerco_events.projections.keeping import Keeping
from steerco_events.registry import Registry
from steerco_events.relay import Relay
from steerco_events.signals import AnyOf, Signal
from steerco_service import health
from steerco_service.edge.beneath import beneath
from steerco_service.exporting import install_tracing
from steerco_service.factory import create_app
from steerco_service.garbage import keep_what_is_there
from steerco_service.http_server import Draining, HttpServer
from steerco_service.identity.authenticator import Authenticator, Expected
from steerco_service.identity.discovered_keys import DiscoveredKeys
from steerco_service.identity.issuer import ISSUER
from steerco_service.identity.keys import KeySource, KnownKeys
from steerco_service.identity.own_token import ClientCredentials, ToldToken
from steerco_service.log_key import LogKey, Signing
from steerco_service.migrated import until_migrated
from steerco_service.mirror.feed import MirrorFeed
from steerco_service.mirror.mirroring import mirrors
from steerco_service.operations import probes
from steerco_service.operations.serving import operations_app, serve_operations
from steerco_service.privacy.key_database import KeyDatabase
from steerco_service.privacy.keys import KeptKeys, Keys, NoKeys
from steerco_service.privacy.remote_keys import RemoteKeys, Tokens
from steerco_service.runtime import Runtime, Service, Signals
from steerco_service.settings import ServiceSettings
from steerco_service.workers import Run, run_workers, workers

POOL = 6
"""Connections of a process, kept once they are open (to open one takes longer than most of what is done by it):
twelve processes fit into PostgreSQL's default of 100."""

BESIDE_CONSUMERS = 4
"""Connections that a worker has beside one for each consumer: a relay's, one for operations, and two of a build that
takes its place. While it does, whoever moves a checkpoint waits with a connection, and the build reads with another."""


class Process:
    """A service in this process, in one of its roles."""

    def __init__(
        self,
        service: Service,
        settings: ServiceSettings,
        registry: Registry,
        clock: Clock | None = None,
    ) -> None:
        clock = clock or SystemClock()
        self._service = service
        self._settings = settings
        self._registry = registry
        self._signals = Signals()
        self._sealed_elsewhere = Signal()
        self._sealed = AnyOf(self._signals.sealed, self._sealed_elsewhere, self._signals.rested)
        key_database = _key_database(service, settings)
        self.runtime = Runtime(
            service=service,
            engine=create_async_engine(
                settings.database_url,
                pool_size=_pool(service, settings.shards),
                max_overflow=0,
                hide_parameters=True,
            ),
            registry=registry,
            clock=clock,
            authenticator=authenticator_of(settings, clock),
            signals=self._signals,
            open_feed=self._open_feed,
            signing=_signing(settings),
            lasts=timedelta(seconds=settings.lease_seconds),
            shards=settings.shards,
            parked_limit=settings.parked_limit,
            keeping=Keeping(kept_for=timedelta(days=settings.keep_builds_days)),
            relays=service.owns_log,
            first_admin=settings.first_admin,
            keys=KeptKeys(key_database or _remote_keys(settings, clock)),
            key_database=key_database,
            service_clients=frozenset(settings.service_clients),
            groups=settings.group_roles,
            stale_after=timedelta(minutes=settings.access_stale_minutes),
            accesses_kept=settings.accesses_kept,
            only_scope=settings.scope,
        )

    def _open_feed(self, service: str, shard: Shard = WHOLE) -> EventFeed:
        if service == self._service.name:
            return self._own_feed(shard)
        if self._settings.source:
            return MirrorFeed(service, self.runtime.engine, self._registry, self._sealed, shard)
        return KafkaFeed(service, self._settings.broker, self._registry, shard)

    def _own_feed(self, shard: Shard = WHOLE) -> StoreFeed:
        return StoreFeed(self._service.name, self.runtime.engine, self._registry, self._sealed, shard)

    async def serve_api(self) -> None:
        """Serve HTTP until a signal ends the process; wake the worker after each append."""
        signals = self._signals
        found: list[tuple[str, Run]] = [
            ("wake the worker", partial(announce, self.runtime.engine, APPENDED, signals.appended)),
            (
                "wake the builder",
                partial(announce, self.runtime.engine, REBUILD_REQUESTED, signals.rebuild_requested),
            ),
            ("wake who unparks", partial(announce, self.runtime.engine, PARKED_ASKED, signals.parked_asked)),
        ]
        if self._service.owns_log:
            found.append(("listen", partial(listen, self._settings.database_url, {SEALED: signals.sealed})))
        found += self._operations(health.routes)
        edge = self._settings.edge
        server = HttpServer(
            beneath(self._settings.root_path, edge.before(create_app(self.runtime))),
            Draining(self._settings.drain_seconds, self.runtime.draining),
            host=self._settings.host,
            port=self._settings.port,
            root_path=self._settings.root_path,
            **edge.server_options,
        )
        async with self._background("api", found):
            await server.serve()

    async def serve_worker(self) -> None:
        """Seal, relay, project and react until cancelled or told to end by SIGTERM; the leases are left free.

        Before the database is migrated it takes no part, so that those of the release before keep their leases.
        """
        ended, migrated = asyncio.Event(), asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)

        async def wait_for_migration() -> None:
            await until_migrated(self.runtime)
            migrated.set()

        found: list[tuple[str, Run]] = [("wait for the migration", wait_for_migration)]
        found += self._operations(probes.routes)
        found += ((name, partial(_once, migrated, run)) for name, run in self._work())
        async with self._background("worker", found):
            await ended.wait()

    def _operations(self, probing: APIRouter) -> Sequence[tuple[str, Run]]:
        host, port = self._settings.operations_host, self._settings.operations_port
        if not port:
            return []
        return [("operations", partial(serve_operations, operations_app([self.runtime], probing), host, port))]

    def _work(self) -> Sequence[tuple[str, Run]]:
        signals = self._signals
        found = list(workers(self.runtime))
        wake = {
            APPENDED: signals.appended,
            SEALED: self._sealed_elsewhere,
            REBUILD_REQUESTED: signals.rebuild_requested,
            PARKED_ASKED: signals.parked_asked,
            LEASES: signals.leases,
        }
        found.append(("listen", partial(listen, self._settings.database_url, wake)))
        if self._settings.source:
            tokens = _own_tokens(self._settings, self.runtime.clock)
            found += mirrors(self.runtime, self._settings.source, tokens)
        if self._service.owns_log:
            publisher = KafkaPublisher(self._service.name, self._settings.broker, self._settings.kafka_replication)
            feed = OutgoingFeed(self._service.name, self.runtime.engine, self._registry, self._sealed)
            relay = Relay(self.runtime.engine, feed, publisher, self.runtime.lasts, signals.leases)
            found.append((f"{self._service.name} relay", relay.run))
        if self._service.owns_log or self._settings.source:
            wake_others = partial(announce, self.runtime.engine, SEALED, signals.sealed, COALESCE_SEALED_SECONDS)
            found.append(("wake the API and other workers", wake_others))
        return found

    @asynccontextmanager
    async def _background(self, role: str, found: Sequence[tuple[str, Run]]) -> AsyncIterator[None]:
        tracing = install_tracing(f"steerco-{self._service.name}", self._settings, role=role)
        keep_what_is_there()
        async with AsyncExitStack() as stack:
            stack.push_async_callback(tracing.stop)
            if self.runtime.key_database:
                stack.push_async_callback(self.runtime.key_database.engine.dispose)
            stack.push_async_callback(self.runtime.close)
            background = asyncio.create_task(run_workers(found, self._service.name))
            stack.push_async_callback(_ended, background)
            yield


async def _once(migrated: asyncio.Event, run: Run) -> None:
    await migrated.wait()
    await run()


async def _ended(background: asyncio.Task[None]) -> None:
    background.cancel()
    with suppress(asyncio.CancelledError):
        await background


def authenticator_of(settings: ServiceSettings, clock: Clock) -> Authenticator:
    """Checks the tokens of the issuer that the settings name, or of the local one whose key they have."""
    if settings.issuer_key is None:
        issuer = settings.issuer
        keys: KeySource = DiscoveredKeys(issuer, clock, settings.way_to_issuer)
    else:
        issuer = ISSUER
        keys = KnownKeys(json.loads(settings.issuer_key.read_text()))
    leeway = timedelta(seconds=settings.clock_skew_seconds)
    return Authenticator(keys, clock, Expected(issuer, settings.audience, settings.token_algorithms, leeway))


def _key_database(service: Service, settings: ServiceSettings) -> KeyDatabase | None:
    if not service.keeps_keys or not settings.keys_url:
        return None
    return KeyDatabase(create_async_engine(settings.keys_url, pool_size=1, max_overflow=2, hide_parameters=True))


def _remote_keys(settings: ServiceSettings, clock: Clock) -> Keys:
    """From portfolio, where the settings say where that is and by what it is asked; else none."""
    if not settings.portfolio_url:
        return NoKeys()
    return RemoteKeys(settings.portfolio_url, _own_tokens(settings, clock))


def _own_tokens(settings: ServiceSettings, clock: Clock) -> Tokens:
    if settings.service_token:
        return ToldToken(settings.service_token)
    return ClientCredentials(settings.issuer, settings.client_id, settings.client_secret, clock, settings.way_to_issuer)


def _pool(service: Service, shards: int) -> int:
    consumers = shards * (len(service.view.services) + len(service.reactions))
    return max(POOL, consumers + BESIDE_CONSUMERS)


def _signing(settings: ServiceSettings) -> Signing | None:
    if settings.log_key is None:
        return None
    return Signing(LogKey.from_private(json.loads(settings.log_key.read_text())), settings.heads)
