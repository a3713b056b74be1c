"""The log read straight from a service's store: sealed events only, in the order of their positions."""

from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncEngine

from steerco_events.ports import Batch, Cursor, LogRewound
from steerco_events.positions import PARTITIONS, Head
from steerco_events.postgres.rows import recorded
from steerco_events.registry import Registry
from steerco_events.signals import Signal

_HEAD = text("SELECT position, positions, watermark, generation, from_position FROM log.sealed_head")
_EVENTS = text(
    "SELECT * FROM log.sealed_events WHERE position > :after AND position <= :until ORDER BY position LIMIT :limit"
)


class StoreFeed:
    """An `EventFeed` over the views `log.sealed_events` and `log.sealed_head`; needs the feed role only."""

    def __init__(self, service: str, engine: AsyncEngine, registry: Registry, sealed: Signal) -> None:
        self._service = service
        self._engine = engine
        self._registry = registry
        self._sealed = sealed.subscribe()

    @property
    def service(self) -> str:
        """Whose log it is."""
        return self._service

    async def head(self) -> Head:
        """The sealed end of the log."""
        async with self._engine.connect() as connection:
            row = (await connection.execute(_HEAD)).one()
        return Head(row.generation, row.from_position, tuple(row.positions), row.watermark)

    async def read(self, after: Cursor, limit: int) -> Batch:
        """At most `limit` events after the cursor. Raises `LogRewound`."""
        async with self._engine.connect() as connection:
            head = (await connection.execute(_HEAD)).one()
            if after.generation not in (0, head.generation) and (max(after.positions) > head.from_position):
                raise LogRewound(
                    f"{self.service}: generation {head.generation} begins at {head.from_position},"
                    f" this consumer is at {max(after.positions)} of generation {after.generation}"
                )
            position = min(after.positions)
            if position >= head.position:
                return Batch((), self._cursor(head, after, head.position))
            values = {"after": position, "until": head.position, "limit": limit}
            rows = (await connection.execute(_EVENTS, values)).all()
        end = rows[-1].position if len(rows) == limit else head.position
        events = [
            recorded(row, self._service, self._registry)
            for row in rows
            if row.position > after.positions[row.partition]
        ]
        return Batch(events, self._cursor(head, after, end))

    @staticmethod
    def _cursor(head: Row[Any], after: Cursor, end: int) -> Cursor:
        watermark = head.watermark if end == head.position else None
        positions = tuple(max(position, end) for position in after.positions)
        return Cursor(head.generation, positions, (0,) * PARTITIONS, watermark)

    async def wait(self, seconds: float) -> None:
        """Return when the log was sealed further, or after `seconds`."""
        await self._sealed.wait(seconds)

    async def close(self) -> None:
        """Nothing to free: the engine belongs to the caller."""
