"""Events of projects, from their charter or registration on."""

from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from steerco_events.contracts.portfolio.registry import PORTFOLIO
from steerco_events.contracts.values import COMMERCIAL, CURRENCY, StatedDate
from steerco_events.registry import event

type ProjectState = Literal["chartered", "planning", "executing", "closing", "closed", "on_hold", "terminated"]
type Rating = Literal["green", "amber_green", "amber", "amber_red", "red", "undisclosed", "not_rated"]
"""Delivery confidence: three levels since 2021, five before; or words in a rating's place; or no rating any more."""


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
    said: Annotated[dict[str, str], COMMERCIAL]
    """Each fact by its name, its words as JSON text; budgets and forecasts are among them."""


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
