"""An appointment: a person or machine has a role at a unit, at a project or in the whole enterprise. Pure."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from steerco_events.contracts.portfolio import AppointmentMade, Role
from steerco_events.decider import Refusal
from steerco_portfolio.domain.project import KnownUnit

# Situations


@dataclass(frozen=True, slots=True)
class Term:
    """The days from which and until which an appointment holds; `None`: until it is ended."""

    from_on: date
    until_on: date | None = None

    def lies_within(self, other: "Term") -> bool:
        """Whether it neither begins before the other nor ends after it."""
        ends_later = other.until_on is not None and (self.until_on is None or self.until_on > other.until_on)
        return self.from_on >= other.from_on and not ends_later


@dataclass(frozen=True, slots=True)
class NoAppointment:
    """There is no appointment of this id."""


@dataclass(frozen=True, slots=True)
class InForce:
    """It was not ended: it holds on the days of its term."""

    made: AppointmentMade
    term: Term


@dataclass(frozen=True, slots=True)
class Ended:
    """It was ended, whatever its term was."""

    made: AppointmentMade
    term: Term


type Appointment = NoAppointment | InForce | Ended

# Commands


@dataclass(frozen=True, slots=True)
class KnownProject:
    """The project that a command names, as delivery has it."""

    project_id: UUID
    code: str
    unit_id: UUID
    is_over: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeAppointment:
    """Give somebody a role at a unit or at a project; or at neither: in the whole enterprise.

    `unit` and `project` are `None` when there is none of the id that is given.
    """

    appointment_id: UUID
    person_id: UUID
    role: Role
    term: Term
    unit_id: UUID | None = None
    unit: KnownUnit | None = None
    project_id: UUID | None = None
    project: KnownProject | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DelegateAppointment:
    """Let somebody stand in for the holder of an appointment; `original` is the situation of that one."""

    appointment_id: UUID
    person_id: UUID
    term: Term
    original: Appointment


@dataclass(frozen=True, slots=True)
class ChangeAppointmentTerm:
    """Let an appointment hold from and until other days; of a delegated one, `original` is what it stands in for.

    `is_last_admin` as in `EndAppointment`.
    """

    appointment_id: UUID
    term: Term
    original: Appointment = NoAppointment()
    is_last_admin: bool = False


@dataclass(frozen=True, slots=True)
class EndAppointment:
    """Let an appointment hold no more.

    `is_last_admin`: by no other does somebody administer the whole enterprise today and without an end, as far as the
    view knew shortly before. Two that are ended at the same moment may both have seen the other.
    """

    appointment_id: UUID
    is_last_admin: bool = False


type AppointmentCommand = MakeAppointment | DelegateAppointment | ChangeAppointmentTerm | EndAppointment

# Refusals


class UnknownAppointment(Refusal):
    """No appointment has this id."""

    kind = "unknown"


class AppointmentAlreadyMade(Refusal):
    """The id is that of an appointment that was made otherwise."""


class AppointmentIsEnded(Refusal):
    """The appointment was ended."""


class LastAdministrator(Refusal):
    """Without the appointment nobody could administer the whole enterprise."""


class TermEndsBeforeItBegins(Refusal):
    """The last day is before the first."""

    kind = "invalid"


class UnitAndProjectNamed(Refusal):
    """An appointment is at one place."""

    kind = "invalid"


class NoSuchProject(Refusal):
    """No project has the id that was given, or it is over."""

    kind = "invalid"


class DelegatedToItsHolder(Refusal):
    """Nobody stands in for himself."""

    kind = "invalid"


class DelegatedAlready(Refusal):
    """Who stands in for somebody can't let another stand in for him."""


class DelegationWithoutEnd(Refusal):
    """A delegation has a last day."""

    kind = "invalid"


class DelegationBeyondOriginal(Refusal):
    """A delegation lies within the term of the appointment that it is of."""

    kind = "invalid"
