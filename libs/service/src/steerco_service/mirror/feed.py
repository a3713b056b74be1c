"""The `EventFeed` over what was received of a log."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncEngine

from steerco_events.cloudevents import recorded_of
from steerco_events.envelope import Recorded
from steerco_events.ports import WHOLE, Batch, Cursor, Shard
from steerco_events.positions import START, Head, advanced
from steerco_events.postgres.statements import Statement, Transaction, driver_connection
from steerco_events.registry import Registry
from steerco_events.signals import Signal

GENERATION = 1
"""What is received is only ever added to."""

BEFORE_ALL = datetime(1970, 1, 1, tzinfo=UTC)

_STANDS = Statement("SELECT position, positions, complete_to FROM mirror.logs WHERE service = :service")
_SELECT = Statement(
    "SELECT position, partition, stream_version, attributes::text, data FROM mirror.events"
    " WHERE service = :service AND position > :after AND position <= :until"
    " AND partition = ANY(CAST(:partitions AS smallint[]))"
    " AND position > (CAST(:seen AS bigint[]))[partition + 1] ORDER BY position LIMIT :limit"
)


class MirrorFeed:
    """Reads one service's log, or a shard of it, from the deployment's own database."""

    def __init__(
        self, service: str, engine: AsyncEngine, registry: Registry, received: Signal, shard: Shard = WHOLE
    ) -> None:
        self._service = service
        self._engine = engine
        self._registry = registry
        self._received = received.subscribe()
        self._partitions = shard.partitions

    @property
    def service(self) -> str:
        """Whose log it is."""
        return self._service

    async def read(self, after: Cursor, limit: int) -> Batch:
        """At most `limit` events after the cursor."""
        async with driver_connection(self._engine) as connection:
            until, head = await self._head(connection)
            position = min(after.positions[partition] for partition in self._partitions)
            if position >= until:
                return Batch((), self._cursor(head, after, until, head.watermark), head)
            values = {
                "service": self._service,
                "after": position,
                "until": until,
                "partitions": list(self._partitions),
                "seen": list(after.positions),
                "limit": limit,
            }
            events = [self._event(row) for row in await _SELECT.rows(connection, values)]
        end = events[-1].position if len(events) == limit else until
        return Batch(events, self._cursor(head, after, end, head.watermark if end == until else None), head)

    async def _head(self, connection: Transaction) -> tuple[int, Head]:
        rows = await _STANDS.rows(connection, {"service": self._service})
        position, positions, complete_to = rows[0] if rows else (0, START, None)
        return position, Head((0,), tuple(positions), complete_to or BEFORE_ALL)

    def _event(self, row: Sequence[Any]) -> Recorded:
        position, partition, stream_version, attributes, data = row
        own = {"sequence": position, "loggeneration": GENERATION, "streamversion": stream_version}
        told = msgspec.json.decode(attributes, type=dict[str, str]) | {name: str(n) for name, n in own.items()}
        return recorded_of(told, data.encode(), partition, self._service, self._registry)

    def _cursor(self, head: Head, after: Cursor, end: int, watermark: datetime | None) -> Cursor:
        positions = advanced(after.positions, ((partition, end) for partition in self._partitions))
        return Cursor(head.generation, positions, START, watermark, head.began)

    async def wait(self, seconds: float) -> None:
        """Return when more was received, or after `seconds`."""
        await self._received.wait(seconds)

    async def close(self) -> None:
        """Nothing to free: the engine belongs to the caller."""
