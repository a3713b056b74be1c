"""Events as Kafka records and back: CloudEvents 1.0, Kafka binding, binary mode.

The value is the event's data, byte for byte; everything else is a header in UTF-8. Beside the attributes of
CloudEvents (`sequence`, `partitionkey`, `traceparent` and the correlation ids are its documented extensions)
stand Steerco's own: `streamversion loggeneration orgunits sealedat actor client reason validat`.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from uuid import UUID

from steerco_events.envelope import Actor, Recorded
from steerco_events.registry import Registry

type Headers = Sequence[tuple[str, bytes]]

SEQUENCE_DIGITS = 20


def instant(at: datetime) -> str:
    """RFC 3339, UTC, microseconds."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def headers_of(event: Recorded) -> Headers:
    """The headers of an event; what it does not have is left out."""
    attributes: dict[str, str | None] = {
        "ce_specversion": "1.0",
        "ce_id": str(event.id),
        "ce_source": f"urn:steerco:{event.service}",
        "ce_type": event.type,
        "ce_subject": event.stream,
        "ce_time": instant(event.recorded_at),
        "ce_dataschema": event.schema,
        "content-type": "application/json",
        "ce_partitionkey": event.stream,
        "ce_sequence": f"{event.position:0{SEQUENCE_DIGITS}}",
        "ce_correlationid": str(event.correlation_id),
        "ce_causationid": str(event.causation_id),
        "ce_traceparent": event.traceparent,
        "ce_streamversion": str(event.stream_version),
        "ce_loggeneration": str(event.generation),
        "ce_orgunits": ",".join(map(str, event.org_units)) or None,
        "ce_sealedat": instant(event.sealed_at),
        "ce_actor": f"{event.actor.id} {event.actor.job_title}",
        "ce_client": event.client,
        "ce_reason": event.reason,
        "ce_validat": instant(event.valid_at) if event.valid_at else None,
    }
    return [(name, value.encode()) for name, value in attributes.items() if value is not None]


def position_of(headers: Iterable[tuple[str, bytes]]) -> tuple[int, int]:
    """Generation and position of a record, without decoding the rest."""
    found = dict(headers)
    return int(found["ce_loggeneration"]), int(found["ce_sequence"])


def event_of(
    headers: Iterable[tuple[str, bytes]], value: bytes, partition: int, service: str, registry: Registry
) -> Recorded:
    """The event of a record. Raises `KeyError` or `ValueError` for a record that is none."""
    attributes = {name: text.decode() for name, text in headers}
    person, _, job_title = attributes["ce_actor"].partition(" ")
    *_, version = attributes["ce_dataschema"].rsplit(":", 1)
    return Recorded(
        id=UUID(attributes["ce_id"]),
        service=service,
        type=attributes["ce_type"],
        schema_version=int(version),
        stream=attributes["ce_subject"],
        stream_version=int(attributes["ce_streamversion"]),
        partition=partition,
        position=int(attributes["ce_sequence"]),
        generation=int(attributes["ce_loggeneration"]),
        recorded_at=datetime.fromisoformat(attributes["ce_time"]),
        sealed_at=datetime.fromisoformat(attributes["ce_sealedat"]),
        valid_at=_instant(attributes, "ce_validat"),
        actor=Actor(UUID(person), job_title),
        client=attributes["ce_client"],
        reason=attributes.get("ce_reason"),
        correlation_id=UUID(attributes["ce_correlationid"]),
        causation_id=UUID(attributes["ce_causationid"]),
        traceparent=attributes.get("ce_traceparent"),
        org_units=tuple(UUID(unit) for unit in attributes.get("ce_orgunits", "").split(",") if unit),
        data=value,
        registry=registry,
    )


def _instant(attributes: Mapping[str, str], name: str) -> datetime | None:
    text = attributes.get(name)
    return datetime.fromisoformat(text) if text else None
