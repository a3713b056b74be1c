"""The service's own log, as it is served: from which place, once it has what the caller has seen, page by page."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from steerco_events.ports import LogRewound
from steerco_events.positions import Token
from steerco_events.postgres.event_pages import EventPage, EventPages, Filter, GenerationUnknown, Place
from steerco_service import consistency
from steerco_service.events.asked import Asked
from steerco_service.events.log_head import LogHead
from steerco_service.problems import Problem
from steerco_service.runtime import Runtime

READ_AT_ONCE = 2
"""However many of those who wait wake at once: commands and queries keep their connections."""


HELD_SECONDS = 0.5
"""How long who sees a part waits before it looks whether more is known of what that part is."""

type SoughtNow = Callable[[], Awaitable[Filter | None]]
"""What is sought of the feed by what is known now; `None` when the part that who asks may read is another."""


class Feed:
    """One for each application; what it reads and watches is shared by all who ask."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.pages = EventPages(runtime.service.name, runtime.engine, runtime.registry)
        self.head = LogHead(self.pages, runtime.signals.sealed)
        self.turn = asyncio.Semaphore(READ_AT_ONCE)

    async def has(self, token: Token, sought: Filter, sought_now: SoughtNow, deadline: float) -> Filter:
        """What is sought, once the log is sealed as far as the token goes, and given as far to who asks.

        Raises a 503 `log-behind` at the deadline, and a 409 `log-rewound` when the log was restored to a point before.
        """
        generation, target = token.target(self.runtime.service.name)
        if generation == 0:
            return sought
        await self.is_sealed(token, deadline)
        while sought.known_at is not None and (await self.pages.place_at(sought.known_at)).position < max(target):
            await self.learns(self._left(deadline))
            now = await sought_now()
            if now is None:
                raise _behind("what the caller may read has become another; ask again")
            sought = now
        return sought

    async def is_sealed(self, token: Token, deadline: float) -> None:
        """Return once the log is sealed as far as the token goes. Raises as `has`."""
        service = self.runtime.service.name
        generation, target = token.target(service)
        while generation:
            end = await self.pages.end()
            consistency.check_not_rewound(token, service, end.began)
            if len(end.began) >= generation and end.position >= max(target):
                return
            await self.head.passes(max(end.position, max(target) - 1), self._left(deadline))

    def _left(self, deadline: float) -> float:
        left = deadline - asyncio.get_running_loop().time()
        if left <= 0:
            raise _behind(f"the log of {self.runtime.service.name} is not sealed yet as far as the token covers")
        return left

    @staticmethod
    async def learns(seconds: float, unless: asyncio.Future[Any] | None = None) -> None:
        """Return when more may be known of units and appointments, after `seconds`, or when `unless` is done."""
        waited = min(HELD_SECONDS, max(0.0, seconds))
        await (asyncio.wait([unless], timeout=waited) if unless else asyncio.sleep(waited))

    async def place(self, asked: Asked) -> Place:
        """Where the question begins. Raises a 400 or 409 `Problem` that names the parameter, the rule and the value."""
        match asked.cursor.parsed():
            case "end":
                end = await self.pages.end()
                return end.place(end.position)
            case datetime() as at:
                if at > self.runtime.clock.now():
                    raise asked.cursor.problem(400, "malformed-cursor", f"{asked.cursor.text} is in the future")
                return await self.pages.place_at(at)
            case generation, position:
                end = await self.pages.end()
                place = Place(len(end.began) if generation is None else generation, position)
                try:
                    end.check(place, self.runtime.service.name)
                except GenerationUnknown as error:
                    raise asked.cursor.problem(400, "unknown-generation", str(error)) from error
                except LogRewound as error:
                    raise asked.cursor.problem(409, "log-rewound", str(error)) from error
                return place

    async def page(self, asked: Asked, place: Place, sought_now: SoughtNow, stopping: asyncio.Event) -> EventPage:
        """The page after a place; one without an event waits for one, as long as was asked for."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + asked.wait
        stopped = asyncio.ensure_future(stopping.wait())
        try:
            sought = asked.sought
            page = await self.pages.read(place, asked.limit, sought)
            while not page.events and (left := deadline - loop.time()) > 0 and not stopping.is_set():
                if page.is_held:
                    await self.learns(left, stopped)
                    now = await sought_now()
                    if now is None:
                        break
                    sought = now
                elif page.is_last:
                    await self.head.leaves(page.end, left, stopped)
                async with self.turn:
                    page = await self.pages.read(page.end, asked.limit, sought)
            return page
        except (GenerationUnknown, LogRewound) as error:
            raise Problem(409, "log-rewound", str(error)) from error
        finally:
            stopped.cancel()


def _behind(detail: str) -> Problem:
    return Problem(503, "log-behind", detail, headers={"Retry-After": "1"})
