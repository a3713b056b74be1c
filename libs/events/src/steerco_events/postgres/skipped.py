"""Events that were left out for good, once what had them parked could not digest them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from steerco_events.consumer_names import without_build

_SKIPPED_TYPES = text(
    "SELECT DISTINCT stream, type FROM log.skipped_events WHERE skipped_for = :skipped_for AND service = :service"
)
_SKIPPED = text(
    "SELECT skipped_for, service, stream, position, event_id, type, consumer, error, skipped_at, skipped_by, reason"
    " FROM log.skipped_events WHERE CAST(:skipped_for AS text) IS NULL OR skipped_for = :skipped_for"
    " ORDER BY skipped_at DESC, skipped_for, service, position DESC LIMIT :limit"
)


@dataclass(frozen=True, slots=True)
class SkippedEvent:
    """An event that was left out for good: for whom, which consumer had it parked and why, and who wanted it so.

    `skipped_for` is a reaction, or a version of a view with all its builds.
    """

    skipped_for: str
    service: str
    stream: str
    position: int
    event_id: UUID
    type: str
    consumer: str
    error: str
    skipped_at: datetime
    skipped_by: UUID
    reason: str


async def skipped_types(tx: AsyncConnection, consumer: str, service: str) -> frozenset[tuple[str, str]]:
    """The streams of a service of which events were left out, and the types of those.

    Of a build, what was left out for any build of its view's version.
    """
    values = {"skipped_for": without_build(consumer), "service": service}
    return frozenset((row.stream, row.type) for row in await tx.execute(_SKIPPED_TYPES, values))


async def skipped_events(tx: AsyncConnection, limit: int, consumer: str | None = None) -> Sequence[SkippedEvent]:
    """What was left out for good, the last first; of a build, what was for any build of its view's version."""
    skipped_for = without_build(consumer) if consumer is not None else None
    rows = await tx.execute(_SKIPPED, {"skipped_for": skipped_for, "limit": limit})
    return [SkippedEvent(**row._mapping) for row in rows]
