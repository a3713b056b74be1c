"""What surrounds an event's data: who did it, why, from what cause, where it stands in the log."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from uuid import UUID

from steerco_events.ids import derived_id
from steerco_events.positions import Token
from steerco_events.registry import Payload, Registry, schema_urn


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: an identifier and a job title, never a name."""

    id: UUID
    job_title: str


@dataclass(frozen=True, slots=True)
class Context:
    """What every event of one command carries beside its data.

    `recorded_at` is the command's instant (UTC); `valid_at` the instant at which it was true, if another;
    `org_units` are the units that the writer believed to be concerned; `on_behalf_of` whoever the actor did it for.
    """

    command_id: UUID
    actor: Actor
    client: str
    recorded_at: datetime
    correlation_id: UUID
    causation_id: UUID
    reason: str | None = None
    valid_at: datetime | None = None
    traceparent: str | None = None
    org_units: tuple[UUID, ...] = ()
    on_behalf_of: UUID | None = None

    def event_id(self, n: int) -> UUID:
        """The id of the command's n-th event: the same command always gives the same ids."""
        return derived_id(self.command_id, n)

    @property
    def people(self) -> Sequence[UUID]:
        """Who acts, and on whose behalf."""
        return (self.actor.id,) if self.on_behalf_of is None else (self.actor.id, self.on_behalf_of)

    def concerning(self, *org_units: UUID) -> "Context":
        """The same context, stamped with the units concerned."""
        return replace(self, org_units=org_units)


@dataclass(frozen=True)
class Recorded:
    """An event as the log holds it. `service` names its log, `position` its place there."""

    id: UUID
    service: str
    type: str
    schema_version: int
    stream: str
    stream_version: int
    partition: int
    position: int
    generation: int
    recorded_at: datetime
    sealed_at: datetime
    valid_at: datetime | None
    actor: Actor
    client: str
    reason: str | None
    correlation_id: UUID
    causation_id: UUID
    traceparent: str | None
    org_units: tuple[UUID, ...]
    data: bytes
    registry: Registry
    on_behalf_of: UUID | None = None

    @property
    def schema(self) -> str:
        """The `dataschema` of the event."""
        return schema_urn(self.type, self.schema_version)

    @cached_property
    def payload(self) -> Payload:
        """The event's data, decoded once; `UnknownEvent` if this release does not know its type."""
        return self.registry.decode(self.type, self.schema_version, self.data, self.stream)


@dataclass(frozen=True, slots=True)
class StreamSlice:
    """A stream's payloads in order; the version (0: it is not there), the stamp and the token of the last."""

    stream: str
    version: int
    payloads: Sequence[Payload]
    org_units: tuple[UUID, ...] = ()
    token: Token = field(default_factory=Token)
