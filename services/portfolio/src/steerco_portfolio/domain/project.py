"""A project: chartered or registered, then changed by what happens to it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

from steerco_events.contracts.portfolio import (
    DeliveryConfidenceAssessed,
    ProjectChartered,
    ProjectCharterRefused,
    ProjectDatesStated,
    ProjectManagerAppointed,
    ProjectRegistered,
    ProjectState,
    Rating,
)
from steerco_events.contracts.values import StatedDate
from steerco_events.decider import Refusal

# Situations


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a project."""

    project_id: UUID
    begun: ProjectChartered | ProjectRegistered
    title: str
    unit_id: UUID
    state: ProjectState
    first_dates: ProjectDatesStated | None = None
    dates: ProjectDatesStated | None = None
    manager: ProjectManagerAppointed | None = None
    assessments: Mapping[str, DeliveryConfidenceAssessed] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NoProject:
    """There is no project of this id."""


@dataclass(frozen=True, slots=True)
class CharterRefused:
    """There is none either, and why; the id is free for a charter or a registration that succeeds."""

    refused: ProjectCharterRefused


@dataclass(frozen=True, slots=True)
class Running:
    """Under way, from its charter to its closing."""

    facts: Facts


@dataclass(frozen=True, slots=True)
class OnHold:
    """Stands still; `before` is the state that it goes back to."""

    facts: Facts
    before: ProjectState


@dataclass(frozen=True, slots=True)
class Over:
    """Closed or terminated."""

    facts: Facts


type Project = NoProject | CharterRefused | Running | OnHold | Over

# Commands


@dataclass(frozen=True, slots=True)
class KnownUnit:
    """The unit that a command names, as the organization has it."""

    unit_id: UUID
    code: str
    is_open: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CharterProject:
    """Make a project of an approved pitch; `unit` is `None` when there is none of that id."""

    project_id: UUID
    code: str
    title: str
    unit: KnownUnit | None
    currency: str
    pitch_id: UUID


@dataclass(frozen=True, slots=True)
class RefuseCharter:
    """Record why an approved pitch can't become a project."""

    project_id: UUID
    pitch_id: UUID
    refusal: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterProject:
    """Take over a project that ran elsewhere."""

    project_id: UUID
    code: str
    title: str
    unit: KnownUnit | None
    currency: str
    state: ProjectState
    source: str
    reference: str
    start: StatedDate
    end: StatedDate


@dataclass(frozen=True, slots=True)
class RenameProject:
    """Give it another title."""

    project_id: UUID
    title: str


@dataclass(frozen=True, slots=True)
class StateDates:
    """Say when it starts and ends."""

    project_id: UUID
    start: StatedDate
    end: StatedDate


@dataclass(frozen=True, slots=True)
class AssessDeliveryConfidence:
    """Rate how likely it delivers."""

    project_id: UUID
    assessor: str
    rating: Rating
    assessed_on: date | None
    evidence: str | None
    said: str | None = None


@dataclass(frozen=True, slots=True)
class AppointManager:
    """Put a person in charge from a day on."""

    project_id: UUID
    person_id: UUID
    job_title: str
    from_on: date


@dataclass(frozen=True, slots=True)
class MoveProject:
    """Let another unit have it."""

    project_id: UUID
    unit: KnownUnit | None


@dataclass(frozen=True, slots=True)
class StartPlanning:
    """Begin to plan."""

    project_id: UUID


@dataclass(frozen=True, slots=True)
class StartExecution:
    """Begin the work."""

    project_id: UUID


@dataclass(frozen=True, slots=True)
class StartClosing:
    """Begin to hand over."""

    project_id: UUID


@dataclass(frozen=True, slots=True)
class CloseProject:
    """End it as planned."""

    project_id: UUID


@dataclass(frozen=True, slots=True)
class PutOnHold:
    """Let it stand still."""

    project_id: UUID


@dataclass(frozen=True, slots=True)
class Resume:
    """Let it go on where it stood."""

    project_id: UUID


@dataclass(frozen=True, slots=True)
class Terminate:
    """End it before its end."""

    project_id: UUID


type Transition = StartPlanning | StartExecution | StartClosing | CloseProject | PutOnHold | Resume | Terminate
type ProjectCommand = (
    CharterProject
    | RefuseCharter
    | RegisterProject
    | RenameProject
    | StateDates
    | AssessDeliveryConfidence
    | AppointManager
    | MoveProject
    | Transition
)

# Refusals


class UnknownProject(Refusal):
    """No project has this id."""

    kind = "unknown"


class NoSuchUnit(Refusal):
    """No open unit has the id that was given."""

    kind = "invalid"


class ProjectCodeInUse(Refusal):
    """Another project has the code."""


class ProjectAlreadyBegun(Refusal):
    """The id is that of a project that was begun otherwise."""


class ProjectOver(Refusal):
    """The project is closed or terminated."""


class ProjectInAnotherState(Refusal):
    """The project is not in a state in which this can be done."""
