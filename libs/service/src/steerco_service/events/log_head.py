"""How far the service's log is sealed, watched once for everybody in this process who waits for it to go on."""

import asyncio
from typing import Any

from steerco_events.postgres.event_pages import EventPages
from steerco_events.postgres.faults import DATABASE_FAULTS
from steerco_events.signals import Signal

POLL_SECONDS = 1.0
"""How long a wake-up that was lost can hold up those who wait."""


class LogHead:
    """The sealed head of one log. It is read when it is signaled to have moved and once a second, while anybody
    waits; a hundred who wait make as many questions to the database as one.
    """

    def __init__(self, pages: EventPages, sealed: Signal) -> None:
        self._pages = pages
        self._sealed = sealed
        self._position = 0
        self._waiting: dict[asyncio.Future[Any], int] = {}
        self._watch: asyncio.Task[None] | None = None

    async def passes(self, position: int, seconds: float, unless: asyncio.Future[Any] | None = None) -> bool:
        """True when the log is sealed beyond a position (or can't be asked now); false after `seconds`, or when
        `unless` is done.
        """
        passed: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if self._watch is None:
            self._watch = asyncio.create_task(self._look(), name="log head")
        elif self._position > position:
            return True
        self._waiting[passed] = position
        try:
            awaited = {passed, unless} if unless else {passed}
            await asyncio.wait(awaited, timeout=max(0.0, seconds), return_when=asyncio.FIRST_COMPLETED)
            return passed.done()
        finally:
            del self._waiting[passed]

    async def _look(self) -> None:
        sealed = self._sealed.subscribe()
        try:
            while self._waiting:
                self._position = (await self._pages.end()).position
                self._wake(self._position)
                await sealed.wait(POLL_SECONDS)
        except DATABASE_FAULTS:
            pass  # whoever waits reads next, and meets the fault
        finally:
            self._watch = None
            self._wake(None)

    def _wake(self, sealed_up_to: int | None) -> None:
        for passed, position in self._waiting.items():
            if not passed.done() and (sealed_up_to is None or position < sealed_up_to):
                passed.set_result(None)
