"""An event as CloudEvents 1.0: its attributes, for every binding, and the JSON format.

Beside the attributes of CloudEvents (`sequence`, `partitionkey`, `traceparent` and the correlation ids are its
documented extensions) stand Steerco's own: `streamversion loggeneration orgunits sealedat actor client reason
validat onbehalfof`. Every value is text.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from uuid import UUID

import msgspec

from steerco_events.envelope import Actor, Recorded
from steerco_events.registry import Registry

REQUIRED = (
    "specversion",
    "id",
    "source",
    "type",
    "subject",
    "time",
    "dataschema",
    "datacontenttype",
    "partitionkey",
    "sequence",
    "correlationid",
    "causationid",
    "streamversion",
    "loggeneration",
    "sealedat",
    "actor",
    "client",
)
"""What every event has."""

OPTIONAL = ("traceparent", "orgunits", "reason", "validat", "onbehalfof")
"""What an event may lack."""

ATTRIBUTES = REQUIRED + OPTIONAL
"""The names, in the order of `values_of`."""

NO_MORE: Mapping[str, str] = MappingProxyType({})

SPECVERSION = "1.0"
CONTENT_TYPE = "application/json"
SEQUENCE_DIGITS = 20


def source_of(service: str) -> str:
    """What the events of a service name as their source."""
    return f"urn:steerco:{service}"


def instant(at: datetime) -> str:
    """RFC 3339, UTC, microseconds."""
    text: str = msgspec.to_builtins(at if at.tzinfo is UTC else at.astimezone(UTC))
    return text if at.microsecond else f"{text[:-1]}.000000Z"


def values_of(event: Recorded) -> tuple[str | None, ...]:
    """The value of each attribute, in the order of `ATTRIBUTES`; `None` for one that the event does not have."""
    return (
        SPECVERSION,
        str(event.id),
        source_of(event.service),
        event.type,
        event.stream,
        instant(event.recorded_at),
        event.schema,
        CONTENT_TYPE,
        event.stream,
        f"{event.position:0{SEQUENCE_DIGITS}}",
        str(event.correlation_id),
        str(event.causation_id),
        str(event.stream_version),
        str(event.generation),
        instant(event.sealed_at),
        f"{event.actor.id} {event.actor.job_title}",
        event.client,
        event.traceparent,
        ",".join(map(str, event.org_units)) if event.org_units else None,
        event.reason,
        instant(event.valid_at) if event.valid_at else None,
        str(event.on_behalf_of) if event.on_behalf_of else None,
    )


def attributes_of(event: Recorded) -> Mapping[str, str]:
    """The attributes of an event by name; what it does not have is left out."""
    named = zip(ATTRIBUTES, values_of(event), strict=True)
    return {name: value for name, value in named if value is not None}


def recorded_of(
    attributes: Mapping[str, str], data: bytes, partition: int, service: str, registry: Registry
) -> Recorded:
    """The event that has these attributes. Raises `KeyError` or `ValueError` if there is none such."""
    person, _, job_title = attributes["actor"].partition(" ")
    *_, version = attributes["dataschema"].rsplit(":", 1)
    return Recorded(
        id=UUID(attributes["id"]),
        service=service,
        type=attributes["type"],
        schema_version=int(version),
        stream=attributes["subject"],
        stream_version=int(attributes["streamversion"]),
        partition=partition,
        position=int(attributes["sequence"]),
        generation=int(attributes["loggeneration"]),
        recorded_at=datetime.fromisoformat(attributes["time"]),
        sealed_at=datetime.fromisoformat(attributes["sealedat"]),
        valid_at=datetime.fromisoformat(attributes["validat"]) if "validat" in attributes else None,
        actor=Actor(UUID(person), job_title),
        client=attributes["client"],
        reason=attributes.get("reason"),
        correlation_id=UUID(attributes["correlationid"]),
        causation_id=UUID(attributes["causationid"]),
        traceparent=attributes.get("traceparent"),
        org_units=tuple(UUID(unit) for unit in attributes.get("orgunits", "").split(",") if unit),
        data=data,
        registry=registry,
        on_behalf_of=UUID(attributes["onbehalfof"]) if "onbehalfof" in attributes else None,
    )


def json_of(event: Recorded, more: Mapping[str, str] = NO_MORE) -> bytes:
    """The event in the JSON format, on one line, maybe with more attributes; `data` is byte for byte what it has."""
    return msgspec.json.encode({**attributes_of(event), **more, "data": msgspec.Raw(event.data)})
