"""The share of the service's log that a deployment for a scope gets, page by page, and the history of what enters."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text

from steerco_events.envelope import Recorded
from steerco_events.ports import LogRewound
from steerco_events.postgres.event_pages import EventPage, EventPages, Filter, GenerationUnknown
from steerco_events.registry import NewerVersion
from steerco_service.problems import Problem
from steerco_service.runtime import Runtime
from steerco_service.scoped.cursors import Cursors, CursorUnreadable, ScopedCursor
from steerco_service.scoped.histories import Histories
from steerco_service.scoped.holding import Crossing, Holding, Share
from steerco_service.scoped.holdings import Holdings

SCANNED = 1000
"""Events of the log that one page has at most, shared or not."""

_WATERMARK = text("SELECT watermark FROM log.sealed_head")


@dataclass(frozen=True, slots=True)
class SharedPage:
    """Events with how much of each is shared, what entered and left before them, and the cursor after them.

    `complete_to`: all that was sealed up to then was given, if the page is the last for now.
    """

    events: Sequence[tuple[Recorded, Share]]
    crossings: Sequence[Crossing]
    end: str
    complete_to: datetime | None


class SharedLog:
    """One for each application."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._pages = EventPages(runtime.service.name, runtime.engine, runtime.registry)
        self._histories = Histories(runtime, self._pages)
        self._holdings = Holdings(runtime)
        self._cursors = Cursors(runtime.service.name, runtime.engine)

    @property
    def service(self) -> str:
        """Whose log it is."""
        return self._runtime.service.name

    async def unit_named(self, name: str) -> UUID | None:
        """The unit of an id or a code, in any case. Raises a 503 `Problem` while units are not known."""
        return (await self._runtime.access.organization()).unit_named(name)

    async def page(self, unit_id: UUID, after: str | None, subjects: Collection[str]) -> SharedPage:
        """The page after a cursor (`None`: the first); of these subjects only, if there are some.

        Raises a `Problem`: 400 for the cursor, 409 when the log was rewound, 503 while it is not known what is inside.
        """
        cursor = await self._cursor(unit_id, after)
        holding = await self._holding(unit_id, cursor, begins_history=bool(subjects) and after is None)
        complete_to = min(await self._watermark(), holding.known_at)  # before the page, which so has all up to then
        try:
            page = await self._read(cursor, holding, subjects)
            events = [(each, share) for each in page.events if (share := self._share(holding, each, subjects))]
        except GenerationUnknown as error:
            raise Problem(400, "unknown-generation", f"after: {error}") from error
        except LogRewound as error:
            raise Problem(409, "log-rewound", "the log was restored to before this cursor; begin anew") from error
        except NewerVersion as error:
            raise Problem(503, "newer-release", str(error), headers={"Retry-After": "10"}) from error
        crossings = holding.crossed(cursor.told_at) if cursor.told_at and not subjects else ()
        end = ScopedCursor(page.end.generation, page.end.position, holding.known_at)
        return SharedPage(
            events,
            crossings,
            await self._cursors.written(end, unit_id),
            complete_to if page.is_last or page.is_held else None,
        )

    async def _cursor(self, unit_id: UUID, after: str | None) -> ScopedCursor:
        if after is None:
            end = await self._pages.end()
            return ScopedCursor(len(end.began), 0)
        try:
            return await self._cursors.read(after, unit_id)
        except CursorUnreadable as error:
            raise Problem(400, "malformed-cursor", f"after: {error}") from error

    async def _holding(self, unit_id: UUID, cursor: ScopedCursor, *, begins_history: bool) -> Holding:
        """What is known to be inside: no less than the cursor, or any process, has told.

        What an earlier answer of this process was made of may be less than another has told of since.
        """
        holding = await self._holdings.of(unit_id, fresh=begins_history)
        if _is_behind(holding, cursor):
            holding = await self._holdings.of(unit_id, fresh=True)
        if _is_behind(holding, cursor):
            detail = "another process knew more of what is inside than this one"
            raise Problem(503, "log-behind", detail, headers={"Retry-After": "1"})
        return holding

    async def _read(self, cursor: ScopedCursor, holding: Holding, subjects: Collection[str]) -> EventPage:
        if subjects:
            return await self._histories.read(cursor.place, SCANNED, subjects, holding)
        return await self._pages.read(cursor.place, SCANNED, Filter(known_at=holding.known_at))

    @staticmethod
    def _share(holding: Holding, event: Recorded, subjects: Collection[str]) -> Share | None:
        if subjects and not any(each in subjects for each in holding.subjects_of(event)):
            return None
        return holding.share(event)

    async def _watermark(self) -> datetime:
        async with self._runtime.engine.connect() as connection:
            watermark: datetime = (await connection.execute(_WATERMARK)).scalar_one()
        return watermark


def _is_behind(holding: Holding, cursor: ScopedCursor) -> bool:
    return cursor.told_at is not None and holding.known_at < cursor.told_at
