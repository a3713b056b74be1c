"""Events of the organization: its units and their policies, its people, and who is appointed to what."""

from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from steerco_events.contracts.portfolio.registry import PORTFOLIO
from steerco_events.contracts.values import ENCRYPTED, PERSONAL
from steerco_events.registry import event

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
