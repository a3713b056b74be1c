"""A worker of a new release takes no part before the database is migrated: those of before go on with all of it."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from steerco_events.contracts.catalog import CATALOG
from steerco_events.testkit.logs import PATIENCE
from steerco_servers.child import free_port
from steerco_servers.provisioning import ServiceDatabase
from steerco_servers.testing import TemporaryPostgres
from steerco_service.identity.issuer import Issuer
from steerco_service.migrations import migrate, revisions_of
from steerco_service.process import Process
from steerco_service.settings import ServiceSettings
from steerco_service.testkit.serving import log_only

SERVICE = log_only("risk")
SAID = "risk does not work yet: it waits until its database is migrated"
WORKER = """
import asyncio
from steerco_events.contracts.catalog import CATALOG
from steerco_service.process import Process
from steerco_service.settings import ServiceSettings
from steerco_service.testkit.serving import log_only

asyncio.run(Process(log_only("risk"), ServiceSettings(), CATALOG).serve_worker())
"""


@pytest.fixture
async def database(postgres: TemporaryPostgres) -> AsyncIterator[ServiceDatabase]:
    """A database as the release before has it."""
    async with postgres.databases("risk") as databases:
        await migrate(SERVICE.migrations, databases["risk"].owner_url, revisions_of(SERVICE.migrations)[-2])
        yield databases["risk"]


@pytest.fixture
def told(database: ServiceDatabase, tmp_path: Path) -> Mapping[str, str]:
    """The environment of a worker, without a broker."""
    key = tmp_path / "issuer.json"
    key.write_text(json.dumps(Issuer.generate().public()))
    return {
        "STEERCO_DATABASE_URL": database.app_url,
        "STEERCO_KAFKA": "127.0.0.1:1",
        "STEERCO_ISSUER_KEY": str(key),
        "STEERCO_OPERATIONS_PORT": str(free_port()),
    }


async def leases(database: ServiceDatabase) -> set[str]:
    engine = create_async_engine(database.app_url, poolclass=NullPool)
    async with engine.connect() as connection:
        return set((await connection.execute(text("SELECT name FROM log.leases"))).scalars())


async def until(is_so: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not await is_so():
            await asyncio.sleep(0.05)


async def test_it_says_so_once_answers_probes_meanwhile_and_works_then(
    database: ServiceDatabase,
    told: Mapping[str, str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("steerco_service.process.keep_what_is_there", lambda: None)
    monkeypatch.setattr("steerco_service.migrated.LOOK_SECONDS", 0.01)
    working = asyncio.create_task(Process(SERVICE, ServiceSettings(), CATALOG).serve_worker())
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{told['STEERCO_OPERATIONS_PORT']}") as client:

            async def answers(*expected: int) -> bool:
                try:
                    found = [(await client.get(f"/{path}")).status_code for path in ("livez", "startupz", "readyz")]
                except httpx.TransportError:
                    return False
                return found == [*expected]

            async def is_said() -> bool:
                return SAID in caplog.messages

            await until(is_said)
            await until(lambda: answers(204, 503, 503))
            assert await leases(database) == set()

            async def works() -> bool:
                return "sealer" in await leases(database)

            await migrate(SERVICE.migrations, database.owner_url)
            await until(works)
            assert await answers(204, 200, 200)
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
    assert caplog.messages.count(SAID) == 1


async def test_one_that_waits_ends_when_it_is_told_to(told: Mapping[str, str]) -> None:
    worker = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WORKER, env={**os.environ, **told}, stderr=asyncio.subprocess.PIPE
    )
    assert worker.stderr
    try:
        async with asyncio.timeout(PATIENCE):
            while SAID not in (line := (await worker.stderr.readline()).decode()):
                assert line, "it has ended before"
        worker.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(worker.wait(), 20) == 0
    finally:
        if worker.returncode is None:
            worker.kill()
            await worker.wait()
