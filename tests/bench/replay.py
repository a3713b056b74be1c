"""The memory of a worker that builds the register from two million events."""

import asyncio
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from sqlalchemy.ext.asyncio import create_async_engine

from steerco_events.clock import SystemClock
from steerco_events.contracts.catalog import CATALOG
from steerco_events.ports import WHOLE, EventFeed, Shard
from steerco_events.postgres.feed import StoreFeed
from steerco_events.projections.builds import Builds, Standing
from steerco_events.testkit.logs import Log, fresh_log
from steerco_reporting.app import SERVICE
from steerco_servers.testing import TemporaryPostgres, temporary_postgres
from steerco_service.identity import Authenticator, Issuer
from steerco_service.runtime import Runtime, Signals
from steerco_service.workers import run_workers, workers
from tests.bench.figures import Figure, Servers
from tests.bench.portfolios import SERVICES, Portfolios, told_portfolios

EVENTS = 2_000_000
REACH = 250.0
POLL_SECONDS = 0.5
STEPS = 10
URLS = "BENCH_URLS"
REGISTER = "register"


async def work(urls: Mapping[str, str]) -> None:
    """What the worker does until it is ended: keep reporting's view, from the stores of the other services."""
    clock = SystemClock()
    feeds = {service: create_async_engine(urls[service], pool_size=1) for service in SERVICES}

    def open_feed(service: str, shard: Shard = WHOLE) -> EventFeed:
        return StoreFeed(service, feeds[service], CATALOG, Signals().sealed, shard)

    runtime = Runtime(
        service=SERVICE,
        engine=create_async_engine(urls[REGISTER], pool_size=3, max_overflow=3),
        registry=CATALOG,
        clock=clock,
        authenticator=Authenticator(Issuer.generate().public(), clock),
        signals=Signals(),
        open_feed=open_feed,
    )
    await run_workers(workers(runtime))


def memory(pid: int, name: str) -> float:
    """A process's `VmRSS` or `VmHWM`, in megabytes."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (line,) = [line for line in lines if line.startswith(f"{name}:")]
    return int(line.split()[1]) / 1024


async def standing(register: Log) -> Standing | None:
    """How the build stands."""
    async with register.engine.connect() as connection:
        return next(iter(await Builds(SERVICE.view).standings(connection)), None)


async def watched(worker: asyncio.subprocess.Process, register: Log) -> Mapping[str, float]:
    """The memory at each tenth of the way, and at the end the peak."""
    found: dict[str, float] = {}
    while True:
        assert worker.returncode is None, "the worker ended"
        now = await standing(register)
        if now and now.state == "live":
            return found | {"peak": memory(worker.pid, "VmHWM")}
        tenth = STEPS * now.applied // now.goal if now and now.goal else 0
        name = f"at {100 * tenth // STEPS} %"
        if tenth and name not in found:
            found[name] = memory(worker.pid, "VmRSS")
            print(f"{name}: {found[name]:.0f} MB", file=sys.stderr)
        await asyncio.sleep(POLL_SECONDS)


async def replay(portfolios: Portfolios, register: Log) -> Figure:
    """`replay_rss_mb`."""
    urls = {service: str(log.urls.feed_url) for service, log in portfolios.logs.items()}
    environment = os.environ | {URLS: json.dumps(urls | {REGISTER: str(register.urls.app_url)})}
    worker = await asyncio.create_subprocess_exec(sys.executable, "-m", "tests.bench.replay", env=environment)
    try:
        found = await watched(worker, register)
    finally:
        worker.terminate()
        await worker.wait()
    peak = found["peak"]
    return Figure("replay_rss_mb", peak, REACH, "lower", found, f"MB, while {portfolios.events:,} events were replayed")


async def replay_rss_mb(postgres: TemporaryPostgres, events: int = EVENTS) -> Figure:
    """The peak, and what it was on the way."""
    async with told_portfolios(postgres, events) as portfolios, fresh_log(postgres, CATALOG) as register:
        return await replay(portfolios, register)


async def measure(servers: Servers) -> Sequence[Figure]:
    """`replay_rss_mb`."""
    return [await replay_rss_mb(servers.postgres)]


async def _main() -> None:
    async with temporary_postgres() as postgres:
        print(await replay_rss_mb(postgres, *map(int, sys.argv[1:])))


if __name__ == "__main__":
    asyncio.run(work(json.loads(os.environ[URLS])) if URLS in os.environ else _main())
