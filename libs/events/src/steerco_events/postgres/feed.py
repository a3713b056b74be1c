"""The log read straight from a service's store: sealed events only, in the order of their positions."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from steerco_events.envelope import Recorded
from steerco_events.ports import WHOLE, Batch, Cursor, Shard, check_not_rewound
from steerco_events.positions import PARTITIONS, Head, SignedHead, advanced
from steerco_events.postgres.rows import recorded
from steerco_events.postgres.statements import Statement, Transaction, driver_connection
from steerco_events.registry import Registry
from steerco_events.signals import Signal

_HEAD = Statement(
    "SELECT position, began, positions, watermark, hash, signed_generation, signed_position, signed_hash,"
    " signed_watermark, key_id, signature FROM log.sealed_head"
)


def select_sealed(*columns: str) -> Statement:
    """The statement that reads these columns of sealed events, in their order."""
    return Statement(
        f"SELECT {', '.join(columns)} FROM log.sealed_events WHERE position > :after AND position <= :until"
        " AND partition = ANY(CAST(:partitions AS smallint[]))"
        " AND position > (CAST(:seen AS bigint[]))[partition + 1] ORDER BY position LIMIT :limit"
    )


async def sealed_end(tx: Transaction, service: str) -> tuple[int, Head]:
    """The position up to which a log is sealed, and its head."""
    ((position, began, positions, watermark, digest, *signed),) = await _HEAD.rows(tx, {})
    *_, signature = signed
    return position, Head(
        tuple(began),
        tuple(positions),
        watermark,
        digest,
        None if signature is None else SignedHead(service, *signed),
    )


class StoreFeed:
    """An `EventFeed` over the views `log.sealed_events` and `log.sealed_head`; needs the feed role only."""

    _SELECT = select_sealed("*")

    def __init__(
        self, service: str, engine: AsyncEngine, registry: Registry, sealed: Signal, shard: Shard = WHOLE
    ) -> None:
        self._service = service
        self._engine = engine
        self._registry = registry
        self._sealed = sealed.subscribe()
        self._partitions = shard.partitions

    @property
    def service(self) -> str:
        """Whose log it is."""
        return self._service

    async def head(self) -> Head:
        """The sealed end of the log."""
        async with driver_connection(self._engine) as connection:
            _, head = await sealed_end(connection, self._service)
        return head

    async def read(self, after: Cursor, limit: int) -> Batch:
        """At most `limit` events after the cursor. Raises `LogRewound`."""
        async with driver_connection(self._engine) as connection:
            sealed, head = await sealed_end(connection, self._service)
            check_not_rewound(self._service, head, after)
            position = min(after.positions[partition] for partition in self._partitions)
            if position >= sealed:
                return Batch((), self._cursor(head, after, sealed, head.watermark), head)
            values = {
                "after": position,
                "until": sealed,
                "partitions": list(self._partitions),
                "seen": list(after.positions),
                "limit": limit,
            }
            events = [self._event(row) for row in await self._SELECT.rows(connection, values)]
        end = events[-1].position if len(events) == limit else sealed
        return Batch(events, self._cursor(head, after, end, head.watermark if end == sealed else None), head)

    def _event(self, row: Sequence[Any]) -> Recorded:
        return recorded(row, self._service, self._registry)

    def _cursor(self, head: Head, after: Cursor, end: int, watermark: datetime | None) -> Cursor:
        positions = advanced(after.positions, ((partition, end) for partition in self._partitions))
        return Cursor(head.generation, positions, (0,) * PARTITIONS, watermark, head.began)

    async def wait(self, seconds: float) -> None:
        """Return when the log was sealed further, or after `seconds`."""
        await self._sealed.wait(seconds)

    async def close(self) -> None:
        """Nothing to free: the engine belongs to the caller."""
