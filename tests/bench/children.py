"""The processes that are measured, each a child of the bench, ended with it."""

import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from steerco_servers.child import Child, clean_environment, start_child

ROOT = Path(__file__).parents[2]
START_SECONDS = 60.0
STOP_STEPS = ((signal.SIGTERM, 10.0),)


@asynccontextmanager
async def child(
    name: str, directory: Path, *arguments: str, ready: Callable[[], Awaitable[bool]] | None = None, **environment: str
) -> AsyncIterator[Child]:
    """Inside, `python -m` with these arguments runs, and is ready; its log is in the directory."""
    started = start_child(
        name,
        [sys.executable, "-m", *arguments],
        log=directory / f"{name}.log",
        death_signal=signal.SIGTERM,
        environment=clean_environment(PYTHONPATH=str(ROOT), **environment),
    )
    try:
        if ready:
            await started.until(ready, START_SECONDS)
        yield started
    finally:
        await started.stop(STOP_STEPS)
