"""Events as a log would hold them, made without one."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from steerco_events.envelope import Actor, Recorded
from steerco_events.ids import derived_id
from steerco_events.positions import partition_of
from steerco_events.registry import Payload, Registry, data_of
from steerco_events.testkit.tally import TALLY

BEGIN = datetime(2026, 3, 2, 12, tzinfo=UTC)

type Seal = Iterable[tuple[str, Payload]]
"""Streams and payloads that are sealed together."""


def log_of(seals: Iterable[Seal], service: str = "tally", registry: Registry = TALLY) -> Sequence[Recorded]:
    """A whole log; one second lies between two seals."""
    events: list[Recorded] = []
    versions: dict[str, int] = {}
    for n, seal in enumerate(seals):
        for stream, payload in seal:
            versions[stream] = versions.get(stream, 0) + 1
            position = len(events) + 1
            event_type = registry.type_of(payload)
            cause = derived_id(service, "command", position)
            events.append(
                Recorded(
                    id=derived_id(service, position),
                    service=service,
                    type=event_type.name,
                    schema_version=event_type.version,
                    stream=stream,
                    stream_version=versions[stream],
                    partition=partition_of(stream),
                    position=position,
                    generation=1,
                    recorded_at=BEGIN + timedelta(seconds=n),
                    sealed_at=BEGIN + timedelta(seconds=n),
                    valid_at=None,
                    actor=Actor(derived_id("person", "tester"), "PMO officer"),
                    client="tests",
                    reason=None,
                    correlation_id=cause,
                    causation_id=cause,
                    traceparent=None,
                    org_units=(),
                    data=data_of(payload),
                    registry=registry,
                )
            )
    return events
