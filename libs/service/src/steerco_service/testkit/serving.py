"""Services under test: real databases, real background work, real HTTP applications, in the test's own process."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from types import MappingProxyType
from typing import Any, Protocol
from uuid import UUID

import httpx
from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute

from steerco_events.clock import Clock, SystemClock
from steerco_events.commands.attempts import in_transaction
from steerco_events.consuming.consumer import PARKED_LIMIT
from steerco_events.contracts.catalog import CATALOG
from steerco_events.envelope import Actor, Context
from steerco_events.ids import derived_id, new_id
from steerco_events.positions import Token
from steerco_events.postgres.store import Write
from steerco_events.projections.model import View
from steerco_events.registry import Payload
from steerco_service.access.gaps import SOURCE
from steerco_service.access.groups import GroupRole
from steerco_service.access.permissions import PERMISSIONS, ROLES, Permission
from steerco_service.access.placed import ACCESS
from steerco_service.factory import create_app
from steerco_service.hosting import DatabaseUrls, Host, databases_of
from steerco_service.identity.authenticator import Authenticator
from steerco_service.identity.issuer import Issuer
from steerco_service.identity.keys import KnownKeys
from steerco_service.identity.principal import Principal
from steerco_service.log_key import Signing
from steerco_service.runtime import Runtime, Service

TESTERS = "testers"
TESTER = Principal(Actor(derived_id("person", "tester"), "PMO officer"), "tests", frozenset({TESTERS}))
"""Who asks in tests: an administrator of the whole enterprise, by the group."""

TEST_GROUPS = {TESTERS: (GroupRole("pmo_admin"),)}
SERVICES_CLIENT = "steerco-services"
"""By which client the other services ask for keys."""
FOR_EVER = timedelta(days=36525)
"""Tests move their clocks by days."""


class Urls(Protocol):
    """The ways into one service's database."""

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


def log_only(name: str) -> Service:
    """A service that is nothing but its log: for the events of others that a service under test reads."""
    view = View(name, 1, (SOURCE,), ACCESS)
    return Service(name, name, "A log.", "steerco_service.testkit.migrations", (), view)


def permitting(service: str, *routers: APIRouter) -> None:
    """Let everybody who has a role call the operations of a service that is there for tests only."""
    for route in (route for each in routers for route in each.routes):
        if isinstance(route, APIRoute):
            PERMISSIONS[f"{service}.{route.name}"] = Permission(ROLES)


def with_access(services: Sequence[Service]) -> Sequence[Service]:
    """The services with the log that tells who may do what, if it is not among them."""
    is_there = any(each.name == SOURCE for each in services)
    return services if is_there else [*services, log_only(SOURCE)]


@dataclass(frozen=True, slots=True)
class Served:
    """Services that run."""

    host: Host
    apps: Mapping[str, FastAPI]
    issuer: Issuer
    stack: AsyncExitStack

    async def client(self, service: str, principal: Principal = TESTER) -> httpx.AsyncClient:
        """An HTTP client of one service, with a token of the principal; closed at the end."""
        token = self.issuer.token(principal, SystemClock().now(), timedelta(hours=1))
        client = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.apps[service]),
            base_url=f"http://{service}",
            headers={"Authorization": f"Bearer {token}"},
            timeout=60,
        )
        return await self.stack.enter_async_context(client)

    def trusting(
        self, authenticator: Authenticator, groups: Mapping[str, Sequence[GroupRole]] = MappingProxyType({})
    ) -> Mapping[str, FastAPI]:
        """The same services as applications of their own, which take another issuer's tokens."""
        return {name: self.apart(name, authenticator=authenticator, groups=groups) for name in self.apps}

    def apart(self, service: str, **other: Any) -> FastAPI:
        """A service as an application of its own, whose runtime is another in this."""
        runtime = replace(self.runtime(service), **other)
        self.stack.push_async_callback(runtime.accesses.close)
        return create_app(runtime)

    def runtime(self, service: str) -> Runtime:
        """The resources of one service."""
        return self.host.runtimes[service]

    async def append(
        self,
        service: str,
        stream: str,
        *events: Payload,
        reason: str | None = None,
        units: tuple[UUID, ...] = (),
        behalf: UUID | None = None,
    ) -> Token:
        """Put events at the end of a stream, as if the service had decided them; the token that covers them."""
        runtime = self.runtime(service)
        command_id = new_id()
        context = Context(
            command_id=command_id,
            actor=TESTER.actor,
            client=TESTER.client,
            recorded_at=runtime.clock.now(),
            correlation_id=command_id,
            causation_id=command_id,
            reason=reason,
            org_units=units,
            on_behalf_of=behalf,
        )

        async with runtime.engine.connect() as connection:
            version = (await runtime.store.read_stream(connection, stream)).version
        write = Write(stream, version, events)
        token = await in_transaction(runtime.engine, lambda tx: runtime.store.append(tx, [write], context))
        runtime.signals.appended.notify()
        return token

    async def settled(self) -> None:
        """Return when everything appended is sealed, projected and reacted to."""
        await self.host.settled()


@asynccontextmanager
async def serving(
    services: Sequence[Service],
    server: Server,
    clock: Clock | None = None,
    signing: Signing | None = None,
    parked_limit: int = PARKED_LIMIT,
) -> AsyncIterator[Served]:
    """Migrate new databases of the services and run them all; portfolio's log is added if it is not among them."""
    services = with_access(services)
    issuer = Issuer.generate()
    async with AsyncExitStack() as stack:
        databases = await stack.enter_async_context(server.databases(*databases_of(services)))
        urls = {name: DatabaseUrls(each.owner_url, each.app_url, each.feed_url) for name, each in databases.items()}
        authenticator = Authenticator(KnownKeys(issuer.public()), SystemClock())
        host = Host(
            services,
            urls,
            CATALOG,
            clock or SystemClock(),
            authenticator,
            signing,
            parked_limit=parked_limit,
            first_admin=TESTER.actor.id,
            groups=TEST_GROUPS,
            service_clients=frozenset({SERVICES_CLIENT}),
            stale_after=FOR_EVER,
        )
        await host.migrate()
        apps = host.apps()
        await stack.enter_async_context(host.running())
        await host.settled()
        yield Served(host, apps, issuer, stack)
