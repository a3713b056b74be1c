"""How far each consumer has come, kept beside what it wrote and moved by compare-and-swap in the same transaction."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from steerco_events.ports import Cursor

_LOAD = text(
    "SELECT generation, positions, offsets, watermark FROM log.checkpoints"
    " WHERE consumer = :consumer AND service = :service"
)
_OPEN = text(
    "INSERT INTO log.checkpoints (consumer, service, generation, positions, offsets, watermark)"
    " VALUES (:consumer, :service, :generation, :positions, :offsets, :watermark)"
    " ON CONFLICT DO NOTHING"
)
_ADVANCE = text(
    "UPDATE log.checkpoints SET generation = :generation, positions = :positions,"
    " offsets = :offsets, watermark = coalesce(:watermark, watermark)"
    " WHERE consumer = :consumer AND service = :service"
    " AND generation = :seen_generation AND positions = :seen_positions"
)
_FORGET = text("DELETE FROM log.checkpoints WHERE consumer = :consumer")


class CheckpointMoved(Exception):
    """Another worker has moved the checkpoint: this one is a zombie and must start again from what it finds."""


class Checkpoints:
    """The checkpoints of one consumer, one per log that it reads."""

    def __init__(self, consumer: str) -> None:
        self.consumer = consumer

    async def load(self, tx: AsyncConnection, service: str) -> Cursor:
        """The cursor in that service's log; the start, if there is none yet."""
        key = {"consumer": self.consumer, "service": service}
        row = (await tx.execute(_LOAD, key)).first()
        if row is None:
            return Cursor()
        return Cursor(row.generation, tuple(row.positions), tuple(row.offsets), row.watermark)

    async def advance(self, tx: AsyncConnection, service: str, seen: Cursor, cursor: Cursor) -> None:
        """Move from `seen` to `cursor`. Raises `CheckpointMoved`; the caller rolls back."""
        values = {
            "consumer": self.consumer,
            "service": service,
            "generation": cursor.generation,
            "positions": list(cursor.positions),
            "offsets": list(cursor.offsets),
            "watermark": cursor.watermark,
        }
        if seen.generation == 0:
            moved = await tx.execute(_OPEN, values)
        else:
            values |= {
                "seen_generation": seen.generation,
                "seen_positions": list(seen.positions),
            }
            moved = await tx.execute(_ADVANCE, values)
        if moved.rowcount != 1:
            raise CheckpointMoved(f"{self.consumer} in the log of {service}")

    async def forget(self, tx: AsyncConnection) -> None:
        """Begin every log anew."""
        await tx.execute(_FORGET, {"consumer": self.consumer})
