"""Appointments: who has which role where, from a day to a day; each is the grant to act there."""

from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import Query, Response
from pydantic import BaseModel, Field

from steerco_events.commands.judging import Forbidden
from steerco_events.contracts.portfolio import Role
from steerco_portfolio.domain.appointment import (
    Appointment,
    AppointmentCommand,
    ChangeAppointmentTerm,
    DelegateAppointment,
    EndAppointment,
    KnownProject,
    MakeAppointment,
    NoAppointment,
    Term,
    UnknownAppointment,
)
from steerco_portfolio.domain.appointment_rules import appointment_decider
from steerco_portfolio.domain.organization import ORGANIZATION
from steerco_portfolio.domain.organization_rules import organization_decider
from steerco_portfolio.domain.placement import project_for_appointments, unit_for_delivery, units_concerned
from steerco_portfolio.domain.project import KnownUnit
from steerco_portfolio.domain.project_rules import project_decider
from steerco_portfolio.projections.appointments import appointments, appointments_listed
from steerco_service.access.permissions import HANDED_ON_IN_PERSON, appointed_by
from steerco_service.actions import NOBODY, Acted, Acting, Probe, in_full
from steerco_service.bodies import Body, Day, Name
from steerco_service.call import Call, Calling
from steerco_service.reading import Paged, Read
from steerco_service.routing import router

routes = router("appointments")


class TermBody(Body):
    """The first day and the last; without a last day: until it is ended."""

    from_on: Annotated[Day, Field(examples=["2026-09-01"])]
    until_on: Annotated[Day | None, Field(examples=["2027-08-31"])] = None

    def term(self) -> Term:
        """The value."""
        return Term(self.from_on, self.until_on)


class NewAppointment(TermBody):
    """At a unit, with all that is below it, or at a project, or at neither: in the whole enterprise.

    An id of the caller's own makes sending it twice harmless.
    """

    appointment_id: UUID | None = None
    person_id: UUID
    role: Annotated[Role, Field(examples=["pmo_officer"])]
    unit_id: UUID | None = None
    project_id: UUID | None = None


class NewDelegation(Body):
    """Who stands in for the holder, and on which days; an id of the caller's own makes sending it twice harmless."""

    appointment_id: UUID | None = None
    person_id: UUID
    from_on: Annotated[Day, Field(examples=["2026-08-03"])]
    until_on: Annotated[Day, Field(examples=["2026-08-21"])]


class End(Body):
    """Why an appointment holds no more."""

    reason: Annotated[Name, Field(examples=["Moves to another office"])]


class AppointmentAnswer(BaseModel):
    """One appointment; `ended_on` is the first day on which it holds no more, and `reason` why, if it was ended."""

    appointment_id: UUID
    person_id: UUID
    role: Role
    from_on: date
    until_on: date | None
    unit_id: UUID | None
    project_id: UUID | None
    delegated_from: UUID | None
    ended_on: date | None
    reason: str | None


class AppointmentInFull(AppointmentAnswer, Acted):
    """One appointment, and what may be done with it."""


def _stream(appointment_id: UUID) -> str:
    return f"appointment-{appointment_id}"


async def _appointment(call: Call, appointment_id: UUID | None) -> Appointment:
    if appointment_id is None:
        return NoAppointment()
    return await call.fold(appointment_decider, _stream(appointment_id))


async def _place(
    call: Call, unit_id: UUID | None, project_id: UUID | None
) -> tuple[KnownUnit | None, KnownProject | None]:
    """What there is for who asks of the ids that an appointment names, whose unit the call concerns."""
    organization = await call.fold(organization_decider, ORGANIZATION)
    unit = unit_for_delivery(organization, unit_id) if unit_id and call.asking.has_unit(unit_id) else None
    project = None
    if project_id:
        project = project_for_appointments(await call.fold(project_decider, f"project-{project_id}"))
        if project and not call.asking.has_project(project_id, project.unit_id):
            project = None
        call.of_project(project_id)
    if unit_id is None and project_id is None:
        call.within(None)
    call.concerns(*units_concerned(organization, unit_id, project))
    return unit, project


async def _there(call: Call, appointment: Appointment) -> Appointment:
    """The appointment, whose place the call concerns; none where there is none for who asks."""
    if isinstance(appointment, NoAppointment):
        return appointment
    made = appointment.made
    organization = await call.fold(organization_decider, ORGANIZATION)
    project = None
    if made.project_id:
        project = project_for_appointments(await call.fold(project_decider, f"project-{made.project_id}"))
    units = units_concerned(organization, made.unit_id, project)
    projects = (made.project_id,) if made.project_id else ()
    if made.person_id != call.principal.actor.id and not call.asking.sight.has_all(units, projects):
        call.concerns(*units)
        return NoAppointment()
    await _place(call, made.unit_id, made.project_id)
    return appointment


def _needs_office(call: Call, appointment: Appointment) -> None:
    if not isinstance(appointment, NoAppointment):
        _needs_office_for(call, appointment.made.role)


def _needs_office_for(call: Call, role: Role) -> None:
    call.needs_one_of(appointed_by(role), in_person=role in HANDED_ON_IN_PERSON)


def check_is_not_ones_own(call: Call, person_id: UUID) -> None:
    """Raises `Forbidden`: nobody gives themselves a role, more days or a deputy's, nor a project to manage.

    But who administers the whole enterprise, in person.
    """
    administering = call.asking.as_one_of(frozenset({"pmo_admin"}), in_person=True).scope
    if person_id == call.principal.actor.id and not administering.is_whole:
        raise Forbidden("nobody appoints themselves; somebody else of the office does")


async def _is_last_admin(call: Call, appointment: Appointment) -> bool:
    """Whether nobody else administers the whole enterprise, as far as is known."""
    if isinstance(appointment, NoAppointment) or appointment.made.role != "pmo_admin":
        return False
    return await call.administrators() == {appointment.made.appointment_id}


async def _handle(
    call: Call,
    appointment_id: UUID,
    command: AppointmentCommand,
    *,
    created: UUID | None = None,
    reason: str | None = None,
) -> Response:
    stream = _stream(appointment_id)
    return await call.handle(
        appointment_decider, stream, command, created=created, among="/appointments", reason=reason
    )


@routes.post("/appointments", status_code=201, summary="Appoint somebody")
async def make_appointment(body: NewAppointment, call: Calling) -> Response:
    """To a role at an open unit, at a project that goes on, or in the whole enterprise; nobody appoints themselves."""
    appointment_id = body.appointment_id or call.new_id()
    check_is_not_ones_own(call, body.person_id)
    _needs_office_for(call, body.role)
    if body.appointment_id:
        before = await _appointment(call, appointment_id)
        call.must_be_there(type(await _there(call, before)) is type(before))
    unit, project = await _place(call, body.unit_id, body.project_id)
    command = MakeAppointment(
        appointment_id=appointment_id,
        person_id=body.person_id,
        role=body.role,
        term=body.term(),
        unit_id=body.unit_id,
        unit=unit,
        project_id=body.project_id,
        project=project,
    )
    return await _handle(call, appointment_id, command, created=appointment_id)


@routes.put("/appointments/{appointment_id}/term", status_code=204, summary="Change the days of an appointment")
async def change_appointment_term(appointment_id: UUID, body: TermBody, call: Calling) -> Response:
    """Until it is ended; those of a delegation stay within the term of the appointment that it is of."""
    appointment = await _appointment(call, appointment_id)
    if not isinstance(appointment, NoAppointment):
        check_is_not_ones_own(call, appointment.made.person_id)
    _needs_office(call, appointment)
    await _there(call, appointment)
    delegated_from = None if isinstance(appointment, NoAppointment) else appointment.made.delegated_from
    command = ChangeAppointmentTerm(
        appointment_id,
        body.term(),
        await _appointment(call, delegated_from),
        is_last_admin=await _is_last_admin(call, appointment),
    )
    return await _handle(call, appointment_id, command)


@routes.post("/appointments/{appointment_id}/end", status_code=204, summary="End an appointment")
async def end_appointment(appointment_id: UUID, body: End, call: Calling) -> Response:
    """It holds no more, from now on, nor do delegations of it. The last administrator of the whole stays."""
    appointment = await _appointment(call, appointment_id)
    _needs_office(call, appointment)
    await _there(call, appointment)
    command = EndAppointment(appointment_id, is_last_admin=await _is_last_admin(call, appointment))
    return await _handle(call, appointment_id, command, reason=body.reason)


@routes.post("/appointments/{appointment_id}/delegations", status_code=201, summary="Delegate an appointment")
async def delegate_appointment(appointment_id: UUID, body: NewDelegation, call: Calling) -> Response:
    """Another person has the role there for some days of its term: an appointment of its own, not delegated onward."""
    original = await _appointment(call, appointment_id)
    if not isinstance(original, NoAppointment) and original.made.person_id != call.principal.actor.id:
        _needs_office(call, original)
    original = await _there(call, original)
    if not isinstance(original, NoAppointment):
        check_is_not_ones_own(call, body.person_id)
    delegation_id = body.appointment_id or call.new_id()
    command = DelegateAppointment(
        appointment_id=delegation_id,
        person_id=body.person_id,
        term=Term(body.from_on, body.until_on),
        original=original,
    )
    return await _handle(call, delegation_id, command, created=delegation_id)


_PROBES = (
    Probe(change_appointment_term, TermBody.model_construct(from_on=date.max, until_on=date.min)),
    Probe(end_appointment, End.model_construct(reason="")),
    Probe(
        delegate_appointment,
        NewDelegation.model_construct(appointment_id=None, person_id=NOBODY, from_on=date.max, until_on=date.min),
    ),
)
"""What may be done with an appointment, to be asked in advance."""


@routes.get("/appointments", summary="List appointments")
async def list_appointments(
    reading: Read,
    page: Paged,
    person_id: Annotated[UUID | None, Query(description="Of this person or machine only.")] = None,
    role: Annotated[Role | None, Query(description="To this role only.")] = None,
    unit_id: Annotated[UUID | None, Query(description="At this unit only, not at those below it.")] = None,
    project_id: Annotated[UUID | None, Query(description="At this project only.")] = None,
    in_force_on: Annotated[
        Day | None, Query(description="Those that hold on this day only, by all that is known now.")
    ] = None,
) -> list[AppointmentAnswer]:
    """In the order of their ids; the next page is in the `Link` header."""
    rows = await appointments_listed(reading, page, person_id, role, unit_id, project_id, in_force_on)
    return [AppointmentAnswer.model_validate(row, from_attributes=True) for row in rows]


@routes.get("/appointments/{appointment_id}", summary="One appointment")
async def one_appointment(appointment_id: UUID, acting: Acting, reading: Read, response: Response) -> AppointmentInFull:
    """Folded from its stream: never behind what was last accepted. Its version is the ETag."""
    row = await reading.fold(appointments, _stream(appointment_id), response)
    if row is None or not await reading.has_appointment(row.person_id, row.unit_id, row.project_id):
        raise UnknownAppointment("no appointment has this id")
    answer = AppointmentAnswer.model_validate(row, from_attributes=True)
    return in_full(AppointmentInFull, answer, await acting.of({"appointment_id": appointment_id}, _PROBES))
