"""The timers of a service's log, as rows: written with the events that set them, removed with those they fired.

Whoever changes the timers of a stream has locked the stream's row by its append; who removes one without an event
waits for nobody. So no two transactions wait for each other over timers.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from steerco_events.postgres.statements import Statement, Transaction
from steerco_events.timers import Timer, TimerChanges

_KEPT = (
    "WITH ended AS (DELETE FROM log.timers t"
    " USING unnest(CAST(:ended_streams AS text[]), CAST(:ended_names AS text[])) AS e (stream, name)"
    " WHERE t.stream = e.stream AND t.name = e.name)"
    " INSERT INTO log.timers (stream, name, set_by, due_at, fire_at)"
    " SELECT stream, name, set_by, due_at, due_at"
    " FROM unnest(CAST(:streams AS text[]), CAST(:names AS text[]), CAST(:setters AS uuid[]),"
    " CAST(:due AS timestamptz[])) AS s (stream, name, set_by, due_at)"
    " ON CONFLICT (stream, name) DO UPDATE SET set_by = excluded.set_by,"
    " due_at = excluded.due_at, fire_at = excluded.fire_at, attempts = 0, error = NULL"
)
_KEEP = Statement(_KEPT)
_REPLACE = text(
    f"{_KEPT} WHERE (log.timers.set_by, log.timers.due_at) IS DISTINCT FROM (excluded.set_by, excluded.due_at)"
)
_DUE = text(
    "SELECT stream, name, due_at, set_by FROM log.timers WHERE fire_at <= :now"
    " ORDER BY fire_at, stream, name LIMIT :limit"
)
_NEXT = Statement("SELECT min(fire_at) FROM log.timers")
_STILL_THERE = text(
    "SELECT t.stream, t.name, t.attempts, coalesce(e.correlation_id, t.set_by) AS correlation_id, e.traceparent,"
    " coalesce(e.org_units, '{}') AS org_units"
    " FROM log.timers t LEFT JOIN log.events e ON e.id = t.set_by"
    " WHERE (t.stream, t.name, t.set_by) IN (SELECT * FROM unnest(CAST(:streams AS text[]), CAST(:names AS text[]),"
    " CAST(:setters AS uuid[])))"
)
_OURS = (
    "SELECT stream, name FROM log.timers WHERE (stream, name, set_by) IN (SELECT * FROM"
    " unnest(CAST(:streams AS text[]), CAST(:names AS text[]), CAST(:setters AS uuid[]))) FOR UPDATE SKIP LOCKED"
)
_REMOVE = text(f"DELETE FROM log.timers WHERE (stream, name) IN ({_OURS})")
_PUT_OFF = text(
    "UPDATE log.timers SET attempts = attempts + 1, fire_at = :fire_at, error = :error"
    f" WHERE (stream, name) IN ({_OURS})"
)
_UNFIRED = text("SELECT EXISTS (SELECT FROM log.timers WHERE fire_at <= :now AND attempts = 0)")
_FAILING = text("SELECT name, count(*) FROM log.timers WHERE attempts > 0 GROUP BY name ORDER BY name")
_ALL = text("SELECT stream, name, due_at, set_by FROM log.timers")
_LOCK = text("LOCK TABLE log.timers IN SHARE ROW EXCLUSIVE MODE")
_RULES = text("SELECT rules FROM log.timetable")
_RECORD_RULES = text(
    "INSERT INTO log.timetable (rules) VALUES (:rules) ON CONFLICT (one) DO UPDATE SET rules = excluded.rules"
)


@dataclass(frozen=True, slots=True)
class Setting:
    """What is known of a timer that stands: how often its firing failed, and of the event that set it."""

    attempts: int
    correlation_id: UUID
    traceparent: str | None
    org_units: tuple[UUID, ...]


async def keep_timers(tx: Transaction, changes: TimerChanges) -> None:
    """Write what appends have changed, of however many streams, in their transaction and by one statement."""
    if changes:
        await _KEEP.rows(tx, _values(changes))


async def replace_timers(tx: AsyncConnection, timers: Collection[Timer]) -> tuple[int, int]:
    """Make the table these timers, once `lock_timers` is done; how many were added or changed, and how many removed.

    One that stands as it should keeps what is known of its failures.
    """
    there = {(row.stream, row.name) for row in await tx.execute(_ALL)}
    wanted: dict[tuple[str, str], Timer | None] = {timer.key: timer for timer in timers}
    ended = there - wanted.keys()
    if not wanted and not ended:
        return 0, 0
    done = await tx.execute(_REPLACE, _values(wanted | dict.fromkeys(ended)))
    return done.rowcount, len(ended)


async def lock_timers(tx: AsyncConnection) -> None:
    """Wait until no other transaction has changed a timer, and let none change one before this one ends."""
    await tx.execute(_LOCK)


async def due_timers(connection: AsyncConnection, now: datetime, limit: int) -> Sequence[Timer]:
    """The first that are due."""
    return [Timer(*row) for row in await connection.execute(_DUE, {"now": now, "limit": limit})]


async def next_firing(tx: Transaction) -> datetime | None:
    """When the next one is to be fired."""
    at: datetime | None
    ((at,),) = await _NEXT.rows(tx, {})
    return at


async def settings_of(tx: AsyncConnection, timers: Sequence[Timer]) -> Mapping[tuple[str, str], Setting]:
    """Those of the timers that stand still as they are, by stream and name."""
    rows = await tx.execute(_STILL_THERE, _named(timers))
    return {
        (row.stream, row.name): Setting(row.attempts, row.correlation_id, row.traceparent, tuple(row.org_units))
        for row in rows
    }


async def remove_timers(tx: AsyncConnection, timers: Sequence[Timer]) -> None:
    """Remove those that were fired, after the append; one that somebody changes at this moment is left to them."""
    if timers:
        await tx.execute(_REMOVE, _named(timers))


async def put_off_timer(tx: AsyncConnection, timer: Timer, until: datetime, error: str) -> None:
    """Fire it again at an instant, because it failed."""
    await tx.execute(_PUT_OFF, _named([timer]) | {"fire_at": until, "error": error})


async def are_due(connection: AsyncConnection, now: datetime) -> bool:
    """Whether timers are due that nobody has tried to fire yet."""
    return bool((await connection.execute(_UNFIRED, {"now": now})).scalar_one())


async def failing_timers(connection: AsyncConnection) -> Mapping[str, int]:
    """How many timers of each name there are whose firing failed."""
    return {name: count for name, count in await connection.execute(_FAILING)}


async def recorded_rules(tx: AsyncConnection) -> str | None:
    """By which rules the timers were last made from the log."""
    return (await tx.execute(_RULES)).scalar_one_or_none()


async def record_rules(tx: AsyncConnection, rules: str) -> None:
    """Say by which rules they were made."""
    await tx.execute(_RECORD_RULES, {"rules": rules})


def _values(changes: TimerChanges) -> dict[str, Any]:
    timers = [timer for timer in changes.values() if timer]
    ended = [key for key, timer in changes.items() if not timer]
    return _named(timers) | {
        "due": [timer.due_at for timer in timers],
        "ended_streams": [stream for stream, _ in ended],
        "ended_names": [name for _, name in ended],
    }


def _named(timers: Sequence[Timer]) -> dict[str, Any]:
    return {
        "streams": [timer.stream for timer in timers],
        "names": [timer.name for timer in timers],
        "setters": [timer.set_by for timer in timers],
    }
