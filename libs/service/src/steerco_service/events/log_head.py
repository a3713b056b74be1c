"""How far the service's log is sealed, watched once for everybody in this process who waits for it to go on."""

import asyncio
from collections.abc import Callable
from typing import Any

from steerco_events.postgres.event_pages import EventPages, Place, SealedEnd
from steerco_events.postgres.faults import DATABASE_FAULTS
from steerco_events.signals import Signal

POLL_SECONDS = 1.0
"""How long a wake-up that was lost can hold up those who wait."""


class LogHead:
    """The sealed end of one log. It is read when it is signaled to have moved and once a second, while anybody
    waits; a hundred who wait make as many questions about the log as one. Whether they may go on is asked beside it,
    once a second at most for all streams of a person.
    """

    def __init__(self, pages: EventPages, sealed: Signal) -> None:
        self._pages = pages
        self._sealed = sealed
        self._position = 0
        self._waiting: dict[asyncio.Future[Any], Callable[[SealedEnd], bool]] = {}
        self._watch: asyncio.Task[None] | None = None

    async def passes(self, position: int, seconds: float) -> bool:
        """True when the log is sealed beyond a position (or can't be asked now); false after `seconds`."""
        return await self._comes(lambda end: end.position > position, position, seconds)

    async def leaves(self, place: Place, seconds: float, unless: asyncio.Future[Any]) -> bool:
        """True when there is more after a place, when the log was rewound to before it (or can't be asked now); false
        after `seconds`, or when `unless` is done.
        """
        return await self._comes(
            lambda end: end.position > place.position or not end.has(place), place.position, seconds, unless
        )

    async def _comes(
        self,
        awaited: Callable[[SealedEnd], bool],
        position: int,
        seconds: float,
        unless: asyncio.Future[Any] | None = None,
    ) -> bool:
        """Wait for what an end is to be; one beyond `position` is."""
        came: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if self._watch is None:
            self._watch = asyncio.create_task(self._look(), name="log head")
        elif self._position > position:
            return True
        self._waiting[came] = awaited
        try:
            first = {came, unless} if unless else {came}
            await asyncio.wait(first, timeout=max(0.0, seconds), return_when=asyncio.FIRST_COMPLETED)
            return came.done()
        finally:
            del self._waiting[came]

    async def _look(self) -> None:
        sealed = self._sealed.subscribe()
        try:
            while self._waiting:
                end = await self._pages.end()
                self._position = end.position
                self._wake(end)
                await sealed.wait(POLL_SECONDS)
        except DATABASE_FAULTS:
            pass  # whoever waits reads next, and meets the fault
        finally:
            self._watch = None
            self._wake(None)

    def _wake(self, end: SealedEnd | None) -> None:
        for came, awaited in self._waiting.items():
            if not came.done() and (end is None or awaited(end)):
                came.set_result(None)
