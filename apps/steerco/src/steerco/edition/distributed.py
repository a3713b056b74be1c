"""The distributed edition on one machine: every service as an API and a worker process, over PostgreSQL and Kafka."""

import asyncio
import json
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from functools import partial
from math import inf
from pathlib import Path

import httpx
from rich.console import Console

from steerco.edition.background import in_background
from steerco.edition.brokers import Brokers, brokers
from steerco.edition.directory import DataDirectory, EditionFailed
from steerco.edition.embedded import (
    OPERATOR,
    OPERATOR_ROLES,
    OPERATORS,
    TOKEN_LASTS,
    authenticator_of,
    bind,
    kept_issuer,
    open_directory,
    serve,
)
from steerco.edition.proxy import proxy_app, proxy_client
from steerco.edition.services import SERVICES
from steerco.traces.collecting import collecting
from steerco.traces.keeping import KeptTraces
from steerco.traces.serving import serve_traces
from steerco_events.clock import SystemClock
from steerco_events.envelope import Actor
from steerco_events.ids import derived_id
from steerco_servers.child import Child, ServerFailed, clean_environment, free_port, start_child
from steerco_servers.postgres import ServiceDatabase, provision, start_postgres
from steerco_service.exporting import install_tracing
from steerco_service.hosting import databases_of
from steerco_service.identity.principal import Principal
from steerco_service.kafka_settings import KafkaSettings, environment_of
from steerco_service.privacy.key_database import keys_of
from steerco_service.settings import EdgeSettings

SERVICES_TOGETHER = Principal(Actor(derived_id("services"), "services"), "steerco-services", is_machine=True)
"""Whom the services' own token speaks for, which shows people's names."""

START_SECONDS = 60.0
LOOK_SECONDS = 1.0
"""How soon a process that ended is started again, and between two starts of one that ends at once."""

_SAMPLED = {"OTEL_TRACES_SAMPLER": "parentbased_always_off"}
"""What is kept here are the traces of whoever asks for that, as the `steerco` command does."""

ROLES = ("worker", "api")
"""What each service has a process for."""

STOP_STEPS = ((signal.SIGTERM, 10.0), (signal.SIGKILL, 5.0))


class ServiceProcesses:
    """The processes of all services, and where their APIs listen."""

    def __init__(
        self,
        directory: DataDirectory,
        databases: Mapping[str, ServiceDatabase],
        kafka: Brokers,
        issuer_key: Path,
        token: str,
        edge: Mapping[str, str],
    ) -> None:
        self._directory = directory
        self._databases = databases
        self._kafka = kafka
        self._issuer_key = issuer_key
        self._token = token
        self._edge = edge
        self.ports = {service.name: free_port() for service in SERVICES}
        self.operations = {f"{service.name} {role}": free_port() for service in SERVICES for role in ROLES}
        self._running: dict[tuple[str, str], Child] = {}

    @property
    def addresses(self) -> dict[str, str]:
        """Each API's address."""
        return {name: f"http://127.0.0.1:{port}" for name, port in self.ports.items()}

    def start_all(self) -> Sequence[Child]:
        """Start the worker and the API of every service."""
        for service in SERVICES:
            for role in ROLES:
                self._running[service.name, role] = self.start(service.name, role)
        return list(self._running.values())

    async def tend(self, tell: Callable[[str], None]) -> None:
        """Start again whatever ends, until cancelled; what can't be started now is tried again."""
        while True:
            for (service, role), child in self._running.items():
                if child.exit_code is not None:
                    ended = f"{child.name} ended with code {child.exit_code}"
                    try:
                        self._running[service, role] = self.start(service, role)
                    except (ServerFailed, OSError) as error:
                        tell(f"{ended} and can't be started now: {error}")
                    else:
                        tell(f"{ended} and starts again; its log is {child.log}")
            await asyncio.sleep(LOOK_SECONDS)

    async def stop(self) -> None:
        """End them all."""
        await asyncio.gather(*(child.stop(STOP_STEPS) for child in self._running.values()))

    def migrate(self, service: str) -> Child:
        """Begin to bring a service's databases up to date."""
        keys = self._databases.get(keys_of(service))
        owners = {"STEERCO_OWNER_URL": self._databases[service].owner_url}
        return self._start(service, "migrate", owners | ({"STEERCO_KEYS_OWNER_URL": keys.owner_url} if keys else {}))

    def start(self, service: str, role: str) -> Child:
        """Start one process."""
        database, keys = self._databases[service], self._databases.get(keys_of(service))
        told = {"STEERCO_KEYS_URL": keys.app_url} if keys else {}
        if role == "worker":
            told |= environment_of(self._kafka.of(service))
        environment = dict(
            STEERCO_DATABASE_URL=database.app_url,
            STEERCO_KAFKA_REPLICATION=str(self._kafka.replication),
            STEERCO_LOG_KEY=str(self._directory.log_key),
            STEERCO_HEADS=str(self._directory.heads),
            STEERCO_ISSUER_KEY=str(self._issuer_key),
            STEERCO_FIRST_ADMIN=str(OPERATOR.actor.id),
            STEERCO_GROUP_ROLES=OPERATOR_ROLES,
            STEERCO_PORT=str(self.ports[service]),
            STEERCO_OPERATIONS_PORT=str(self.operations.get(f"{service} {role}", 0)),
            STEERCO_ROOT_PATH=f"/{service}",
            STEERCO_SERVICE_CLIENTS=SERVICES_TOGETHER.client,
            STEERCO_PORTFOLIO_URL=self.addresses["portfolio"],
            STEERCO_SERVICE_TOKEN=self._token,
            **told,
            **self._edge,
        )
        return self._start(service, role, environment)

    def _start(self, service: str, role: str, environment: Mapping[str, str]) -> Child:
        return start_child(
            f"{service} {role}",
            [sys.executable, "-m", f"steerco_{service}", role],
            log=self._directory.path / "logs" / f"{service}-{role}.log",
            death_signal=signal.SIGTERM,
            environment=clean_environment(**environment),
        )


async def run_distributed(
    path: Path, port: int, settings: EdgeSettings, kafka_settings: KafkaSettings, console: Console
) -> None:
    """Start everything, serve behind one port until a signal ends it, stop everything.

    The services have the edge, and before them the proxy has what they can't: what it answers itself, and takes whole.
    """
    async with AsyncExitStack() as stack:
        listening = stack.enter_context(bind(port))
        directory = open_directory(path)
        if directory.content() not in (None, "empty"):
            raise EditionFailed(f"{path} holds the example of `steerco up`; choose another: --data-dir DIR")
        (directory.path / "logs").mkdir(exist_ok=True)

        def step(text: str) -> None:
            console.print(f"· {text}", highlight=False)

        server = await stack.enter_async_context(await start_postgres(directory.postgres, progress=step))
        kafka = await stack.enter_async_context(brokers(directory, kafka_settings, step))
        step("preparing databases and roles")
        names = [service.name for service in SERVICES]
        databases = await provision(server.url(), databases_of(SERVICES), passwords=directory.roles)
        issuer = kept_issuer(directory)
        directory.signing()
        public = directory.path / "issuer.public.json"
        public.write_text(json.dumps(issuer.public()))
        kept_traces = KeptTraces()
        told = settings.environment
        if not settings.otlp_endpoint:
            told = _SAMPLED | told | {"OTEL_EXPORTER_OTLP_ENDPOINT": stack.enter_context(collecting(kept_traces.take))}
        tracing = install_tracing("steerco-proxy", settings, processors=[kept_traces.processor()])
        stack.push_async_callback(tracing.stop)
        their_token = issuer.token(SERVICES_TOGETHER, SystemClock().now(), TOKEN_LASTS)
        processes = ServiceProcesses(directory, databases, kafka, public, their_token, told)
        await _migrate(processes, names)
        stack.push_async_callback(processes.stop)
        children = processes.start_all()
        step(f"starting {len(children)} processes")
        token = issuer.token(OPERATOR, SystemClock().now(), TOKEN_LASTS)
        await _until_ready(processes, children, token, step)
        url = f"http://127.0.0.1:{port}"
        directory.mark("empty")
        operations = {name: f"http://127.0.0.1:{port}" for name, port in processes.operations.items()}
        directory.announce(url, token, operations)
        stack.callback(directory.withdraw)
        console.print(f"ready at {url}; STEERCO_DATA_DIR={directory.path} points the client here")
        console.print("stop with Ctrl-C; the data stays")
        titles = {service.name: service.title for service in SERVICES}
        clients = await stack.enter_async_context(proxy_client())
        await stack.enter_async_context(in_background(partial(processes.tend, step), "tending the processes"))
        proxy = proxy_app(processes.addresses, titles, clients)
        serve_traces(proxy, kept_traces, authenticator_of(issuer), OPERATORS)
        await serve(settings.edge.before_proxy(proxy), settings.edge, listening)


async def _migrate(processes: ServiceProcesses, names: Sequence[str]) -> None:
    for name in names:
        child = processes.migrate(name)
        if not await child.finished(START_SECONDS) or child.exit_code != 0:
            raise child.failed("could not migrate")


async def _until_ready(
    processes: ServiceProcesses, children: Sequence[Child], token: str, step: Callable[[str], None]
) -> None:
    """Until every API can serve, and takes the operator for the administrator; however long it makes its first view."""
    async with httpx.AsyncClient(timeout=5, headers={"Authorization": f"Bearer {token}"}) as client:

        async def statuses() -> Sequence[int]:
            for child in children:
                if child.exit_code is not None:
                    raise child.failed("ended while it started")
            with suppress(httpx.TransportError):
                return [
                    (await client.get(f"{address}/{path}")).status_code
                    for path in ("readyz", "log/parked")
                    for address in processes.addresses.values()
                ]
            return ()

        async def answering() -> bool:
            return bool(await statuses())

        async def ready() -> bool:
            return set(await statuses()) == {200}

        await children[0].until(answering, START_SECONDS)
        step("building views")
        await children[0].until(ready, inf)
