"""What an edition does beside its answers."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from steerco_events.retrying import retrying


@asynccontextmanager
async def in_background(run: Callable[[], Awaitable[None]], name: str) -> AsyncIterator[None]:
    """Inside, `run` goes on, begun again whenever it fails; at the end it is cancelled and waited for."""
    task = asyncio.create_task(retrying(run, name))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
