"""Cuts off what comes to no end, so that it is an error like any other, after which it is begun anew."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Hangs(Exception):
    """A step came to no end."""


@asynccontextmanager
async def bounded(seconds: float, name: str) -> AsyncIterator[None]:
    """Inside, one step of what is so named. Raises `Hangs` after so many seconds."""
    bound = asyncio.timeout(seconds)
    try:
        async with bound:
            yield
    except TimeoutError as error:
        if bound.expired():
            raise Hangs(f"{name} came to no end in {seconds:.0f} s") from error
        raise
