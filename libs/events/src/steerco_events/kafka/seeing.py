"""What was told to one broker is known to the others a moment later: it is waited for, and not for ever."""

import asyncio
from collections.abc import Awaitable, Callable

SEEN_SECONDS = 0.05
"""How often is looked whether it is so."""

SEEN_WITHIN = 20.0


async def seen(why_not: Callable[[], Awaitable[Exception | None]]) -> None:
    """Return once nothing is said against it. Raises what is still said against it after `SEEN_WITHIN` seconds."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + SEEN_WITHIN
    while reason := await why_not():
        if loop.time() > deadline:
            raise reason
        await asyncio.sleep(SEEN_SECONDS)
