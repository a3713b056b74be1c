"""Events of intake: pitches, from submission to decision. Stream: `pitch-<id>`."""

from datetime import date
from uuid import UUID

from steerco_events.contracts.values import Money
from steerco_events.registry import Registry

INTAKE = Registry("intake")


@INTAKE.event("pitch-submitted")
class PitchSubmitted:
    """A pitch was handed in on a template, every required field filled; again after it was returned."""

    pitch_id: UUID
    title: str
    unit_id: UUID
    project_code: str
    currency: str
    template: str
    template_version: int
    fields: dict[str, str]
    estimated_cost: Money | None = None
    organization_version: int


@INTAKE.event("pitch-screened")
class PitchScreened:
    """The office found the pitch fit to be decided."""

    pitch_id: UUID
    note: str


@INTAKE.event("pitch-approved")
class PitchApproved:
    """The pitch becomes a project; all that chartering it needs."""

    pitch_id: UUID
    title: str
    unit_id: UUID
    project_code: str
    currency: str


@INTAKE.event("pitch-rejected")
class PitchRejected:
    """The pitch will not become a project."""

    pitch_id: UUID


@INTAKE.event("pitch-deferred")
class PitchDeferred:
    """The decision waits until a day."""

    pitch_id: UUID
    until_on: date


@INTAKE.event("pitch-returned")
class PitchReturned:
    """The pitch goes back to who submitted it, to be mended."""

    pitch_id: UUID


@INTAKE.event("pitch-withdrawn")
class PitchWithdrawn:
    """Who submitted the pitch took it back."""

    pitch_id: UUID
