"""The log read straight from a service's store: sealed events only, in the order of their positions."""

from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncEngine

from steerco_events.ports import Batch, Cursor, check_not_rewound
from steerco_events.positions import PARTITIONS, Head, SignedHead
from steerco_events.postgres.rows import recorded
from steerco_events.registry import Registry
from steerco_events.signals import Signal

_HEAD = text("SELECT * FROM log.sealed_head")
_EVENTS = text(
    "SELECT * FROM log.sealed_events WHERE position > :after AND position <= :until ORDER BY position LIMIT :limit"
)


def head_of(row: Row[Any], service: str) -> Head:
    """The head of a row of `log.sealed_head`."""
    signed = None
    if row.signature is not None:
        signed = SignedHead(
            service,
            row.signed_generation,
            row.signed_position,
            row.signed_hash,
            row.signed_watermark,
            row.key_id,
            row.signature,
        )
    return Head(tuple(row.began), tuple(row.positions), row.watermark, row.hash, signed)


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
            return head_of((await connection.execute(_HEAD)).one(), self._service)

    async def read(self, after: Cursor, limit: int) -> Batch:
        """At most `limit` events after the cursor. Raises `LogRewound`."""
        async with self._engine.connect() as connection:
            row = (await connection.execute(_HEAD)).one()
            head = head_of(row, self._service)
            check_not_rewound(self._service, head, after)
            position = min(after.positions)
            if position >= row.position:
                return Batch((), self._cursor(head, after, row.position, head.watermark))
            values = {"after": position, "until": row.position, "limit": limit}
            rows = (await connection.execute(_EVENTS, values)).all()
        end = rows[-1].position if len(rows) == limit else row.position
        events = [
            recorded(row, self._service, self._registry)
            for row in rows
            if row.position > after.positions[row.partition]
        ]
        return Batch(events, self._cursor(head, after, end, head.watermark if end == row.position else None))

    @staticmethod
    def _cursor(head: Head, after: Cursor, end: int, watermark: datetime | None) -> Cursor:
        positions = tuple(max(position, end) for position in after.positions)
        return Cursor(head.generation, positions, (0,) * PARTITIONS, watermark)

    async def wait(self, seconds: float) -> None:
        """Return when the log was sealed further, or after `seconds`."""
        await self._sealed.wait(seconds)

    async def close(self) -> None:
        """Nothing to free: the engine belongs to the caller."""
