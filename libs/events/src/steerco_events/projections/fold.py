"""Folding a batch of events into a build's tables: load the rows, fold, write the intervals."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Table, and_, delete, insert, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from steerco_events.envelope import Recorded
from steerco_events.projections.builds import Build
from steerco_events.projections.model import Projection
from steerco_events.projections.tables import OWN_COLUMNS, row_of

CHUNK = 2000
"""Rows of one statement."""


@dataclass(slots=True)
class Interval[Row]:
    """A row, and from when it was the truth."""

    key: str
    stream: str
    stream_version: int
    sealed_from: datetime
    row: Row
    sealed_to: datetime | None = None


type Current[Row] = dict[str, Interval[Row]]
"""The open interval of each key."""


def fold_batch[Row](
    projection: Projection[Row], current: Current[Row], events: Iterable[Recorded]
) -> list[Interval[Row]]:
    """The intervals that a batch makes or changes, oldest first per key; `current` is moved on.

    An event at or below its row's stream version is passed over. Events of one stream in one seal collapse
    into the last row, also when the batch cuts through the seal.
    """
    changed: dict[tuple[str, datetime], Interval[Row]] = {}
    for event in events:
        key = projection.key(event)
        if key is None:
            continue
        before = current.get(key)
        if before is not None and event.stream_version <= before.stream_version:
            continue
        row = projection.evolve(before.row if before else None, event)
        if row is None:
            continue
        after = Interval(key, event.stream, event.stream_version, event.sealed_at, row)
        if before is not None and before.sealed_from < event.sealed_at:
            before.sealed_to = event.sealed_at
            changed[key, before.sealed_from] = before
        changed[key, after.sealed_from] = after
        current[key] = after
    return list(changed.values())


async def apply(tx: AsyncConnection, build: Build, events: Sequence[Recorded]) -> None:
    """Fold events into every projection of a build."""
    for projection in build.view.projections:
        table = build.table(projection.name)
        concerned = [(event, key) for event in events if (key := projection.key(event)) is not None]
        if not concerned:
            continue
        keys = {key for _, key in concerned}
        current = await _load(tx, table, projection, keys)
        changed = fold_batch(projection, current, (event for event, _ in concerned))
        await _write(tx, table, changed)


async def _load(tx: AsyncConnection, table: Table, projection: Projection[Any], keys: set[str]) -> Current[Any]:
    current: Current[Any] = {}
    wanted = sorted(keys)
    for start in range(0, len(wanted), CHUNK):
        chunk = wanted[start : start + CHUNK]
        query = select(table).where(and_(table.c.key.in_(chunk), table.c.sealed_to.is_(None)))
        for found in (await tx.execute(query)).mappings():
            row = row_of(projection, found)
            own = {name: found[name] for name in OWN_COLUMNS}
            current[found["key"]] = Interval(row=row, **own)
    return current


async def _write(tx: AsyncConnection, table: Table, intervals: Sequence[Interval[Any]]) -> None:
    """Replace the intervals by (key, sealed_from): an open row that closes, then all as they are now."""
    if not intervals:
        return
    for start in range(0, len(intervals), CHUNK):
        chunk = intervals[start : start + CHUNK]
        await _delete(tx, table, chunk)
        await tx.execute(insert(table), [_values(interval) for interval in chunk])


async def _delete(tx: AsyncConnection, table: Table, chunk: Sequence[Interval[Any]]) -> None:
    pairs = [(interval.key, interval.sealed_from) for interval in chunk]
    await tx.execute(delete(table).where(tuple_(table.c.key, table.c.sealed_from).in_(pairs)))


def _values(interval: Interval[Any]) -> dict[str, Any]:
    values = {field.name: getattr(interval.row, field.name) for field in fields(interval.row)}
    values |= {name: getattr(interval, name) for name in OWN_COLUMNS}
    return values
