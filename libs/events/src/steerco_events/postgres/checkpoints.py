"""How far each consumer has come, kept beside what it wrote and moved by compare-and-swap in the same transaction.

A consumer whose work in a log is divided has a row for each shard. All rows of one log are of one division: who
divides anew makes them anew, and whoever still works by the old division can move none of them.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from steerco_events.ports import WHOLE, Cursor, Shard
from steerco_events.positions import START
from steerco_events.postgres.lease import HOLD, Lease, LeaseLost
from steerco_events.postgres.statements import Statement, Transaction

_COLUMNS = "shard, shards, generation, positions, offsets, watermark, began"
_LOAD = text(f"SELECT {_COLUMNS} FROM log.checkpoints WHERE consumer = :consumer AND service = :service")
_LOAD_LOCKED = text(f"{_LOAD.text} FOR UPDATE")
_LOCK_ROW = text(f"{_LOAD.text} AND shard = mod(CAST(:partition AS integer), shards) FOR UPDATE")
_LOAD_ALL = text(f"SELECT consumer, service, {_COLUMNS} FROM log.checkpoints WHERE consumer = ANY(:consumers)")
_LOCK_DIVISION = Statement("SELECT pg_advisory_xact_lock(hashtext('division of ' || :consumer || ' in ' || :service))")
_OPEN = Statement(
    "INSERT INTO log.checkpoints"
    " (consumer, service, shard, shards, generation, positions, offsets, watermark, began)"
    " SELECT :consumer, :service, :shard, :shards, :generation, :positions, :offsets, :watermark, :began"
    " WHERE NOT EXISTS (SELECT 1 FROM log.checkpoints"
    " WHERE consumer = :consumer AND service = :service AND shards <> :shards) ON CONFLICT DO NOTHING RETURNING shard"
)
_MOVE = (
    "UPDATE log.checkpoints SET generation = :generation, positions = :positions,"
    " offsets = :offsets, watermark = coalesce(:watermark, watermark), began = :began"
    " WHERE consumer = :consumer AND service = :service AND shard = :shard AND shards = :shards"
    " AND generation = :seen_generation AND positions = :seen_positions"
)
_ADVANCE = Statement(f"{_MOVE} RETURNING shard")
_ADVANCE_AS_HOLDER = Statement(
    f"WITH ours AS ({HOLD}), moved AS ({_MOVE} AND EXISTS (SELECT FROM ours) RETURNING shard)"
    " SELECT EXISTS (SELECT FROM ours), EXISTS (SELECT FROM moved)"
)
_LEARN = text(
    "UPDATE log.checkpoints SET began = :began WHERE consumer = :consumer AND service = :service"
    " AND cardinality(began) < cardinality(CAST(:began AS bigint[]))"
)
_FORGET_LOG = text("DELETE FROM log.checkpoints WHERE consumer = :consumer AND service = :service")
_FORGET = text("DELETE FROM log.checkpoints WHERE consumer = :consumer")
_FORGET_PARKED = text("DELETE FROM log.parked WHERE consumer = :consumer")


class CheckpointMoved(Exception):
    """Another worker has moved the checkpoint: this one is a zombie and must start again from what it finds."""


class DivisionUnsettled(Exception):
    """The shards stand in different generations of the log, so they can't be merged."""


class Checkpoints:
    """The checkpoints of one consumer, one per log that it reads and shard of its work there."""

    def __init__(self, consumer: str) -> None:
        self.consumer = consumer

    async def load(self, tx: AsyncConnection, service: str) -> Cursor:
        """The cursor in that service's log, of all shards together; the start, if there is none yet."""
        return merged((await tx.execute(_LOAD, self._key(service))).all())

    async def load_shard(self, tx: AsyncConnection, service: str, shard: Shard) -> Cursor:
        """The cursor of one shard. Divides anew what was divided otherwise; raises `DivisionUnsettled`."""
        rows = (await tx.execute(_LOAD, self._key(service))).all()
        if any(row.shards != shard.of for row in rows):
            rows = await self._divide(tx, service, shard.of)
        return next((_cursor(row) for row in rows if row.shard == shard.number), Cursor())

    async def _divide(self, tx: AsyncConnection, service: str, shards: int) -> Sequence[Row[Any]]:
        await _LOCK_DIVISION.rows(tx, self._key(service))
        rows = (await tx.execute(_LOAD_LOCKED, self._key(service))).all()
        if all(row.shards == shards for row in rows):
            return rows
        generations = {row.generation for row in rows}
        if len(generations) > 1:
            raise DivisionUnsettled(
                f"the shards of {self.consumer} stand in generations {sorted(generations)} of the log of {service}:"
                f" run it with {rows[0].shards} shards until they are in one"
            )
        whole = merged(rows)
        await tx.execute(_FORGET_LOG, self._key(service))
        for shard in (Shard(number, shards) for number in range(shards)):
            part = Cursor(
                max(generations),
                tuple(at if n in shard.partitions else 0 for n, at in enumerate(whole.positions)),
                tuple(at if n in shard.partitions else 0 for n, at in enumerate(whole.offsets)),
                whole.watermark,
                whole.began,
            )
            await _OPEN.rows(tx, self._values(service, shard, part))
        return (await tx.execute(_LOAD, self._key(service))).all()

    async def advance(self, tx: Transaction, service: str, seen: Cursor, cursor: Cursor, shard: Shard = WHOLE) -> None:
        """Move from `seen` to `cursor`. Raises `CheckpointMoved`; the caller rolls back."""
        values = self._values(service, shard, cursor) | _seen(seen)
        if seen.generation == 0:
            await _LOCK_DIVISION.rows(tx, self._key(service))
            moved = await _OPEN.rows(tx, values)
        else:
            moved = await _ADVANCE.rows(tx, values)
        if not moved:
            raise CheckpointMoved(f"{self.consumer} in the log of {service}, {shard}")

    async def advance_as_holder(
        self, tx: Transaction, lease: Lease, service: str, seen: Cursor, cursor: Cursor
    ) -> None:
        """Move on from `seen`, of which there is one, by one statement, while a lease is ours.

        Raises `LeaseLost` or `CheckpointMoved`, having changed nothing.
        """
        values = self._values(service, WHOLE, cursor) | _seen(seen) | lease.values
        ((is_ours, is_moved),) = await _ADVANCE_AS_HOLDER.rows(tx, values)
        if not is_ours:
            raise LeaseLost(lease.name)
        if not is_moved:
            raise CheckpointMoved(f"{self.consumer} in the log of {service}")

    async def stand_still(self, tx: AsyncConnection, service: str, partition: int) -> bool:
        """Let nobody move the checkpoint of a partition until the transaction ends; false if there is none."""
        return (await tx.execute(_LOCK_ROW, self._key(service) | {"partition": partition})).first() is not None

    async def learn(self, tx: AsyncConnection, service: str, began: tuple[int, ...]) -> None:
        """Keep where the log's generations began, for those who wait; the consumer itself stays where it is."""
        await tx.execute(_LEARN, self._key(service) | {"began": list(began)})

    async def forget(self, tx: AsyncConnection) -> None:
        """Begin every log anew; nothing of it is parked any more."""
        await tx.execute(_FORGET, {"consumer": self.consumer})
        await tx.execute(_FORGET_PARKED, {"consumer": self.consumer})

    def _key(self, service: str) -> dict[str, object]:
        return {"consumer": self.consumer, "service": service}

    def _values(self, service: str, shard: Shard, cursor: Cursor) -> dict[str, object]:
        return self._key(service) | {
            "shard": shard.number,
            "shards": shard.of,
            "generation": cursor.generation,
            "positions": list(cursor.positions),
            "offsets": list(cursor.offsets),
            "watermark": cursor.watermark,
            "began": list(cursor.began),
        }


async def load_all(tx: AsyncConnection, consumers: Sequence[str]) -> dict[tuple[str, str], Cursor]:
    """The cursors of several consumers by consumer and service, of all shards together."""
    rows: dict[tuple[str, str], list[Row[Any]]] = {}
    for row in await tx.execute(_LOAD_ALL, {"consumers": list(consumers)}):
        rows.setdefault((row.consumer, row.service), []).append(row)
    return {key: merged(found) for key, found in rows.items()}


def _seen(cursor: Cursor) -> dict[str, object]:
    return {"seen_generation": cursor.generation, "seen_positions": list(cursor.positions)}


def _cursor(row: Row[Any]) -> Cursor:
    return Cursor(row.generation, tuple(row.positions), tuple(row.offsets), row.watermark, tuple(row.began))


def merged(rows: Sequence[Row[Any]]) -> Cursor:
    """What all shards have: each partition's position from its shard, the oldest generation and watermark."""
    if not rows:
        return Cursor()
    positions, offsets = list(START), list(START)
    for row in rows:
        for partition in Shard(row.shard, row.shards).partitions:
            positions[partition] = row.positions[partition]
            offsets[partition] = row.offsets[partition]
    watermarks = [row.watermark for row in rows if row.watermark is not None]
    return Cursor(
        min(row.generation for row in rows),
        tuple(positions),
        tuple(offsets),
        min(watermarks) if len(watermarks) == rows[0].shards else None,
        max((tuple(row.began) for row in rows), key=len),
    )
