"""The memory of a worker that builds the register from two million events."""

import asyncio
import json
import os
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from sqlalchemy.ext.asyncio import create_async_engine

from steerco_events.clock import SystemClock
from steerco_events.contracts.catalog import CATALOG
from steerco_events.ports import WHOLE, EventFeed, Shard
from steerco_events.postgres.feed import StoreFeed
from steerco_events.projections.builds import Builds, Standing
from steerco_events.testkit.logs import Log, fresh_log
from steerco_reporting.app import SERVICE
from steerco_servers.testing import TemporaryPostgres, temporary_postgres
from steerco_service.garbage import keep_what_is_there
from steerco_service.identity.authenticator import Authenticator
from steerco_service.identity.issuer import Issuer
from steerco_service.identity.keys import KnownKeys
from steerco_service.process import POOL
from steerco_service.runtime import Runtime, Signals
from steerco_service.workers import run_workers, workers
from tests.bench.figures import Figure, Servers
from tests.bench.portfolios import SERVICES, Portfolios, told_portfolios
from tests.bench.profiling import trace_peak

EVENTS = 2_000_000
REACH = 250.0
POLL_SECONDS = 0.5
STEPS = 10
MIDDLE, LAST = STEPS // 2, STEPS - 1
MOST_GROWTH = 0.1
URLS = "BENCH_URLS"
TRACE = "BENCH_TRACE"
REGISTER = "register"


async def work(urls: Mapping[str, str]) -> None:
    """What the worker does until it is ended: keep reporting's view, from the stores of the other services."""
    if TRACE in os.environ:
        trace_peak(Path(os.environ[TRACE]))
    clock = SystemClock()
    feeds = {service: create_async_engine(urls[service], pool_size=1) for service in SERVICES}

    def open_feed(service: str, shard: Shard = WHOLE) -> EventFeed:
        return StoreFeed(service, feeds[service], CATALOG, Signals().sealed, shard)

    runtime = Runtime(
        service=SERVICE,
        engine=create_async_engine(urls[REGISTER], pool_size=POOL, max_overflow=0),
        registry=CATALOG,
        clock=clock,
        authenticator=Authenticator(KnownKeys(Issuer.generate().public()), clock),
        signals=Signals(),
        open_feed=open_feed,
    )
    keep_what_is_there()
    await run_workers(workers(runtime), REGISTER)


def memory(pid: int, name: str) -> float:
    """A process's `VmRSS` or `VmHWM`, in megabytes."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (line,) = [line for line in lines if line.startswith(f"{name}:")]
    return int(line.split()[1]) / 1024


async def standing(register: Log) -> Standing | None:
    """How the build stands."""
    async with register.engine.connect() as connection:
        return next(iter(await Builds(SERVICE.view).standings(connection)), None)


@dataclass(frozen=True, slots=True)
class Watched:
    """The memory of a worker, in megabytes: its peak, and the samples in each tenth of the way, from 0."""

    peak: float
    tenths: Mapping[int, Sequence[float]]

    @property
    def flaw(self) -> str:
        """What is said of memory that grows in the second half of the way; nothing of one that is flat."""
        if not {MIDDLE, LAST} <= self.tenths.keys():
            return "(too short to see whether it is flat)"
        growth = median(self.tenths[LAST]) / median(self.tenths[MIDDLE]) - 1
        return f"(grows by {growth:.0%} in the second half)" if growth > MOST_GROWTH else ""

    @property
    def parts(self) -> Mapping[str, float]:
        """The memory on the way, and the peak."""
        on_the_way = {f"at {100 * n // STEPS} %": median(found) for n, found in sorted(self.tenths.items()) if n}
        return on_the_way | {"peak": self.peak}


async def watched(worker: asyncio.subprocess.Process, register: Log) -> Watched:
    """The memory until the view is live."""
    tenths: dict[int, list[float]] = defaultdict(list)
    while True:
        assert worker.returncode is None, "the worker ended"
        now = await standing(register)
        if now and now.state == "live":
            return Watched(memory(worker.pid, "VmHWM"), tenths)
        if now and now.goal:
            tenth = min(STEPS * now.applied // now.goal, LAST)
            found = memory(worker.pid, "VmRSS")
            if tenth not in tenths:
                print(f"at {100 * tenth // STEPS} %: {found:.0f} MB", file=sys.stderr)
            tenths[tenth].append(found)
        await asyncio.sleep(POLL_SECONDS)


async def replay(postgres: TemporaryPostgres, portfolios: Portfolios, **trace: str) -> Watched:
    """Have a worker of its own build the register; with the file TRACE, it keeps there what is allocated."""
    async with fresh_log(postgres, CATALOG) as register:
        urls = {service: str(log.urls.feed_url) for service, log in portfolios.logs.items()}
        environment = os.environ | {URLS: json.dumps(urls | {REGISTER: str(register.urls.app_url)})} | trace
        worker = await asyncio.create_subprocess_exec(sys.executable, "-m", "tests.bench.replay", env=environment)
        try:
            return await watched(worker, register)
        finally:
            worker.terminate()
            await worker.wait()


async def replay_rss_mb(postgres: TemporaryPostgres, events: int = EVENTS, reach: float = REACH) -> Figure:
    """The peak, what it was on the way, and whether it is flat; if not met, what takes it, by one more replay."""
    async with told_portfolios(postgres, events) as portfolios:
        found = await replay(postgres, portfolios)
        note = f"MB, while {events:,} events were replayed"
        figure = Figure("replay_rss_mb", found.peak, reach, "lower", found.parts, note, found.flaw)
        if figure.is_met:
            return figure
        with tempfile.TemporaryDirectory(prefix="steerco-bench-") as directory:
            trace = Path(directory) / "allocations"
            await replay(postgres, portfolios, **{TRACE: str(trace)}, PYTHONTRACEMALLOC="1")
            return replace(figure, profile=trace.read_text().splitlines())


async def measure(servers: Servers) -> Sequence[Figure]:
    """`replay_rss_mb`."""
    return [await replay_rss_mb(servers.postgres)]


async def _main() -> None:
    async with temporary_postgres() as postgres:
        print(await replay_rss_mb(postgres, *map(int, sys.argv[1:])))


if __name__ == "__main__":
    asyncio.run(work(json.loads(os.environ[URLS])) if URLS in os.environ else _main())
