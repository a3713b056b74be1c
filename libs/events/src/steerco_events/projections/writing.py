"""Reading and writing intervals in bulk, by asyncpg itself and by COPY, inside the caller's transaction."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from steerco_events.projections.model import Interval
from steerco_events.projections.tables import SCHEMA, Form

type Raw = Any
"""A connection of asyncpg, which has no types."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What is to be done to a table.

    `closed` are stored rows whose intervals end: key, from, to. `replaced` are stored rows that say something else
    now, key and from: they are among `added` too.
    """

    closed: Sequence[Sequence[Any]]
    replaced: Sequence[Sequence[Any]]
    added: Sequence[Sequence[Any]]


async def raw_connection(tx: AsyncConnection) -> Raw:
    """The connection below a transaction, which has really begun."""
    raw: Raw = (await tx.get_raw_connection()).driver_connection
    if not raw.is_in_transaction():
        await tx.exec_driver_sql("SELECT 1")
    return raw


def changes[Row](form: Form[Row], intervals: Sequence[Interval[Row]]) -> Changes:
    """What makes the table hold these intervals; they count as stored from now on."""
    closed, replaced, added = [], [], []
    for interval in intervals:
        if interval.stored == interval.stream_version:
            closed.append((interval.key, interval.sealed_from, interval.sealed_to))
            continue
        if interval.stored:
            replaced.append((interval.key, interval.sealed_from))
        interval.stored = interval.stream_version
        added.append(interval)
    return Changes(closed, replaced, form.values(added))


async def write[Row](raw: Raw, form: Form[Row], found: Changes) -> None:
    """Make the changes. Raises asyncpg's errors."""
    table = f'"{SCHEMA}"."{form.table}"'
    if found.closed:
        await raw.execute(
            f"UPDATE {table} t SET sealed_to = c.sealed_to"
            " FROM unnest($1::text[], $2::timestamptz[], $3::timestamptz[]) AS c (key, sealed_from, sealed_to)"
            " WHERE t.key = c.key AND t.sealed_from = c.sealed_from",
            *_columns(found.closed),
        )
    if found.replaced:
        await raw.execute(
            f"DELETE FROM {table} t USING unnest($1::text[], $2::timestamptz[]) AS c (key, sealed_from)"
            " WHERE t.key = c.key AND t.sealed_from = c.sealed_from",
            *_columns(found.replaced),
        )
    if found.added:
        await raw.copy_records_to_table(form.table, schema_name=SCHEMA, columns=form.columns, records=found.added)


def _columns(rows: Sequence[Sequence[Any]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


async def open_rows[Row](raw: Raw, form: Form[Row], keys: Collection[str]) -> dict[str, Interval[Row]]:
    """The open intervals of these keys, as far as they have one: the newest of each. Raises asyncpg's errors."""
    columns = ", ".join(f't."{name}"' for name in form.columns)
    found = await raw.fetch(
        f"SELECT {columns} FROM unnest($1::text[]) AS k (key) CROSS JOIN LATERAL"
        f' (SELECT * FROM "{SCHEMA}"."{form.table}" t WHERE t.key = k.key ORDER BY t.sealed_from DESC LIMIT 1) t',
        list(keys),
    )
    return {row["key"]: form.interval(row) for row in found}
