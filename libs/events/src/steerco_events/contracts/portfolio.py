"""Events of portfolio: the organization, who is appointed to what in it, and its projects.

Streams: `organization` (one for the whole tree), `person-<id>`, `appointment-<id>`, `project-<id>`,
`project-code-<CODE>`, `register-row-<project id>`.
"""

from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from steerco_events.contracts.values import CURRENCY, ENCRYPTED, PERSONAL, StatedDate
from steerco_events.registry import Registry, event

PORTFOLIO = Registry("portfolio")

type UnitKind = Literal["enterprise", "business_unit", "department"]
type PmoModel = Literal["repository", "coach", "enterprise"]
type Role = Literal[
    "pmo_admin",
    "pmo_officer",
    "board_member",
    "portfolio_manager",
    "program_manager",
    "project_manager",
    "project_support",
    "sponsor",
    "finance_controller",
    "resource_manager",
    "risk_manager",
    "training_coordinator",
    "contributor",
    "auditor",
    "viewer",
    "integration",
]
"""What somebody is in the organization; each is allowed what the table of permissions says."""

type Duties = Literal["pitch_submission_and_decision"]
"""Two things that one person may do, unless a unit's policy keeps them apart."""

type ProjectState = Literal["chartered", "planning", "executing", "closing", "closed", "on_hold", "terminated"]
type Rating = Literal["green", "amber_green", "amber", "amber_red", "red", "undisclosed", "not_rated"]
"""Delivery confidence: three levels since 2021, five before; or words in a rating's place; or no rating any more."""


@event(PORTFOLIO, "unit-opened")
class UnitOpened:
    """A unit joined the organization tree; the one without a parent is the enterprise."""

    unit_id: UUID
    code: str
    name: str
    kind: UnitKind
    parent_id: UUID | None = None
    pmo_model: PmoModel | None = None
    """How strong the unit's own office is; `null`: as that of the unit above."""


@event(PORTFOLIO, "unit-renamed")
class UnitRenamed:
    """A unit bears another name; its code stays."""

    unit_id: UUID
    name: str


@event(PORTFOLIO, "unit-moved")
class UnitMoved:
    """A unit, with all below it, hangs under another parent."""

    unit_id: UUID
    from_parent_id: UUID
    to_parent_id: UUID


@event(PORTFOLIO, "unit-closed")
class UnitClosed:
    """A unit takes no new projects."""

    unit_id: UUID


@event(PORTFOLIO, "pmo-model-adopted")
class PmoModelAdopted:
    """From a day on the office of a unit is that strong; units below inherit it."""

    unit_id: UUID
    pmo_model: PmoModel
    effective_on: date


@event(PORTFOLIO, "separation-of-duties-adopted")
class SeparationOfDutiesAdopted:
    """From a day on a unit, with all below it, requires that two things are not done by one person, or no more."""

    unit_id: UUID
    duties: Duties
    is_required: bool
    effective_on: date


@event(PORTFOLIO, "person-registered")
class PersonRegistered:
    """The office knows who is behind an id, and the unit that they are of."""

    person_id: UUID
    unit_id: UUID
    name: Annotated[str, ENCRYPTED, PERSONAL]
    email: Annotated[str | None, ENCRYPTED, PERSONAL] = None


@event(PORTFOLIO, "person-details-corrected")
class PersonDetailsCorrected:
    """A person has another name or address."""

    person_id: UUID
    name: Annotated[str, ENCRYPTED, PERSONAL]
    email: Annotated[str | None, ENCRYPTED, PERSONAL] = None


@event(PORTFOLIO, "person-moved")
class PersonMoved:
    """A person is of another unit."""

    person_id: UUID
    from_unit_id: UUID
    to_unit_id: UUID


@event(PORTFOLIO, "person-erased")
class PersonErased:
    """The person's key was forgotten: nobody reads their name and address any more, wherever they are kept."""

    person_id: UUID


@event(PORTFOLIO, "appointment-made")
class AppointmentMade:
    """A person or machine has a role at a unit and below, at a project, or (at neither) in the whole enterprise."""

    appointment_id: UUID
    person_id: UUID
    role: Role
    from_on: date
    until_on: date | None = None
    """The last day; `null`: until it is ended."""
    unit_id: UUID | None = None
    project_id: UUID | None = None
    delegated_from: UUID | None = None
    """The appointment whose holder is stood in for: this one holds no longer than that."""


@event(PORTFOLIO, "appointment-term-changed")
class AppointmentTermChanged:
    """An appointment holds from and until other days."""

    appointment_id: UUID
    from_on: date
    until_on: date | None = None


@event(PORTFOLIO, "appointment-ended")
class AppointmentEnded:
    """An appointment holds no more, from now on."""

    appointment_id: UUID


@event(PORTFOLIO, "project-chartered")
class ProjectChartered:
    """An approved pitch became a project."""

    project_id: UUID
    code: str
    title: str
    unit_id: UUID
    currency: Annotated[str, CURRENCY]
    pitch_id: UUID


@event(PORTFOLIO, "project-registered")
class ProjectRegistered:
    """A project that ran elsewhere was taken over from a register, in the state that it was in."""

    project_id: UUID
    code: str
    title: str
    unit_id: UUID
    currency: Annotated[str, CURRENCY]
    state: ProjectState
    source: str
    """The register that it was taken over from."""
    reference: str
    """The project's name there."""


@event(PORTFOLIO, "project-code-taken")
class ProjectCodeTaken:
    """The code names this project, and no other, in the whole enterprise."""

    code: str
    project_id: UUID


@event(PORTFOLIO, "project-charter-refused")
class ProjectCharterRefused:
    """An approved pitch could not become a project; the refusal says why."""

    project_id: UUID
    pitch_id: UUID
    refusal: str
    """The name of the rule that said no."""
    detail: str
    """The refusal in words."""


@event(PORTFOLIO, "register-row-kept")
class RegisterRowKept:
    """What a register said of a project when its row was last loaded whole."""

    project_id: UUID
    source: str
    reference: str
    said: dict[str, str]
    """Each fact by its name, its words as JSON text."""


@event(PORTFOLIO, "project-renamed")
class ProjectRenamed:
    """A project bears another title."""

    project_id: UUID
    title: str


@event(PORTFOLIO, "project-dates-stated")
class ProjectDatesStated:
    """When the project starts and ends, as said; contradictory dates are kept but not planned on."""

    project_id: UUID
    start: StatedDate
    end: StatedDate
    contradictory: bool
    """The end is before the start."""


@event(PORTFOLIO, "delivery-confidence-assessed")
class DeliveryConfidenceAssessed:
    """An assessor rated how likely the project delivers, or said words in a rating's place."""

    project_id: UUID
    assessor: str
    rating: Rating
    said: str | None = None
    """The words in a rating's place."""
    assessed_on: date | None = None
    evidence: str | None = None


@event(PORTFOLIO, "project-manager-appointed")
class ProjectManagerAppointed:
    """A person manages the project from a day on."""

    project_id: UUID
    person_id: UUID
    job_title: str
    unit_id: UUID
    from_on: date


@event(PORTFOLIO, "project-moved")
class ProjectMoved:
    """A project belongs to another unit."""

    project_id: UUID
    from_unit_id: UUID
    to_unit_id: UUID


@event(PORTFOLIO, "project-planning-started")
class ProjectPlanningStarted:
    """The project is being planned."""

    project_id: UUID


@event(PORTFOLIO, "project-execution-started")
class ProjectExecutionStarted:
    """The project does its work."""

    project_id: UUID


@event(PORTFOLIO, "project-closing-started")
class ProjectClosingStarted:
    """The project hands over."""

    project_id: UUID


@event(PORTFOLIO, "project-closed")
class ProjectClosed:
    """The project is over, as planned."""

    project_id: UUID


@event(PORTFOLIO, "project-put-on-hold")
class ProjectPutOnHold:
    """The project stands still."""

    project_id: UUID


@event(PORTFOLIO, "project-resumed")
class ProjectResumed:
    """The project goes on where it stood."""

    project_id: UUID
    state: ProjectState
    """The state that it went on in."""


@event(PORTFOLIO, "project-terminated")
class ProjectTerminated:
    """The project was ended before its end."""

    project_id: UUID
