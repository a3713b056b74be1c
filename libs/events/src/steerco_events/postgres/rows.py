"""Events from rows."""

from typing import Any

from sqlalchemy import Row

from steerco_events.envelope import Actor, Recorded
from steerco_events.registry import Registry


def recorded(row: Row[Any], service: str, registry: Registry) -> Recorded:
    """The event of a row that has all columns of `log.sealed_events`."""
    return Recorded(
        id=row.id,
        service=service,
        type=row.type,
        schema_version=row.schema_version,
        stream=row.stream,
        stream_version=row.stream_version,
        partition=row.partition,
        position=row.position,
        generation=row.generation,
        recorded_at=row.recorded_at,
        sealed_at=row.sealed_at,
        valid_at=row.valid_at,
        actor=Actor(row.actor, row.actor_title),
        client=row.client,
        reason=row.reason,
        correlation_id=row.correlation_id,
        causation_id=row.causation_id,
        traceparent=row.traceparent,
        org_units=tuple(row.org_units),
        data=row.data,
        registry=registry,
    )
