"""What a process tells operations on a port of its own: whether it lives and is ready, and its metrics."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import httpx
import pytest

from steerco_events.consuming.standing import STALLED_SECONDS, Standing
from steerco_events.contracts.catalog import CATALOG
from steerco_events.ports import WHOLE
from steerco_servers.child import free_port
from steerco_servers.provisioning import ServiceDatabase
from steerco_servers.testing import TemporaryPostgres
from steerco_service.identity.issuer import Issuer
from steerco_service.migrations import migrate, revisions_of
from steerco_service.operations import probes
from steerco_service.operations.serving import operations_app, serve_operations
from steerco_service.process import Process
from steerco_service.settings import ServiceSettings
from steerco_service.testkit.serving import Served, log_only

SERVICE = log_only("risk")


@pytest.fixture
async def database(postgres: TemporaryPostgres) -> AsyncIterator[ServiceDatabase]:
    """A database that nothing was done to yet."""
    async with postgres.databases("risk") as databases:
        yield databases["risk"]


@pytest.fixture
def told(database: ServiceDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mapping[str, str]:
    """The environment of a process, without a broker."""
    key = tmp_path / "issuer.json"
    key.write_text(json.dumps(Issuer.generate().public()))
    told = {
        "STEERCO_DATABASE_URL": database.app_url,
        "STEERCO_KAFKA": "127.0.0.1:1",
        "STEERCO_ISSUER_KEY": str(key),
        "STEERCO_OPERATIONS_PORT": str(free_port()),
    }
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("steerco_service.process.keep_what_is_there", lambda: None)
    return told


@pytest.fixture
async def probing(told: Mapping[str, str]) -> AsyncIterator[httpx.AsyncClient]:
    """Asks a worker that does nothing."""
    runtime = Process(SERVICE, ServiceSettings(), CATALOG).runtime
    transport = httpx.ASGITransport(operations_app([runtime], probes.routes))
    async with httpx.AsyncClient(transport=transport, base_url="http://worker") as client:
        yield client
    await runtime.close()


async def statuses(client: httpx.AsyncClient) -> list[int]:
    return [(await client.get(f"/{path}")).status_code for path in ("livez", "startupz", "readyz", "metrics")]


async def test_a_worker_has_started_once_its_database_is_migrated(
    database: ServiceDatabase, probing: httpx.AsyncClient
) -> None:
    assert (await probing.get("/startupz")).json()["type"] == "urn:steerco:problem:not-migrated"
    for revision in revisions_of(SERVICE.migrations):
        assert await statuses(probing) == [204, 503, 503, 200]
        await migrate(SERVICE.migrations, database.owner_url, revision)
    assert await statuses(probing) == [204, 200, 200, 200]


async def test_a_worker_whose_database_is_away_lives_and_waits_for_it(
    told: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEERCO_DATABASE_URL", "postgresql+asyncpg://app@127.0.0.1:1/risk")
    runtime = Process(SERVICE, ServiceSettings(), CATALOG).runtime
    transport = httpx.ASGITransport(operations_app([runtime], probes.routes))
    async with httpx.AsyncClient(transport=transport, base_url="http://worker") as client:
        assert (await client.get("/readyz")).json()["type"] == "urn:steerco:problem:database-unavailable"
        assert await statuses(client) == [204, 503, 503, 200]
    await runtime.close()


async def test_a_worker_with_a_consumer_that_has_stalled_is_to_be_started_again(
    database: ServiceDatabase, probing: httpx.AsyncClient
) -> None:
    await migrate(SERVICE.migrations, database.owner_url)
    seconds = 0.0
    standing = Standing("risk v1 b1 in the log of portfolio", "risk", "risk", "portfolio", WHOLE, lambda: seconds)
    standing.begins()
    standing.applies()
    assert await statuses(probing) == [204, 200, 200, 200]
    seconds = STALLED_SECONDS
    answer = await probing.get("/livez")
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:steerco:problem:stalled")
    assert standing.name in answer.json()["detail"]
    assert await statuses(probing) == [503, 200, 503, 200]
    standing.leaves()
    assert await statuses(probing) == [204, 200, 200, 200]


async def test_a_worker_without_its_broker_is_degraded_and_goes_on(
    database: ServiceDatabase, told: Mapping[str, str]
) -> None:
    await migrate(SERVICE.migrations, database.owner_url)
    working = asyncio.create_task(Process(SERVICE, ServiceSettings(), CATALOG).serve_worker())
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{told['STEERCO_OPERATIONS_PORT']}") as client:
            answer = await degraded_by(client, "risk relay")
            assert answer["ready"]
            assert await statuses(client) == [204, 200, 200, 200]
            await told_by(client, 'steerco_sealer_leader{service="risk"} 1.0')
            await told_by(client, 'steerco_log_position{service="risk"} 0.0')
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)


async def degraded_by(client: httpx.AsyncClient, name: str) -> Mapping[str, object]:
    async with asyncio.timeout(60):
        while True:
            try:
                found: Mapping[str, object] = (await client.get("/readyz")).json()
                if name in str(found.get("degraded")):
                    return found
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.05)


async def told_by(client: httpx.AsyncClient, line: str) -> None:
    async with asyncio.timeout(60):
        while line not in (await client.get("/metrics")).text.splitlines():
            await asyncio.sleep(0.05)


async def test_where_somebody_listens_already_nobody_else_does() -> None:
    port = free_port()
    first = asyncio.create_task(serve_operations(operations_app([]), "127.0.0.1", port))
    try:
        async with asyncio.timeout(60), httpx.AsyncClient() as client:
            while (await asked(client, port)) != 200:
                await asyncio.sleep(0.01)
        with pytest.raises(OSError, match="in use"):
            await serve_operations(operations_app([]), "127.0.0.1", port)
    finally:
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)


async def asked(client: httpx.AsyncClient, port: int) -> int | None:
    try:
        return (await client.get(f"http://127.0.0.1:{port}/metrics")).status_code
    except httpx.TransportError:
        return None


async def test_who_asks_the_service_sees_no_metrics(served: Served) -> None:
    client = await served.client("risk")
    assert (await client.get("/metrics")).status_code == 404
