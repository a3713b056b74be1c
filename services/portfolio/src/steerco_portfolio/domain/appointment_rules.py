"""What may happen to an appointment, and what it makes of it. Pure."""

from collections.abc import Sequence
from dataclasses import replace
from typing import assert_never

from steerco_events.contracts.portfolio import AppointmentEnded, AppointmentMade, AppointmentTermChanged
from steerco_events.decider import Decider
from steerco_events.registry import Payload
from steerco_portfolio.domain.appointment import (
    Appointment,
    AppointmentAlreadyMade,
    AppointmentCommand,
    AppointmentIsEnded,
    ChangeAppointmentTerm,
    DelegateAppointment,
    DelegatedAlready,
    DelegatedToItsHolder,
    DelegationBeyondOriginal,
    DelegationWithoutEnd,
    EndAppointment,
    Ended,
    InForce,
    LastAdministrator,
    MakeAppointment,
    NoAppointment,
    NoSuchProject,
    Term,
    TermEndsBeforeItBegins,
    UnitAndProjectNamed,
    UnknownAppointment,
)
from steerco_portfolio.domain.project import NoSuchUnit


def decide(command: AppointmentCommand, state: Appointment) -> Sequence[Payload]:
    """The events that a command leads to, or a refusal."""
    match command:
        case MakeAppointment():
            return make(command, state)
        case DelegateAppointment():
            return delegate(command, state)
        case ChangeAppointmentTerm():
            return change_term(command, state)
        case EndAppointment():
            return end(command, state)
        case _:
            assert_never(command)


def make(command: MakeAppointment, state: Appointment) -> Sequence[Payload]:
    """At one place, which takes people."""
    made = AppointmentMade(
        appointment_id=command.appointment_id,
        person_id=command.person_id,
        role=command.role,
        from_on=command.term.from_on,
        until_on=command.term.until_on,
        unit_id=command.unit_id,
        project_id=command.project_id,
    )
    match state:
        case NoAppointment():
            at_a_place(command)
            in_order(command.term)
            return [made]
        case InForce(before, _) | Ended(before, _):
            return made_already(made, before)
        case _:
            assert_never(state)


def made_already(made: AppointmentMade, before: AppointmentMade) -> Sequence[Payload]:
    """The same again says nothing new, whatever became of it."""
    if made == before:
        return []
    raise AppointmentAlreadyMade("this id is that of another appointment", pointer="/appointment_id")


def at_a_place(command: MakeAppointment) -> None:
    """An open unit, or a project that goes on; or neither."""
    if command.unit_id and command.project_id:
        raise UnitAndProjectNamed("an appointment is at a unit or at a project, not at both", pointer="/project_id")
    if command.unit_id:
        if command.unit is None:
            raise NoSuchUnit("no unit has this id", pointer="/unit_id")
        if not command.unit.is_open:
            raise NoSuchUnit(f"the unit {command.unit.code} was closed", pointer="/unit_id")
    if command.project_id:
        if command.project is None:
            raise NoSuchProject("no project has this id", pointer="/project_id")
        if command.project.is_over:
            raise NoSuchProject(f"the project {command.project.code} is over", pointer="/project_id")


def in_order(term: Term) -> None:
    """Refuse a term that ends before it begins."""
    if term.until_on is not None and term.until_on < term.from_on:
        raise TermEndsBeforeItBegins(f"{term.until_on} is before {term.from_on}", pointer="/until_on")


def delegate(command: DelegateAppointment, state: Appointment) -> Sequence[Payload]:
    """The same role at the same place, for another person, within the original's term; once, not onward."""
    original = known(command.original)
    delegated = replace(
        original.made,
        appointment_id=command.appointment_id,
        person_id=command.person_id,
        from_on=command.term.from_on,
        until_on=command.term.until_on,
        delegated_from=original.made.appointment_id,
    )
    match state:
        case NoAppointment():
            not_ended(original)
            if original.made.delegated_from:
                raise DelegatedAlready("this appointment is a delegation itself")
            if command.person_id == original.made.person_id:
                raise DelegatedToItsHolder("this person holds the appointment", pointer="/person_id")
            in_order(command.term)
            within(command.term, original.term)
            return [delegated]
        case InForce(before, _) | Ended(before, _):
            return made_already(delegated, before)
        case _:
            assert_never(state)


def within(term: Term, original: Term) -> None:
    """Refuse a delegation that has no end, or that holds when the original does not."""
    if term.until_on is None:
        raise DelegationWithoutEnd("a delegation needs a last day", pointer="/until_on")
    if not term.lies_within(original):
        pointer = "/from_on" if term.from_on < original.from_on else "/until_on"
        until = f"until {original.until_on}" if original.until_on else "without an end"
        raise DelegationBeyondOriginal(
            f"the original appointment holds from {original.from_on} {until}", pointer=pointer
        )


def change_term(command: ChangeAppointmentTerm, state: Appointment) -> Sequence[Payload]:
    """As long as it was not ended; of a delegation, within the original's term; of the last administrator, no less."""
    appointment = known(state)
    if appointment.term == command.term:
        return []
    not_ended(appointment)
    in_order(command.term)
    if command.is_last_admin and not appointment.term.lies_within(command.term):
        raise last_administrator(pointer="/until_on" if command.term.until_on else "/from_on")
    if appointment.made.delegated_from:
        within(command.term, known(command.original).term)
    return [
        AppointmentTermChanged(
            appointment_id=command.appointment_id, from_on=command.term.from_on, until_on=command.term.until_on
        )
    ]


def end(command: EndAppointment, state: Appointment) -> Sequence[Payload]:
    """Also after its last day, or before its first: it holds on no day to come. But the last administrator stays."""
    match known(state):
        case InForce():
            if command.is_last_admin:
                raise last_administrator()
            return [AppointmentEnded(appointment_id=command.appointment_id)]
        case Ended():
            return []


def last_administrator(pointer: str | None = None) -> LastAdministrator:
    """The refusal that says what to do first."""
    detail = "nobody else administers the whole enterprise without an end: appoint another pmo_admin in it first"
    return LastAdministrator(detail, pointer=pointer)


def known(state: Appointment) -> InForce | Ended:
    """The appointment that there is."""
    if isinstance(state, NoAppointment):
        raise UnknownAppointment("no appointment has this id")
    return state


def not_ended(state: InForce | Ended) -> None:
    """Refuse what can't be done with an appointment that was ended."""
    if isinstance(state, Ended):
        raise AppointmentIsEnded("this appointment was ended")


def evolve(state: Appointment, event: Payload) -> Appointment:
    """The situation after an event."""
    match event, state:
        case AppointmentMade(), NoAppointment():
            return InForce(event, Term(event.from_on, event.until_on))
        case AppointmentTermChanged(), InForce():
            return replace(state, term=Term(event.from_on, event.until_on))
        case AppointmentEnded(), InForce(made, term):
            return Ended(made, term)
        case _:
            return state


appointment_decider: Decider[Appointment, AppointmentCommand] = Decider(NoAppointment(), evolve, decide)
