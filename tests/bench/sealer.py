"""A log's sealer, as a process of its own, woken as the worker of a service is."""

import asyncio
import os
import signal

from sqlalchemy.ext.asyncio import create_async_engine

from steerco_events.clock import SystemClock
from steerco_events.postgres.lease import Lease
from steerco_events.postgres.sealer import Sealer
from steerco_events.postgres.wakeups import APPENDED, listen
from steerco_events.sealing import Sealing
from steerco_events.signals import Signal
from steerco_events.testkit.logs import running


async def main(url: str) -> None:
    """Seal until SIGTERM."""
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    engine = create_async_engine(url, pool_size=2)
    appended = Signal()
    sealing = Sealing(Sealer(engine, SystemClock(), Lease("sealer")), appended, Signal())
    async with running(sealing.run, lambda: listen(url, {APPENDED: appended})):
        await ended.wait()
    await engine.dispose()


if __name__ == "__main__":
    asyncio.run(main(os.environ["BENCH_URL"]))
