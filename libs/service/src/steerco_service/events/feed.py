"""The service's own log, as it is served: from which place, once it has what the caller has seen, page by page."""

import asyncio
from datetime import datetime

from steerco_events.ports import LogRewound
from steerco_events.positions import Token
from steerco_events.postgres.event_pages import EventPage, EventPages, GenerationUnknown, Place
from steerco_service import consistency
from steerco_service.events.asked import Asked
from steerco_service.events.log_head import LogHead
from steerco_service.problems import Problem
from steerco_service.runtime import Runtime

READ_AT_ONCE = 2
"""However many of those who wait wake at once: commands and queries keep their connections."""


class Feed:
    """One for each application; what it reads and watches is shared by all who ask."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.pages = EventPages(runtime.service.name, runtime.engine, runtime.registry)
        self.head = LogHead(self.pages, runtime.signals.sealed)
        self.turn = asyncio.Semaphore(READ_AT_ONCE)

    async def has(self, token: Token) -> None:
        """Return when the log is sealed as far as the token goes. Raises a 503 `log-behind` after 5 seconds.

        And a 409 `log-rewound` when the log was restored to a point before it.
        """
        service = self.runtime.service.name
        generation, target = token.target(service)
        if generation == 0:
            return
        loop = asyncio.get_running_loop()
        deadline = loop.time() + consistency.WAIT_SECONDS
        while True:
            end = await self.pages.end()
            consistency.check_not_rewound(token, service, end.began)
            if len(end.began) >= generation and end.position >= max(target):
                return
            left = deadline - loop.time()
            if left <= 0:
                raise Problem(
                    503,
                    "log-behind",
                    f"the log of {service} is not sealed yet as far as the token covers",
                    headers={"Retry-After": "1"},
                )
            await self.head.passes(max(end.position, max(target) - 1), left)

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

    async def page(self, asked: Asked, place: Place, stopping: asyncio.Event) -> EventPage:
        """The page after a place; one without an event waits for one, as long as was asked for."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + asked.wait
        stopped = asyncio.ensure_future(stopping.wait())
        try:
            page = await self.pages.read(place, asked.limit, asked.sought)
            while not page.events and (left := deadline - loop.time()) > 0 and not stopping.is_set():
                if page.is_last:
                    await self.head.leaves(page.end, left, stopped)
                async with self.turn:
                    page = await self.pages.read(page.end, asked.limit, asked.sought)
            return page
        except (GenerationUnknown, LogRewound) as error:
            raise Problem(409, "log-rewound", str(error)) from error
        finally:
            stopped.cancel()
