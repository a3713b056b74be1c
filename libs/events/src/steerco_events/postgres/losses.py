"""Going on without what a restore lost: a reaction that had read further than another's log now has is taken back.

A consumer that meets `LogRewound` keeps where the generations began beside its checkpoint, and stops. So its own
database says that it stopped for that, and up to where the other log kept what it has read.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from steerco_events.ports import Cursor, Shard
from steerco_events.positions import START, Positions, kept_of
from steerco_events.postgres.checkpoints import Checkpoints, merged

_LOAD_LOCKED = text(
    "SELECT shard, shards, generation, positions, offsets, watermark, began FROM log.checkpoints"
    " WHERE consumer = :consumer AND service = :service ORDER BY shard FOR UPDATE"
)
_DROP_PARKED_EVENTS = text(
    "DELETE FROM log.parked_events WHERE consumer = :consumer AND service = :service AND position > :kept"
    " AND partition = ANY(CAST(:partitions AS smallint[]))"
)
_UNPARK_EMPTY = text(
    "DELETE FROM log.parked p WHERE consumer = :consumer AND service = :service AND NOT EXISTS (SELECT FROM"
    " log.parked_events e WHERE e.consumer = p.consumer AND e.service = p.service AND e.stream = p.stream)"
)
_COLUMNS = "from_generation, from_positions, generation, kept, accepted_at, accepted_by, reason"
_REMEMBER = text(
    f"INSERT INTO log.accepted_losses (consumer, service, {_COLUMNS}) VALUES (:consumer, :service, :from_generation,"
    " :from_positions, :generation, :kept, :accepted_at, :accepted_by, :reason) ON CONFLICT DO NOTHING"
)
_ACCEPTED = text(
    f"SELECT consumer, service, {_COLUMNS} FROM log.accepted_losses"
    " WHERE consumer = :consumer AND service = :service ORDER BY generation DESC"
)


class NothingLost(Exception):
    """A consumer did not stop because the log that it reads was restored to before where it stands."""


@dataclass(frozen=True, slots=True)
class AcceptedLoss:
    """Where a consumer was taken back from, and where to: `kept`, a position of `generation`; by whom, when and why.

    `from_positions` are by partition, those of all shards together.
    """

    consumer: str
    service: str
    from_generation: int
    from_positions: Positions
    generation: int
    kept: int
    accepted_at: datetime
    accepted_by: UUID
    reason: str


@dataclass(frozen=True, slots=True)
class _Behind:
    """A shard that stands in an earlier generation, of which a later one kept the positions up to `kept`."""

    shard: Shard
    cursor: Cursor
    kept: int

    @property
    def has_lost(self) -> bool:
        """Whether it has read what is lost."""
        return max(self.cursor.positions) > self.kept

    def onward(self, began: tuple[int, ...]) -> Cursor:
        """Where it goes on in the present generation: where it stands, or at `kept` if it has read what is lost."""
        there = replace(self.cursor, generation=len(began), began=began)
        if not self.has_lost:
            return there
        positions = tuple(min(position, self.kept) for position in there.positions)
        return replace(there, positions=positions, offsets=START, watermark=None)


async def accept_loss(
    tx: AsyncConnection, consumer: str, service: str, by: UUID, reason: str, at: datetime
) -> AcceptedLoss:
    """Take a consumer that stopped back to where the log that it reads goes on; it goes on by itself.

    All its shards go on in the present generation, also those that lost nothing: none of them can read on in an earlier
    one and take what is lost. What it did because of events that are lost stays done; those of them that it has parked
    are parked no more. Asked again, it answers what was accepted first. Raises `NothingLost`, `CheckpointMoved`.
    """
    key = {"consumer": consumer, "service": service}
    rows = (await tx.execute(_LOAD_LOCKED, key)).all()
    found = merged(rows)
    behind = _behind(rows, found.began)
    lost = [each for each in behind if each.has_lost]
    if not lost:
        return await _accepted(tx, consumer, service, len(found.began))
    for each in behind:
        await Checkpoints(consumer).advance(tx, service, each.cursor, each.onward(found.began), each.shard)
        await tx.execute(_DROP_PARKED_EVENTS, key | {"kept": each.kept, "partitions": list(each.shard.partitions)})
    await tx.execute(_UNPARK_EMPTY, key)
    values = {
        "from_generation": min(each.cursor.generation for each in lost),
        "from_positions": list(found.positions),
        "generation": len(found.began),
        "kept": min(each.kept for each in lost),
        "accepted_at": at,
        "accepted_by": by,
        "reason": reason,
    }
    await tx.execute(_REMEMBER, key | values)
    return await _accepted(tx, consumer, service, len(found.began))


async def accepted_losses(tx: AsyncConnection, consumer: str, service: str) -> Sequence[AcceptedLoss]:
    """What was accepted for a consumer in one log, the last first."""
    rows = await tx.execute(_ACCEPTED, {"consumer": consumer, "service": service})
    return [AcceptedLoss(**{**row._mapping, "from_positions": tuple(row.from_positions)}) for row in rows]


async def _accepted(tx: AsyncConnection, consumer: str, service: str, generation: int) -> AcceptedLoss:
    for each in await accepted_losses(tx, consumer, service):
        if each.generation == generation:
            return each
    raise NothingLost(
        f"{consumer} did not stop for a restore of {service}: as far as it knows, that log has all that it read of it"
    )


def _behind(rows: Sequence[Row[Any]], began: tuple[int, ...]) -> Sequence[_Behind]:
    behind = []
    for row in rows:
        kept = kept_of(began, row.generation)
        if kept is not None:
            cursor = Cursor(row.generation, tuple(row.positions), tuple(row.offsets), row.watermark, tuple(row.began))
            behind.append(_Behind(Shard(row.shard, row.shards), cursor, kept))
    return behind
