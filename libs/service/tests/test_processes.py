"""What a service does while its database is not there, or not ready, and when its process is told to end."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from steerco_events.clock import SystemClock
from steerco_events.contracts.catalog import CATALOG
from steerco_events.postgres.lease import Lease
from steerco_events.postgres.wakeups import SEALED
from steerco_servers.provisioning import ServiceDatabase
from steerco_servers.testing import TemporaryPostgres
from steerco_service.hosting import DatabaseUrls, Host
from steerco_service.identity.authenticator import Authenticator
from steerco_service.identity.issuer import Issuer
from steerco_service.identity.keys import KnownKeys
from steerco_service.migrations import migrate
from steerco_service.process import Process
from steerco_service.settings import ServiceSettings
from steerco_service.testkit.serving import TESTER, log_only

SERVICE = log_only("risk")

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
    """A database that nothing was done to yet."""
    async with postgres.databases("risk") as databases:
        yield databases["risk"]


@asynccontextmanager
async def client_of(database: ServiceDatabase) -> AsyncIterator[httpx.AsyncClient]:
    issuer = Issuer.generate()
    urls = {"risk": DatabaseUrls(database.owner_url, database.app_url, database.feed_url)}
    clock = SystemClock()
    host = Host([SERVICE], urls, CATALOG, clock, Authenticator(KnownKeys(issuer.public()), clock))
    token = issuer.token(TESTER, clock.now(), timedelta(hours=1))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(host.apps()["risk"]),
        base_url="http://risk",
        headers={"Authorization": f"Bearer {token}"},
    ) as client:
        yield client
    await host.runtimes["risk"].close()


async def test_a_database_that_is_not_migrated_is_not_ready(database: ServiceDatabase) -> None:
    async with client_of(database) as client:
        for path in ("/readyz", "/startupz"):
            answer = await client.get(path)
            assert (answer.status_code, answer.json()["type"]) == (503, "urn:steerco:problem:not-migrated")
        assert (await client.get("/livez")).status_code == 204


@pytest.mark.parametrize(
    "gone",
    [
        "postgresql+asyncpg://app@/risk?host=%2Fnowhere",
        "postgresql+asyncpg://app@127.0.0.1:1/risk",
        "no such database",
    ],
)
async def test_a_database_that_cannot_be_reached_is_a_problem_and_not_a_fault(
    database: ServiceDatabase, gone: str
) -> None:
    url = database.app_url.replace(f"/{database.name}?", "/gone?") if " " in gone else gone
    async with client_of(ServiceDatabase("risk", "gone", url, url, url)) as client:
        for method, path in (("GET", "/readyz"), ("GET", "/views/risk"), ("POST", "/views/risk/rebuild")):
            answer = await client.request(method, path)
            assert (answer.status_code, answer.json()["type"]) == (503, "urn:steerco:problem:database-unavailable")
            assert answer.headers["Retry-After"] == "1"


@pytest.fixture
async def settings(database: ServiceDatabase, tmp_path: Path) -> Mapping[str, str]:
    """The environment of a process, whose database is migrated."""
    await migrate(SERVICE.migrations, database.owner_url)
    key = tmp_path / "issuer.json"
    key.write_text(json.dumps(Issuer.generate().public()))
    return {
        "STEERCO_DATABASE_URL": database.app_url,
        "STEERCO_KAFKA": "127.0.0.1:1",
        "STEERCO_OPERATIONS_PORT": "0",
        "STEERCO_ISSUER_KEY": str(key),
    }


async def test_a_worker_hears_of_what_another_has_sealed(
    settings: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("steerco_service.process.keep_what_is_there", lambda: None)
    process = Process(SERVICE, ServiceSettings(), CATALOG)
    engine = process.runtime.engine
    async with engine.begin() as tx:
        await Lease("sealer", timedelta(hours=1)).acquire(tx)
    hearing = asyncio.create_task(process.runtime.open_feed("risk").wait(600))
    working = asyncio.create_task(process.serve_worker())
    try:
        async with asyncio.timeout(60):
            while not hearing.done():  # until it listens, too
                async with engine.begin() as connection:
                    await connection.execute(text(f"NOTIFY {SEALED}"))
                await asyncio.sleep(0.05)
    finally:
        working.cancel()
        hearing.cancel()
        await asyncio.gather(working, hearing, return_exceptions=True)


async def test_a_worker_that_is_told_to_end_leaves_its_leases_to_the_next(
    database: ServiceDatabase, settings: Mapping[str, str]
) -> None:
    worker = await asyncio.create_subprocess_exec(sys.executable, "-c", WORKER, env={**os.environ, **settings})
    engine = create_async_engine(database.app_url, poolclass=NullPool)

    async def leases() -> dict[str, bool]:
        async with engine.connect() as connection:
            return {
                name: is_held
                for name, is_held in await connection.execute(
                    text("SELECT name, expires_at > clock_timestamp() FROM log.leases")
                )
            }

    try:
        async with asyncio.timeout(60):
            while not (await leases()).get("sealer"):
                await asyncio.sleep(0.05)
        worker.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(worker.wait(), 20) == 0
    finally:
        if worker.returncode is None:
            worker.kill()
            await worker.wait()
    assert not any((await leases()).values())


async def test_a_process_is_told_for_how_long_it_is_known_who_asked(
    settings: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**settings, "STEERCO_ACCESS_LOG_DAYS": "30"}.items():
        monkeypatch.setenv(name, value)
    runtime = Process(SERVICE, ServiceSettings(), CATALOG).runtime
    await runtime.close()
    assert runtime.accesses_kept == timedelta(days=30)
