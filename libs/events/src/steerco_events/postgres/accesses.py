"""Who asked a service for what, and from where: beside its log, no part of it, and kept for some time only."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from steerco_events.clock import Clock
from steerco_events.postgres.statements import Statement, Transaction

KEPT = timedelta(days=90)
"""Unless a setting says otherwise."""

CLEAR_EVERY_SECONDS = 3600.0
CLEARED_AT_ONCE = 10_000
"""Rows of one transaction: none takes long, however much is too old."""


class Accessed(NamedTuple):
    """One request that was answered.

    It has no `actor` and no `client` where no valid token came, and no `operation` where nothing is at its path.
    `subject` is what the path names, by its id if it has one.
    """

    at: datetime
    actor: UUID | None
    client: str | None
    address: str
    method: str
    operation: str | None
    path: str
    subject: str | None
    status: int
    is_sensitive: bool
    traceparent: str | None


@dataclass(frozen=True, slots=True)
class AccessesSought:
    """Which requests are sought: those between two instants, both included, that have each value that is given."""

    since: datetime | None = None
    until: datetime | None = None
    actor: UUID | None = None
    operation: str | None = None
    subject: str | None = None
    is_sensitive: bool | None = None


_WRITE = Statement(
    f"INSERT INTO log.accesses ({', '.join(Accessed._fields)}) SELECT * FROM unnest("
    "CAST(:at AS timestamptz[]), CAST(:actor AS uuid[]), CAST(:client AS text[]), CAST(:address AS text[]),"
    " CAST(:method AS text[]), CAST(:operation AS text[]), CAST(:path AS text[]), CAST(:subject AS text[]),"
    " CAST(:status AS smallint[]), CAST(:is_sensitive AS boolean[]), CAST(:traceparent AS text[]))"
)
_CLEAR = text(
    "DELETE FROM log.accesses WHERE ctid = ANY (ARRAY("
    "SELECT ctid FROM log.accesses WHERE at < :before ORDER BY at LIMIT :most))"
)
_CONDITIONS = {
    "since": "at >= :since",
    "until": "at <= :until",
    "actor": "actor = :actor",
    "operation": "operation = :operation",
    "subject": "subject = :subject",
    "is_sensitive": "is_sensitive = :is_sensitive",
}


async def write(tx: Transaction, rows: Sequence[Accessed]) -> None:
    """Keep some, in their order."""
    await _WRITE.rows(tx, dict(zip(Accessed._fields, map(list, zip(*rows, strict=True)), strict=True)))


async def find(
    connection: AsyncConnection, sought: AccessesSought, limit: int, before: tuple[datetime, int] | None = None
) -> Sequence[Row[Any]]:
    """Those that are sought, the newest first; `before` the instant and the id of the last one of the page before."""
    asked = {name: getattr(sought, name) for name in _CONDITIONS}
    values = {name: value for name, value in asked.items() if value is not None}
    conditions = [_CONDITIONS[name] for name in values]
    if before:
        conditions.append("(at, id) < (:before_at, :before_id)")
        values |= {"before_at": before[0], "before_id": before[1]}
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    query = text(f"SELECT * FROM log.accesses{where} ORDER BY at DESC, id DESC LIMIT :limit")
    return (await connection.execute(query, values | {"limit": limit})).all()


async def clear(engine: AsyncEngine, before: datetime) -> int:
    """Drop what was asked before an instant, some at a time; how many."""
    cleared = 0
    while True:
        async with engine.begin() as tx:
            found = (await tx.execute(_CLEAR, {"before": before, "most": CLEARED_AT_ONCE})).rowcount
        cleared += found
        if found < CLEARED_AT_ONCE:
            return cleared


async def keep_clearing(engine: AsyncEngine, clock: Clock, kept: timedelta = KEPT) -> None:
    """Until cancelled: drop, once an hour, what is too old. Several may do so at once."""
    while True:
        await clear(engine, clock.now() - kept)
        await asyncio.sleep(CLEAR_EVERY_SECONDS)
