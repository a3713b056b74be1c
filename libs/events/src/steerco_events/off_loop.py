"""Calls that may block for long, such as of a file on a volume over the network, made beside the event loop."""

import asyncio
from collections.abc import Callable
from typing import Any

from steerco_events.bounding import Hangs, bounded


class OffLoop:
    """Makes such calls in threads: one at a time, each waited for so long.

    What is waited for no more goes on in its thread, and may come to its end later; until then no other is begun.
    """

    def __init__(self, seconds: float, name: str) -> None:
        self._seconds = seconds
        self._name = name
        self._under_way: asyncio.Task[Any] | None = None

    async def call[T](self, run: Callable[..., T], *arguments: object) -> T:
        """What `run` returns, or raises. Raises `Hangs` where it, or the call before, comes to no end."""
        if self._under_way and not self._under_way.done():
            raise Hangs(f"{self._name} has not come to its end since it was last begun")
        begun = asyncio.create_task(asyncio.to_thread(run, *arguments))
        begun.add_done_callback(_hear)
        self._under_way = begun
        async with bounded(self._seconds, self._name):
            return await asyncio.shield(begun)


def _hear(done: asyncio.Task[Any]) -> None:
    """Take notice of how it ended, if nobody else does any more."""
    if not done.cancelled():
        done.exception()
