"""A command over HTTP: the POST of a pitch with all that it does, against a bare route that inserts one row."""

import json
import os
import pstats
import signal
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import asyncpg

from steerco_events.clock import SystemClock
from steerco_events.contracts.catalog import CATALOG
from steerco_events.contracts.portfolio import UnitOpened
from steerco_events.envelope import Actor, Context
from steerco_events.ids import derived_id, new_id
from steerco_events.postgres.store import Write
from steerco_events.postgres.wakeups import asyncpg_dsn
from steerco_intake.app import SERVICE as INTAKE
from steerco_servers.child import Child, free_port
from steerco_servers.postgres import ServiceDatabase
from steerco_service.hosting import DatabaseUrls, Host
from steerco_service.identity.authenticator import Authenticator
from steerco_service.identity.issuer import Issuer
from steerco_service.identity.keys import KnownKeys
from steerco_service.identity.principal import Principal
from steerco_service.testkit.serving import log_only
from tests.bench.bare_route import TABLE
from tests.bench.children import child
from tests.bench.figures import Figure, Servers, paired
from tests.bench.http_load import answers, post, request_rate
from tests.bench.profiling import lines_of

CALLERS = 32
SECONDS = 4.0
PROFILE_SECONDS = 30.0
OFFICER = Principal(Actor(derived_id("person", "officer"), "PMO officer"), "bench", frozenset({"officers"}))
UNIT = derived_id("unit", "bench")
PITCH = {
    "title": "Licence register on line",
    "unit_id": str(UNIT),
    "project_code": "LIC-01",
    "currency": "EUR",
    "fields": {
        "problem": "Licences are kept on paper in four offices.",
        "outcome": "One register that everyone can search.",
        "sponsor": "Director of Licensing",
    },
    "estimated_cost": {"currency": "EUR", "amount": "125000.00"},
}
BODY = json.dumps(PITCH).encode()


async def open_unit(host: Host) -> None:
    """Let intake know the unit that the pitches are for."""
    portfolio = host.runtimes["portfolio"]
    command_id = new_id()
    context = Context(command_id, OFFICER.actor, "bench", portfolio.clock.now(), command_id, command_id)
    opened = UnitOpened(unit_id=UNIT, code="HQ", name="Headquarters", kind="enterprise")
    async with portfolio.engine.begin() as tx:
        await portfolio.store.append(tx, [Write("organization", 0, [opened])], context)
    portfolio.signals.appended.notify()


async def prepare(databases: Mapping[str, ServiceDatabase], issuer: Issuer) -> None:
    """Migrate the databases, and have intake's view know the unit."""
    urls = {name: DatabaseUrls(each.owner_url, each.app_url, each.feed_url) for name, each in databases.items()}
    clock = SystemClock()
    host = Host([INTAKE, log_only("portfolio")], urls, CATALOG, clock, Authenticator(KnownKeys(issuer.public()), clock))
    await host.migrate()
    async with host.running():
        await open_unit(host)
        await host.settled()


def intake_process(
    port: int, database: ServiceDatabase, issuer: Issuer, directory: Path, *runner: str
) -> AbstractAsyncContextManager[Child]:
    """Inside, intake's API runs as a process; by the module `runner`, if one is given."""
    key = directory / "issuer.json"
    key.write_text(json.dumps(issuer.public()))
    ready = b"GET /readyz HTTP/1.1\r\nHost: bench\r\n\r\n"
    return child(
        "intake",
        directory,
        *(*runner, "steerco_intake", "api"),
        ready=lambda: answers(port, ready),
        STEERCO_DATABASE_URL=database.app_url,
        STEERCO_ISSUER_KEY=str(key),
        STEERCO_PORT=str(port),
        STEERCO_OPERATIONS_PORT="0",
        STEERCO_GROUP_ROLES="officers=pmo_admin",
        STEERCO_ACCESS_STALE_MINUTES="600",
        STEERCO_REQUESTS_PER_SECOND="1000000",
    )


@asynccontextmanager
async def intake_api(database: ServiceDatabase, issuer: Issuer, directory: Path) -> AsyncIterator[int]:
    """Inside, intake's API runs as a process; the port."""
    port = free_port()
    async with intake_process(port, database, issuer, directory):
        yield port


async def pitches(port: int, token: str) -> float:
    """Pitches a second of all callers together."""
    run = new_id()
    return await request_rate(
        port, CALLERS, SECONDS, lambda number: post("/pitches", token, BODY, f"Idempotency-Key: {run}-{number}"), 201
    )


async def profile_of_api(database: ServiceDatabase, issuer: Issuer, token: str, directory: Path) -> Sequence[str]:
    """The profile of the API's process in one more round, which that makes slower."""
    file = directory / "intake.profile"

    async def is_written() -> bool:
        return file.exists()

    port = free_port()
    async with intake_process(port, database, issuer, directory, "tests.bench.profiled", str(file)) as process:
        await pitches(port, token)
        os.kill(process.pid, signal.SIGUSR1)
        await pitches(port, token)
        os.kill(process.pid, signal.SIGUSR2)
        await process.until(is_written, PROFILE_SECONDS)
    return lines_of(pstats.Stats(str(file)))


@asynccontextmanager
async def bare_api(database: ServiceDatabase, issuer: Issuer, token: str, directory: Path) -> AsyncIterator[int]:
    """Inside, the bare route runs as a process; the port."""
    port = free_port()
    dsn = asyncpg_dsn(database.owner_url)
    connection = await asyncpg.connect(dsn)
    await connection.execute(TABLE)
    await connection.close()
    async with child(
        "bare",
        directory,
        "tests.bench.bare_route",
        ready=lambda: answers(port, post("/rows", token, BODY), 201),
        BENCH_DSN=dsn,
        BENCH_ISSUER_KEY=json.dumps(issuer.public()),
        BENCH_PORT=str(port),
    ):
        yield port


async def measure(servers: Servers) -> Sequence[Figure]:
    """`http_command_vs_bare`."""
    issuer = Issuer.generate()
    token = issuer.token(OFFICER, SystemClock().now(), timedelta(hours=1))
    async with AsyncExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="steerco-bench-")))
        databases = await stack.enter_async_context(servers.postgres.databases("intake", "portfolio"))
        await prepare(databases, issuer)
        intake = databases["intake"].app_url
        await stack.enter_async_context(child("sealer", directory, "tests.bench.sealer", BENCH_URL=intake))
        ours = await stack.enter_async_context(intake_api(databases["intake"], issuer, directory))
        bare = await stack.enter_async_context(bare_api(databases["intake"], issuer, token, directory))

        async def rows() -> float:
            return await request_rate(bare, CALLERS, SECONDS, lambda _: post("/rows", token, BODY), 201)

        found = await paired(lambda: pitches(ours, token), rows)
        parts = {"pitches": found.ours, "rows": found.theirs}
        figure = Figure("http_command_vs_bare", found.ratio, 0.5, "higher", parts, "requests/s of 32 callers")
        if figure.is_met:
            return [figure]
        return [replace(figure, profile=await profile_of_api(databases["intake"], issuer, token, directory))]
