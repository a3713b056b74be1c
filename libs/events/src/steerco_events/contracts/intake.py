"""Events of intake: pitches, from submission to decision. Stream: `pitch-<id>`."""

from datetime import date
from typing import Annotated
from uuid import UUID

from steerco_events.contracts.values import CURRENCY, Money
from steerco_events.registry import Registry, event

INTAKE = Registry("intake")


@event(INTAKE, "pitch-submitted")
class PitchSubmitted:
    """A pitch was handed in on a template, every required field filled; again after it was returned."""

    pitch_id: UUID
    title: str
    unit_id: UUID
    project_code: str
    currency: Annotated[str, CURRENCY]
    template: str
    template_version: int
    fields: dict[str, str]
    """What was written into each field of the template, by the field's name."""
    estimated_cost: Money | None = None
    organization_version: int
    """The version of the stream `organization` that the writer had seen."""


@event(INTAKE, "pitch-screened")
class PitchScreened:
    """The office found the pitch fit to be decided."""

    pitch_id: UUID
    note: str


@event(INTAKE, "pitch-approved")
class PitchApproved:
    """The pitch becomes a project; all that chartering it needs."""

    pitch_id: UUID
    title: str
    unit_id: UUID
    project_code: str
    currency: Annotated[str, CURRENCY]


@event(INTAKE, "pitch-rejected")
class PitchRejected:
    """The pitch will not become a project."""

    pitch_id: UUID


@event(INTAKE, "pitch-deferred")
class PitchDeferred:
    """The decision waits until a day."""

    pitch_id: UUID
    until_on: date


@event(INTAKE, "pitch-returned")
class PitchReturned:
    """The pitch goes back to who submitted it, to be mended."""

    pitch_id: UUID


@event(INTAKE, "pitch-withdrawn")
class PitchWithdrawn:
    """Who submitted the pitch took it back."""

    pitch_id: UUID
