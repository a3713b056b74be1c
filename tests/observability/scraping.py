"""A service as processes of its own, whose metrics are collected as Prometheus does."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

from steerco_events.clock import SystemClock
from steerco_servers.child import clean_environment, free_port
from steerco_servers.testing import TemporaryPostgres
from steerco_service.hosting import databases_of
from steerco_service.identity.issuer import Issuer
from steerco_service.migrating import MigrationSettings, migrate_service
from steerco_service.privacy.key_database import keys_of
from steerco_service.runtime import Service
from steerco_service.testkit.serving import TESTER

PATIENCE = 60.0
NO_BROKER = "127.0.0.1:1"


@dataclass(frozen=True, slots=True)
class Scraped:
    """What a process has told at one time: values by the series' name and labels."""

    values: Mapping[tuple[str, frozenset[tuple[str, str]]], float]

    @classmethod
    def of(cls, text: str) -> "Scraped":
        """What is in Prometheus' text format."""
        samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
        return cls({(sample.name, frozenset(sample.labels.items())): sample.value for sample in samples})

    @property
    def names(self) -> set[str]:
        """The series that have a value."""
        return {name for name, _ in self.values}

    def sum(self, name: str, **labels: str) -> float:
        """The sum of all series of a name that have these labels."""
        wanted = labels.items()
        return sum(value for (each, has), value in self.values.items() if each == name and wanted <= has)


@dataclass(frozen=True, slots=True)
class Running:
    """One process. `client` asks its port of operations."""

    process: asyncio.subprocess.Process
    client: httpx.AsyncClient

    async def scrape(self) -> Scraped:
        """What it tells now."""
        return Scraped.of((await self.client.get("/metrics")).text)

    async def until(self, holds: Callable[[Scraped], bool]) -> Scraped:
        """The first that holds."""
        found = Scraped({})

        async def told() -> bool:
            nonlocal found
            found = await self.scrape()
            return holds(found)

        await until(told, self.process)
        return found

    async def status(self, path: str) -> int:
        """Of one of its probes."""
        return (await self.client.get(path)).status_code

    async def stop(self) -> int | None:
        """End it as an operator does; with what it ends."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        return await asyncio.wait_for(self.process.wait(), PATIENCE)


@dataclass(frozen=True, slots=True)
class Processes:
    """The API and the worker of a service that keeps keys, without a broker. `client` asks the API, as who may all."""

    api: Running
    worker: Running
    client: httpx.AsyncClient


async def until(holds: Callable[[], Awaitable[bool]], process: asyncio.subprocess.Process) -> None:
    """Return when it holds, while the process lives."""
    async with asyncio.timeout(PATIENCE):
        while True:
            assert process.returncode is None, f"it ended with {process.returncode}"
            try:
                if await holds():
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.05)


@asynccontextmanager
async def processes_of(service: Service, postgres: TemporaryPostgres, folder: Path) -> AsyncIterator[Processes]:
    """Inside, both run, and the API is ready."""
    issuer, key, port = Issuer.generate(), folder / "issuer.json", free_port()
    key.write_text(json.dumps(issuer.public()))
    async with postgres.databases(*databases_of([service])) as databases:
        database, keys = databases[service.name], databases[keys_of(service.name)]
        told = {
            "STEERCO_DATABASE_URL": database.app_url,
            "STEERCO_KEYS_URL": keys.app_url,
            "STEERCO_KAFKA": NO_BROKER,
            "STEERCO_ISSUER_KEY": str(key),
            "STEERCO_GROUP_ROLES": "testers=pmo_admin",
            "STEERCO_PORT": str(port),
        }
        await migrate_service(service, MigrationSettings(owner_url=database.owner_url, keys_owner_url=keys.owner_url))
        token = issuer.token(TESTER, SystemClock().now(), timedelta(hours=1))
        async with (
            running(service, "worker", told, folder) as worker,
            running(service, "api", told, folder) as api,
            httpx.AsyncClient(
                base_url=f"http://127.0.0.1:{port}", headers={"Authorization": f"Bearer {token}"}, timeout=PATIENCE
            ) as client,
        ):

            async def ready() -> bool:
                return await api.status("/readyz") == 200

            await until(ready, api.process)
            yield Processes(api, worker, client)


@asynccontextmanager
async def running(service: Service, role: str, told: Mapping[str, str], folder: Path) -> AsyncIterator[Running]:
    """Inside, a process runs, whose log is in the folder; it is ended afterwards."""
    port = free_port()
    environment = clean_environment(**told, STEERCO_OPERATIONS_PORT=str(port))
    command = [sys.executable, "-m", f"steerco_{service.name}", role]
    with (folder / f"{role}.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=log, stderr=log)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE) as client:
        found = Running(process, client)
        try:
            yield found
        finally:
            await found.stop()
