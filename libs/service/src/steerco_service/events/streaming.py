"""The feed as server-sent events: each event with its place as `id`, and a sign of life while there is none."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from steerco_events.envelope import Recorded
from steerco_events.ports import LogRewound
from steerco_events.postgres.event_pages import EventPage, Filter, GenerationUnknown, Place
from steerco_events.postgres.faults import DATABASE_FAULTS, is_unavailable
from steerco_service.events.feed import Feed, SoughtNow
from steerco_service.events.withholding import Reach
from steerco_service.problems import Problem, problem_response

HEARTBEAT_SECONDS = 15.0
STREAM_PAGE = 200
CHECK_SECONDS = 2.0
"""How long somebody goes on reading who may not any more."""

PROBLEM_EVENT = "steerco.problem"


class EventStream:
    """One stream. It ends when the server stops, when what the caller may read is another, when they may read no
    more or the log was rewound (then its last event is the problem), and when the database is gone; whoever reads it
    asks again from the last `id`.
    """

    def __init__(self, feed: Feed, reach: Reach, sought_now: SoughtNow, stopping: asyncio.Event) -> None:
        self._feed = feed
        self._reach = reach
        self._sought_now = sought_now
        self._stopping = stopping
        self._said_at = 0.0

    async def chunks(self, start: Place) -> AsyncIterator[bytes]:
        """The bytes of the stream. An `id` without data says how far the filters have passed over the log."""
        told = start
        yield self._said(f"retry: 1000\nid: {start}\n\n".encode())
        stopped = asyncio.ensure_future(self._stopping.wait())
        try:
            page = EventPage((), start, is_last=False)
            while not self._stopping.is_set() and (sought := await self._sought_now()):
                following = await self._following(page, sought, stopped)
                if following and following.events:
                    yield self._said(b"".join(block_of(event, self._reach) for event in following.events))
                    told = _place_of(following.events[-1])
                page = following or page
                if self._seconds_of_silence() >= HEARTBEAT_SECONDS:
                    yield self._said(_progress(told, page.end))
                    told = page.end
            yield _progress(told, page.end)
        except Problem as problem:
            yield _problem(problem)
        except (GenerationUnknown, LogRewound) as error:
            yield _problem(Problem(409, "log-rewound", str(error)))
        except DATABASE_FAULTS as error:
            if not is_unavailable(error):
                raise
        finally:
            stopped.cancel()

    async def _following(self, page: EventPage, sought: Filter, stopped: asyncio.Future[Any]) -> EventPage | None:
        """The next page; `None` when none has come before a sign of life or another look is due."""
        left = min(CHECK_SECONDS, HEARTBEAT_SECONDS - self._seconds_of_silence())
        if page.is_held:
            await self._feed.learns(left, stopped)
        elif page.is_last and not await self._feed.head.leaves(page.end, left, stopped):
            return None
        async with self._feed.turn:
            return await self._feed.pages.read(page.end, STREAM_PAGE, sought)

    def _said(self, chunk: bytes) -> bytes:
        self._said_at = asyncio.get_running_loop().time()
        return chunk

    def _seconds_of_silence(self) -> float:
        return asyncio.get_running_loop().time() - self._said_at


def _place_of(event: Recorded) -> Place:
    return Place(event.generation, event.position)


def block_of(event: Recorded, reach: Reach) -> bytes:
    """An event as a block of the stream."""
    place = str(_place_of(event)).encode()
    return b"id: %s\nevent: %s\ndata: %s\n\n" % (place, event.type.encode(), reach.json(event))


def _progress(told: Place, end: Place) -> bytes:
    return b":\n\n" if end == told else f":\nid: {end}\n\n".encode()


def _problem(problem: Problem) -> bytes:
    return f"event: {PROBLEM_EVENT}\ndata: ".encode() + bytes(problem_response(problem).body) + b"\n\n"
