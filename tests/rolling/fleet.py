"""The processes of both services, each of some release, over real databases and a real Kafka; replaced one by one."""

import json
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import httpx
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from steerco_events.clock import SystemClock
from steerco_events.envelope import Actor
from steerco_events.ids import derived_id
from steerco_events.kafka.broker import Broker
from steerco_events.kafka.publisher import KafkaPublisher
from steerco_events.kafka.topics import create_topics
from steerco_events.positions import START, Head
from steerco_servers.child import Child, clean_environment, free_port, start_child
from steerco_servers.provisioning import ServiceDatabase
from steerco_servers.testing import TemporaryPostgres
from steerco_service.access.gaps import SOURCE
from steerco_service.identity.issuer import Issuer
from steerco_service.identity.principal import Principal
from steerco_service.migrations import migrate
from tests.rolling.releases import MIGRATIONS, Release
from tests.rolling.serve import ServiceName, name_of

ROOT = Path(__file__).parents[2]
START_SECONDS = 60.0
END_STEPS = ((signal.SIGTERM, 20.0),)
PERSON = Principal(Actor(derived_id("person", "docker"), "Docker"), "tests of upgrades", frozenset({"testers"}))

_WORKERS = text("SELECT name FROM log.leases WHERE name LIKE 'worker %' AND expires_at > clock_timestamp()")


@dataclass
class Fleet:
    """What runs of one dock and one harbor. `rotation`: the dock's APIs that requests are sent to, by turns."""

    name: str
    directory: Path
    databases: dict[ServiceName, ServiceDatabase]
    kafka: str
    lease_seconds: float = 10.0
    issuer: Issuer = field(default_factory=Issuer.generate)
    rotation: list[str] = field(default_factory=list)
    codes: Counter[int] = field(default_factory=Counter)
    _children: list[Child] = field(default_factory=list)
    _engines: dict[ServiceName, AsyncEngine] = field(default_factory=dict)

    def engine(self, service: ServiceName) -> AsyncEngine:
        """To look into a service's database, by the app's role."""
        if service not in self._engines:
            self._engines[service] = create_async_engine(self.databases[service].app_url, pool_size=2)
        return self._engines[service]

    def client(self) -> httpx.AsyncClient:
        """A client that may do everything."""
        token = self.issuer.token(PERSON, SystemClock().now(), timedelta(hours=1))
        return httpx.AsyncClient(headers={"Authorization": f"Bearer {token}"}, timeout=30)

    async def migrate(self, release: Release) -> None:
        """Bring the databases to what a release needs, as its job does before any of its processes starts."""
        for database in self.databases.values():
            await migrate(MIGRATIONS[release], database.owner_url)

    async def start_api(self, release: Release) -> "Api":
        """Start an API of the dock, and send it requests once it is ready."""
        port = free_port()
        api = Api(self._start(release, "dock", "api", port), f"http://127.0.0.1:{port}")
        async with self.client() as client:

            async def is_ready() -> bool:
                try:
                    return (await client.get(f"{api.address}/readyz")).status_code == 200
                except httpx.TransportError:
                    return False

            await api.child.until(is_ready, START_SECONDS)
        self.rotation.append(api.address)
        return api

    async def start_worker(self, release: Release, service: ServiceName) -> Child:
        """Start a worker, and return when the others know of it."""
        before = await self._workers(service)
        child = self._start(release, service, "worker")

        async def is_known() -> bool:
            return bool(await self._workers(service) - before)

        await child.until(is_known, START_SECONDS)
        return child

    async def end(self, child: Child) -> None:
        """End a process as an operator does."""
        await child.stop(END_STEPS)
        self.codes[child.exit_code or 0] += 1

    async def kill(self, child: Child) -> None:
        """End a process by `kill -9`."""
        await child.stop(())

    async def end_api(self, api: "Api") -> None:
        """End an API as an operator does; it gets requests until it has ended."""
        await self.end(api.child)
        self.rotation.remove(api.address)

    def said(self) -> Sequence[str]:
        """The lines that the processes have said."""
        return [line for log in sorted(self.directory.glob("*.log")) for line in log.read_text().splitlines()]

    async def close(self) -> None:
        """Kill what still runs."""
        for child in self._children:
            await self.kill(child)
        for engine in self._engines.values():
            await engine.dispose()

    async def _workers(self, service: ServiceName) -> set[str]:
        async with self.engine(service).connect() as connection:
            return set((await connection.execute(_WORKERS)).scalars())

    def _start(self, release: Release, service: ServiceName, role: str, port: int = 0) -> Child:
        name = f"{len(self._children):02}-{release}-{service}-{role}"
        child = start_child(
            name,
            [sys.executable, "-m", "tests.rolling.serve", release, self.name, service, role],
            log=self.directory / f"{name}.log",
            death_signal=signal.SIGKILL,
            environment=clean_environment(
                PYTHONPATH=os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
                STEERCO_DATABASE_URL=self.databases[service].app_url,
                STEERCO_KAFKA=self.kafka,
                STEERCO_KAFKA_REPLICATION="1",
                STEERCO_LEASE_SECONDS=str(self.lease_seconds),
                STEERCO_SHARDS="2",
                STEERCO_GROUP_ROLES="testers=pmo_admin",
                STEERCO_ISSUER_KEY=str(self.directory / "issuer.json"),
                STEERCO_PORT=str(port),
                STEERCO_OPERATIONS_PORT="0",
            ),
        )
        self._children.append(child)
        return child


@dataclass(frozen=True, slots=True)
class Api:
    """An API that runs, and where it listens."""

    child: Child
    address: str


@asynccontextmanager
async def fleet_of(name: str, postgres: TemporaryPostgres, kafka: str, directory: Path) -> AsyncIterator[Fleet]:
    """The databases and topics of a fleet of which nothing runs yet; portfolio's log is there, and empty."""
    services: dict[ServiceName, str] = {"dock": name_of(name, "dock"), "harbor": name_of(name, "harbor")}
    await create_topics(Broker(kafka), [*services.values(), SOURCE], replication=1)
    publisher = KafkaPublisher(SOURCE, Broker(kafka), replication=1)
    await publisher.publish_head(Head((0,), START, SystemClock().now()))
    await publisher.close()
    async with postgres.databases(*services.values()) as databases:
        fleet = Fleet(name, directory, {each: databases[services[each]] for each in services}, kafka)
        (directory / "issuer.json").write_text(json.dumps(fleet.issuer.public()))
        await fleet.migrate("before")
        try:
            yield fleet
        finally:
            await fleet.close()
