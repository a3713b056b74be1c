"""A reporting deployment for one unit, as its processes are told, that reads the enterprise's services over HTTP."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from steerco_events.clock import SystemClock
from steerco_events.contracts.catalog import CATALOG
from steerco_events.envelope import Actor
from steerco_events.ids import derived_id
from steerco_reporting.app import SERVICE
from steerco_servers.binaries import postgres_programs
from steerco_servers.provisioning import ServiceDatabase
from steerco_servers.testing import TemporaryPostgres
from steerco_service.factory import create_app
from steerco_service.identity.principal import Principal
from steerco_service.migrations import migrate
from steerco_service.process import Process
from steerco_service.settings import ServiceSettings
from steerco_service.testkit.listening import listening
from steerco_service.testkit.serving import Served

MACHINE = Principal(Actor(derived_id("machine", "reporting"), "Reporting"), "reporting-of-a-unit", is_machine=True)
PATIENCE_SECONDS = 60
APART = {"as_of", "sources", "complete", "end"}
"""What two deployments can't share."""


@dataclass(frozen=True)
class Deployment:
    """One that runs."""

    process: Process
    served: Served
    clients: Mapping[str, httpx.AsyncClient]
    """By whose token they ask."""
    database: ServiceDatabase

    async def knows(self, at: datetime) -> None:
        """Return when it has all that was sealed up to an instant."""
        applied = self.process.runtime.signals.applied.subscribe()
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not await self._is_complete(at):
                await applied.wait(1)

    async def _is_complete(self, at: datetime) -> bool:
        client = next(iter(self.clients.values()))
        answer = await client.get("/sources", params={"as_of": at.isoformat()})
        return answer.status_code == 200 and bool(answer.json()["complete"])

    async def dumped(self) -> str:
        """All that is in its database, as `pg_dump` writes it."""
        whole = ""
        for url, part in (
            (self.database.app_url, "--schema=views"),
            (self.database.owner_url, "--exclude-schema=views"),
        ):
            url = url.replace("postgresql+asyncpg:", "postgresql:")
            program = await asyncio.create_subprocess_exec(
                postgres_programs(None) / "pg_dump", part, f"--dbname={url}", stdout=asyncio.subprocess.PIPE
            )
            said, _ = await program.communicate()
            assert program.returncode == 0
            whole += said.decode()
        return whole


@asynccontextmanager
async def deployed(
    served: Served,
    postgres: TemporaryPostgres,
    folder: Path,
    scope: str,
    people: Mapping[str, Principal],
    environ: pytest.MonkeyPatch,
) -> AsyncIterator[Deployment]:
    """The API and the worker of one, told by settings alone; these people ask it."""
    gateway = Starlette(routes=[Mount(f"/{name}", app) for name, app in served.apps.items()])
    async with AsyncExitStack() as stack:
        source = await stack.enter_async_context(listening(gateway))
        (database,) = (await stack.enter_async_context(postgres.databases("reporting"))).values()
        await migrate(SERVICE.migrations, database.owner_url)
        key = folder / "issuer.json"
        key.write_text(json.dumps(served.issuer.public()))
        told = {
            "STEERCO_DATABASE_URL": database.app_url,
            "STEERCO_ISSUER_KEY": str(key),
            "STEERCO_SCOPE": scope,
            "STEERCO_SOURCE_URL": source.url,
            "STEERCO_SERVICE_TOKEN": token(served, MACHINE),
            "STEERCO_GROUP_ROLES": "everywhere=auditor",
            "STEERCO_OPERATIONS_PORT": "0",
        }
        for name, value in told.items():
            environ.setenv(name, value)
        environ.setattr("steerco_service.process.keep_what_is_there", lambda: None)
        process = Process(SERVICE, ServiceSettings(), CATALOG)
        app = create_app(process.runtime)
        clients = {
            name: await stack.enter_async_context(
                httpx.AsyncClient(
                    transport=httpx.ASGITransport(app),
                    base_url="http://reporting",
                    headers={"Authorization": f"Bearer {token(served, person)}"},
                )
            )
            for name, person in people.items()
        }
        working = asyncio.create_task(process.serve_worker())
        try:
            yield Deployment(process, served, clients, database)
        finally:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)


def token(served: Served, principal: Principal) -> str:
    """A token of the enterprise's issuer."""
    return served.issuer.token(principal, SystemClock().now(), timedelta(hours=1))


def shared(answer: Any) -> Any:
    """What two deployments have in common in an answer."""
    match answer:
        case dict():
            return {name: shared(each) for name, each in answer.items() if name not in APART}
        case list():
            return [shared(each) for each in answer]
        case _:
            return answer
