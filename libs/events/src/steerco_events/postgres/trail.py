"""The sealed log backward, the newest first: who did what, and why. The data of the events stays out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from steerco_events.postgres.event_pages import Filter, conditions_of, values_of

SCANNED_AT_MOST = 20_000
"""Positions that one filtered page passes over, as the feed's does; its rows are smaller."""

_COLUMNS = (
    "position, id, type, stream, stream_version, recorded_at, sealed_at, valid_at, actor, actor_title, client, reason,"
    " correlation_id, causation_id, traceparent, org_units, on_behalf_of"
)
_HEAD = text("SELECT position FROM log.head")
_SEALED_BEFORE = text("SELECT last FROM log.seals WHERE sealed_at < :at ORDER BY sealed_at DESC LIMIT 1")
_SEALED_BY = text("SELECT last FROM log.seals WHERE sealed_at <= :at ORDER BY sealed_at DESC LIMIT 1")


@dataclass(frozen=True, slots=True)
class Between:
    """From when until when, both included, by the instants at which events were sealed; `None`: without an end."""

    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class TrailPage:
    """Rows of events, the newest first, and before which position to go on; `None` where there are no more."""

    rows: Sequence[Row[Any]]
    end: int | None


async def read_back(
    connection: AsyncConnection, sought: Filter, between: Between, limit: int, before: int | None = None
) -> TrailPage:
    """At most `limit` events before a position, or the newest.

    A filtered page passes over at most `SCANNED_AT_MOST` positions (with subjects over all, by their index), so it
    may be empty and yet have an end to go on from.
    """
    first = await _position(connection, _SEALED_BEFORE, between.since) if between.since else 0
    last = await _position(connection, _SEALED_BY if between.until else _HEAD, between.until)
    last = last if before is None else min(last, before - 1)
    after = max(first, last - SCANNED_AT_MOST) if sought.is_scan else first
    values = {"after": after, "until": last, "limit": limit + 1} | values_of(sought)
    rows = (await connection.execute(text(_query(sought)), values)).all()
    if len(rows) > limit:
        return TrailPage(rows[:limit], rows[limit - 1].position)
    return TrailPage(rows, after + 1 if after > first else None)


async def _position(connection: AsyncConnection, query: Any, at: datetime | None) -> int:
    return (await connection.execute(query, {"at": at} if at else {})).scalar_one_or_none() or 0


def _query(sought: Filter) -> str:
    source = f"log.sealed_events WHERE position > :after AND position <= :until{conditions_of(sought)}"
    if sought.subjects:
        # `OFFSET 0` keeps the planner from walking the whole log in order for the few events of a stream.
        source = f"(SELECT * FROM {source} OFFSET 0) AS found"
    return f"SELECT {_COLUMNS} FROM {source} ORDER BY position DESC LIMIT :limit"
