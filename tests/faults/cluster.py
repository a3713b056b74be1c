"""Three services as real processes over two PostgreSQL servers and one Kafka; any of them may be upset."""

import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path

import httpx
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from steerco.edition.services import BY_NAME
from steerco_events.clock import SystemClock
from steerco_events.envelope import Actor
from steerco_events.ids import derived_id
from steerco_events.kafka.broker import Broker as Kafka
from steerco_events.kafka.publisher import KafkaPublisher
from steerco_events.kafka.topics import create_topics
from steerco_events.positions import START, Head
from steerco_servers.child import Child, clean_environment, free_port, runs, start_child
from steerco_servers.kafka import remove_kafka
from steerco_servers.postgres import ServiceDatabase, provision, remove_cluster
from steerco_service.identity.issuer import Issuer
from steerco_service.identity.principal import Principal
from steerco_service.log_key import LogKey
from steerco_service.migrations import migrate
from tests.faults.proxy import running_proxy
from tests.faults.serve import CLOCK_VARIABLE
from tests.faults.servers import Broker, Database

LOGS = ("intake", "portfolio")
"""The services whose logs are written to."""

QUIET = ("finance", "risk", "training")
"""The services whose logs are there and empty, because the register reads them."""

RUNNING = (*LOGS, "reporting")
LEASE_SECONDS = 5.0
START_SECONDS = 60.0
STOP_STEPS = ((signal.SIGCONT, 0.0), (signal.SIGTERM, 10.0))
OFFICER = Principal(Actor(derived_id("person", "faults"), "PMO officer"), "tests of faults", frozenset({"testers"}))


class Cluster:
    """Where everything is, and what is done to it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.stores = Database(directory / "stores")
        self.views = Database(directory / "views")
        self.broker = Broker(directory / "kafka", RUNNING)
        self.databases: dict[str, ServiceDatabase] = {}
        self.issuer = Issuer.generate()
        self.heads = directory / "heads"
        self._ports = {service: free_port() for service in RUNNING}
        self._children: dict[tuple[str, str, int], Child] = {}
        self._engines: dict[str, AsyncEngine] = {}

    @property
    def root(self) -> Path:
        """The checkout, for the services' working directory."""
        return Path(__file__).parents[2]

    def shift_clock(self, by: timedelta) -> None:
        """Let the services' clock be that far from the machine's."""
        draft = self.directory / "clock.new"
        draft.write_text(str(by.total_seconds()))
        draft.rename(self.directory / "clock")

    def engine(self, service: str) -> AsyncEngine:
        """To look into a service's database, as its owner."""
        if service not in self._engines:
            self._engines[service] = create_async_engine(self.databases[service].owner_url, poolclass=NullPool)
        return self._engines[service]

    def client(self, service: str, timeout: float = 3.0) -> httpx.AsyncClient:
        """A client of a service's API."""
        token = self.issuer.token(OFFICER, SystemClock().now() - timedelta(days=1), timedelta(days=30))
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.AsyncClient(base_url=f"http://127.0.0.1:{self._ports[service]}", headers=headers, timeout=timeout)

    def start(self, service: str, role: str, number: int = 1) -> None:
        """Start a process; of a worker there may be several, numbered from 1."""
        database = self.databases[service]
        environment = clean_environment(
            PYTHONPATH=os.pathsep.join([str(self.root), os.environ.get("PYTHONPATH", "")]),
            STEERCO_DATABASE_URL=database.app_url,
            STEERCO_KAFKA=self.broker.address(service),
            STEERCO_KAFKA_REPLICATION="1",
            STEERCO_LOG_KEY=str(self.directory / "log-key.json"),
            STEERCO_HEADS=str(self.heads),
            STEERCO_LEASE_SECONDS=str(LEASE_SECONDS),
            STEERCO_GROUP_ROLES="testers=pmo_admin",
            STEERCO_ISSUER_KEY=str(self.directory / "issuer.public.json"),
            STEERCO_PORT=str(self._ports[service]),
            STEERCO_REQUESTS_PER_SECOND="1000000",
            STEERCO_OPERATIONS_PORT="0",
            **{CLOCK_VARIABLE: str(self.directory / "clock")},
        )
        name = f"{service}-{role}-{number}"
        self._children[service, role, number] = start_child(
            name,
            [sys.executable, "-m", "tests.faults.serve", service, role],
            log=self.directory / f"{name}.log",
            death_signal=signal.SIGKILL,
            environment=environment,
        )

    def signal(self, how: signal.Signals, service: str, role: str, number: int = 1) -> None:
        """Send a process a signal: SIGSTOP pauses it, SIGCONT wakes it."""
        os.kill(self._children[service, role, number].pid, how)

    async def kill(self, service: str, role: str, number: int = 1) -> None:
        """End a process by `kill -9`."""
        child = self._children.pop((service, role, number))
        os.kill(child.pid, signal.SIGKILL)
        await child.finished(within=10)

    async def stop(self, service: str, role: str, number: int = 1) -> None:
        """End a process as an operator does."""
        await self._children.pop((service, role, number)).stop(STOP_STEPS)

    def died(self) -> list[str]:
        """The processes that ended and should not have."""
        return [child.name for child in self._children.values() if child.exit_code is not None]

    def keep_logs(self, where: Path) -> None:
        """Copy what every process and server has said."""
        where.mkdir(parents=True, exist_ok=True)
        for log in [*self.directory.glob("*.log"), *self.directory.glob("*/*.log")]:
            shutil.copy(log, where / log.name)

    async def until_ready(self) -> None:
        """Return when every API answers that it is ready."""
        for service in RUNNING:
            child = self._children[service, "api", 1]
            async with self.client(service) as client:

                async def ready(client: httpx.AsyncClient = client) -> bool:
                    try:
                        return (await client.get("/readyz")).status_code == 200
                    except httpx.TransportError:
                        return False

                await child.until(ready, START_SECONDS)

    async def begin(self) -> None:
        """Start everything the first time."""
        self.shift_clock(timedelta(0))
        (self.directory / "issuer.public.json").write_text(json.dumps(self.issuer.public()))
        (self.directory / "log-key.json").write_text(json.dumps(LogKey.generate().private()))
        for database in (self.stores, self.views):
            await database.start()
        await self.broker.start()
        for database, services in ((self.stores, (*LOGS, *QUIET)), (self.views, ("reporting",))):
            passwords = database.directory / "roles.json"
            self.databases |= await provision(database.server.url(), services, passwords=passwords)
        for service, each in self.databases.items():
            await migrate(BY_NAME[service].migrations, each.owner_url)
        await create_topics(Kafka(self.broker.bootstrap), (*LOGS, *QUIET), replication=1)
        for service in QUIET:
            publisher = KafkaPublisher(service, Kafka(self.broker.bootstrap), replication=1)
            await publisher.publish_head(Head((0,), START, SystemClock().now()))
            await publisher.close()
        for service in RUNNING:
            self.start(service, "api")
            self.start(service, "worker")
        await self.until_ready()

    async def end(self) -> None:
        """End everything, in whatever state it is."""
        for child in self._children.values():
            if child.exit_code is None:
                os.kill(child.pid, signal.SIGKILL)
        for child in self._children.values():
            await child.finished(within=10)
        await self.broker.stop()
        await self.stores.stop()
        await self.views.stop()


@asynccontextmanager
async def running_cluster(keep: Path | None = None) -> AsyncIterator[Cluster]:
    """A cluster in a new directory, removed at the end; after a failure its logs are put into `keep`.

    What a killed run left is removed first.
    """
    home = Path(tempfile.gettempdir()).resolve()
    for left in home.glob("steerco-faults-*-*"):
        if not runs(int(left.name.split("-")[2])):
            await _remove(left)
    directory = Path(tempfile.mkdtemp(prefix=f"steerco-faults-{os.getpid()}-", dir=home))
    cluster = Cluster(directory)
    try:
        async with AsyncExitStack() as stack:
            for service, proxy in cluster.broker.proxies.items():
                await stack.enter_async_context(running_proxy(proxy, cluster.broker.proxy_port(service)))
            stack.push_async_callback(cluster.end)
            await cluster.begin()
            yield cluster
    except BaseException:
        if keep:
            cluster.keep_logs(keep)
        raise
    finally:
        await _remove(directory)


async def _remove(directory: Path) -> None:
    await remove_cluster(directory / "stores")
    await remove_cluster(directory / "views")
    await remove_kafka(directory / "kafka")
    shutil.rmtree(directory, ignore_errors=True)
