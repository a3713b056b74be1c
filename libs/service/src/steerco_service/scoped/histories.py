"""What was recorded about some subjects, of all that a log has: found by looking through it, a stretch at a time."""

from collections.abc import Collection

from sqlalchemy import text

from steerco_events.postgres.event_pages import SCANNED_AT_MOST, EventPage, EventPages, Place
from steerco_events.postgres.rows import recorded
from steerco_service.runtime import Runtime
from steerco_service.scoped.holding import Holding
from steerco_service.scoped.stays import unit_subject

_ABOUT = text(
    "SELECT * FROM log.sealed_events WHERE position > :after AND position <= :until"
    " AND (org_units && CAST(:units AS uuid[]) OR stream = ANY(CAST(:streams AS text[])) OR stream LIKE 'pitch-%'"
    " OR EXISTS (SELECT FROM unnest(CAST(:needles AS bytea[])) AS needle WHERE position(needle IN data) > 0))"
    " ORDER BY position LIMIT :limit"
)


class Histories:
    """Those in one service's log."""

    def __init__(self, runtime: Runtime, pages: EventPages) -> None:
        self._runtime = runtime
        self._pages = pages

    async def read(self, after: Place, limit: int, subjects: Collection[str], holding: Holding) -> EventPage:
        """At most `limit` events after a place, among them all that are about these subjects, as far as is known.

        A page passes over at most `SCANNED_AT_MOST` positions, so it may be empty and still end further on: it is the
        last for now only where it ends at the last that was sealed when the holding was known.

        Raises `GenerationUnknown`, `LogRewound`.
        """
        service = self._runtime.service.name
        known = (await self._pages.place_at(holding.known_at)).position
        end = await self._pages.end()
        end.check(after, service)
        is_held = known < end.position
        if after.position >= known:
            return EventPage((), after, is_last=not is_held, is_held=is_held)
        until = min(known, after.position + SCANNED_AT_MOST)
        ids = {each: each.partition("-")[2] for each in subjects}
        values = {
            "after": after.position,
            "until": until,
            "units": [id for subject, id in ids.items() if subject.startswith(unit_subject(""))],
            "streams": holding.streams_at(subjects),
            "needles": [id.encode() for id in ids.values()],
            "limit": limit,
        }
        async with self._runtime.engine.connect() as connection:
            rows = (await connection.execute(_ABOUT, values)).all()
        last = rows[-1].position if len(rows) == limit else until
        events = [recorded(row, service, self._runtime.registry) for row in rows]
        return EventPage(events, end.place(last), is_last=last == end.position, is_held=is_held and last == known)
