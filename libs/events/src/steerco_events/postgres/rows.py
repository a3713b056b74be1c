"""Events from rows."""

from collections.abc import Sequence
from typing import Any

from steerco_events.envelope import Actor, Recorded
from steerco_events.registry import Registry


def recorded(row: Sequence[Any], service: str, registry: Registry) -> Recorded:
    """The event of a row of `log.sealed_events`, with all its columns in their order."""
    position, id, stream, stream_version, partition, type, schema_version, *others = row
    recorded_at, valid_at, actor, actor_title, client, reason, correlation_id, causation_id, *others = others
    traceparent, org_units, data, on_behalf_of, sealed_at, generation = others
    event = Recorded.__new__(Recorded)  # without its `__init__`, which takes twice as long as all the rest
    event.__dict__.update(
        id=id,
        service=service,
        type=type,
        schema_version=schema_version,
        stream=stream,
        stream_version=stream_version,
        partition=partition,
        position=position,
        generation=generation,
        recorded_at=recorded_at,
        sealed_at=sealed_at,
        valid_at=valid_at,
        actor=Actor(actor, actor_title),
        client=client,
        reason=reason,
        correlation_id=correlation_id,
        causation_id=causation_id,
        traceparent=traceparent,
        org_units=tuple(org_units),
        data=data,
        on_behalf_of=on_behalf_of,
        registry=registry,
    )
    return event
