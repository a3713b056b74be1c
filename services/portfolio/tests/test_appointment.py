"""What an appointment's decider says: one place, days in order, delegations within the original, an end for good."""

from dataclasses import replace
from datetime import date, timedelta
from typing import get_args
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as some

from steerco_events.contracts.portfolio import AppointmentEnded, AppointmentMade, AppointmentTermChanged, Role
from steerco_events.decider import Refusal
from steerco_events.ids import derived_id
from steerco_events.registry import Payload
from steerco_events.testkit.spec import spec
from steerco_portfolio.domain.appointment import (
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
    InForce,
    KnownProject,
    LastAdministrator,
    MakeAppointment,
    NoAppointment,
    NoSuchProject,
    Term,
    TermEndsBeforeItBegins,
    UnitAndProjectNamed,
    UnknownAppointment,
)
from steerco_portfolio.domain.appointment_rules import appointment_decider
from steerco_portfolio.domain.project import KnownUnit, NoSuchUnit

appointment = spec(appointment_decider)

ID, OTHER_ID = derived_id("appointment"), derived_id("appointment", "other")
HOLDER, DEPUTY = derived_id("person", "holder"), derived_id("person", "deputy")
LIC, WEB = (KnownUnit(derived_id("unit", code), code, code != "WEB") for code in ("LIC", "WEB"))
"""WEB was closed."""
CALLS, DONE = (
    KnownProject(derived_id("project", code), code, LIC.unit_id, code == "DONE") for code in ("CALLS", "DONE")
)
"""DONE is over."""
MARCH, APRIL, MAY, JUNE = (date(2026, month, 1) for month in (3, 4, 5, 6))

MAKE = MakeAppointment(
    appointment_id=ID,
    person_id=HOLDER,
    role="pmo_officer",
    term=Term(APRIL, MAY),
    unit_id=LIC.unit_id,
    unit=LIC,
)
MADE = AppointmentMade(
    appointment_id=ID, person_id=HOLDER, role="pmo_officer", from_on=APRIL, until_on=MAY, unit_id=LIC.unit_id
)
ENDED = AppointmentEnded(appointment_id=ID)
DELEGATE = DelegateAppointment(
    appointment_id=OTHER_ID, person_id=DEPUTY, term=Term(APRIL, MAY), original=InForce(MADE, Term(APRIL, MAY))
)
DELEGATED = replace(MADE, appointment_id=OTHER_ID, person_id=DEPUTY, delegated_from=ID)


def changed(from_on: date, until_on: date | None, appointment_id: UUID = ID) -> AppointmentTermChanged:
    return AppointmentTermChanged(appointment_id=appointment_id, from_on=from_on, until_on=until_on)


@pytest.mark.parametrize("role", get_args(Role.__value__))
def test_a_person_is_appointed_to_any_role_at_a_unit(role: Role) -> None:
    appointment.given().when(replace(MAKE, role=role)).then(replace(MADE, role=role))


def test_a_person_is_appointed_at_a_project_or_in_the_whole_enterprise() -> None:
    everywhere = replace(MAKE, unit_id=None, unit=None)
    appointment.given().when(everywhere).then(replace(MADE, unit_id=None))
    at_project = replace(everywhere, project_id=CALLS.project_id, project=CALLS)
    appointment.given().when(at_project).then(replace(MADE, unit_id=None, project_id=CALLS.project_id))


def test_an_appointment_is_at_one_place() -> None:
    both = replace(MAKE, project_id=CALLS.project_id, project=CALLS)
    appointment.given().when(both).then_refused(UnitAndProjectNamed, pointer="/project_id")


@pytest.mark.parametrize("unit", [None, WEB])
def test_nobody_is_appointed_at_a_unit_that_is_not_there_or_closed(unit: KnownUnit | None) -> None:
    command = replace(MAKE, unit_id=WEB.unit_id, unit=unit)
    appointment.given().when(command).then_refused(NoSuchUnit, pointer="/unit_id")


@pytest.mark.parametrize("project", [None, DONE])
def test_nobody_is_appointed_at_a_project_that_is_not_there_or_over(project: KnownProject | None) -> None:
    command = replace(MAKE, unit_id=None, unit=None, project_id=DONE.project_id, project=project)
    appointment.given().when(command).then_refused(NoSuchProject, pointer="/project_id")


def test_an_appointment_may_have_no_end_or_last_for_one_day() -> None:
    for until_on in (None, APRIL):
        command = replace(MAKE, term=Term(APRIL, until_on))
        appointment.given().when(command).then(replace(MADE, until_on=until_on))


def test_an_appointment_does_not_end_before_it_begins() -> None:
    backward = Term(APRIL, APRIL - timedelta(days=1))
    for past, command in (
        ((), replace(MAKE, term=backward)),
        ((), replace(DELEGATE, term=backward)),
        ((MADE,), ChangeAppointmentTerm(ID, backward)),
    ):
        appointment.given(*past).when(command).then_refused(TermEndsBeforeItBegins, pointer="/until_on")


@pytest.mark.parametrize("past", [(MADE,), (MADE, ENDED), (MADE, changed(MAY, JUNE))])
def test_an_id_is_that_of_one_appointment_made_in_one_way(past: tuple[Payload, ...]) -> None:
    appointment.given(*past).when(MAKE).then_nothing()
    appointment.given(*past).when(replace(MAKE, unit=None)).then_nothing()
    for otherwise in (replace(MAKE, role="auditor"), replace(MAKE, person_id=DEPUTY), replace(MAKE, term=Term(APRIL))):
        appointment.given(*past).when(otherwise).then_refused(AppointmentAlreadyMade, pointer="/appointment_id")


@pytest.mark.parametrize("term", [Term(MARCH, MAY), Term(APRIL, JUNE), Term(APRIL, None), Term(JUNE, JUNE)])
def test_an_appointment_holds_from_and_until_other_days(term: Term) -> None:
    appointment.given(MADE).when(ChangeAppointmentTerm(ID, term)).then(changed(term.from_on, term.until_on))


def test_the_days_that_it_has_already_change_nothing() -> None:
    appointment.given(MADE).when(ChangeAppointmentTerm(ID, Term(APRIL, MAY))).then_nothing()
    past = (MADE, changed(MAY, None), AppointmentEnded(appointment_id=ID))
    appointment.given(*past).when(ChangeAppointmentTerm(ID, Term(MAY))).then_nothing()


def test_an_appointment_that_was_ended_gets_no_other_days() -> None:
    appointment.given(MADE, ENDED).when(ChangeAppointmentTerm(ID, Term(APRIL))).then_refused(AppointmentIsEnded)


def test_an_appointment_is_ended_once() -> None:
    appointment.given(MADE).when(EndAppointment(ID)).then(ENDED)
    appointment.given(MADE, ENDED).when(EndAppointment(ID)).then_nothing()


def test_what_is_done_with_an_appointment_is_done_with_one_that_there_is() -> None:
    appointment.given().when(EndAppointment(ID)).then_refused(UnknownAppointment)
    appointment.given().when(ChangeAppointmentTerm(ID, Term(APRIL))).then_refused(UnknownAppointment)
    appointment.given().when(replace(DELEGATE, original=NoAppointment())).then_refused(UnknownAppointment)


@pytest.mark.parametrize(
    "made", [MADE, replace(MADE, unit_id=None), replace(MADE, unit_id=None, project_id=CALLS.project_id)]
)
def test_a_delegation_is_to_the_same_role_at_the_same_place(made: AppointmentMade) -> None:
    command = replace(DELEGATE, original=InForce(made, Term(APRIL, MAY)))
    delegated = replace(made, appointment_id=OTHER_ID, person_id=DEPUTY, delegated_from=ID)
    appointment.given().when(command).then(delegated)


def test_a_delegation_may_be_for_some_days_of_the_term_that_the_original_has_now() -> None:
    command = replace(DELEGATE, term=Term(MAY, JUNE), original=InForce(MADE, Term(MARCH)))
    appointment.given().when(command).then(replace(DELEGATED, from_on=MAY, until_on=JUNE))


@pytest.mark.parametrize(
    ("term", "pointer"),
    [(Term(MARCH, MAY), "/from_on"), (Term(APRIL, JUNE), "/until_on"), (Term(JUNE, JUNE), "/until_on")],
)
def test_a_delegation_does_not_reach_beyond_the_original(term: Term, pointer: str) -> None:
    appointment.given().when(replace(DELEGATE, term=term)).then_refused(DelegationBeyondOriginal, pointer=pointer)
    change = ChangeAppointmentTerm(OTHER_ID, term, DELEGATE.original)
    appointment.given(DELEGATED).when(change).then_refused(DelegationBeyondOriginal, pointer=pointer)


def test_a_delegation_has_an_end_also_of_an_original_that_has_none() -> None:
    endless = InForce(replace(MADE, until_on=None), Term(APRIL))
    command = replace(DELEGATE, term=Term(APRIL), original=endless)
    appointment.given().when(command).then_refused(DelegationWithoutEnd, pointer="/until_on")
    change = ChangeAppointmentTerm(OTHER_ID, Term(APRIL), endless)
    appointment.given(DELEGATED).when(change).then_refused(DelegationWithoutEnd, pointer="/until_on")


def test_the_days_of_a_delegation_change_within_the_original() -> None:
    change = ChangeAppointmentTerm(OTHER_ID, Term(MAY, JUNE), InForce(MADE, Term(MARCH)))
    appointment.given(DELEGATED).when(change).then(changed(MAY, JUNE, OTHER_ID))


def test_nobody_stands_in_for_himself() -> None:
    appointment.given().when(replace(DELEGATE, person_id=HOLDER)).then_refused(
        DelegatedToItsHolder, pointer="/person_id"
    )


def test_a_delegation_is_not_delegated_onward() -> None:
    command = replace(
        DELEGATE, appointment_id=derived_id("third"), original=InForce(DELEGATED, Term(APRIL, MAY)), person_id=HOLDER
    )
    appointment.given().when(command).then_refused(DelegatedAlready)


def test_an_appointment_that_was_ended_is_not_delegated() -> None:
    ended = appointment_decider.fold((MADE, ENDED))
    appointment.given().when(replace(DELEGATE, original=ended)).then_refused(AppointmentIsEnded)


def test_a_delegation_can_be_sent_again_whatever_became_of_the_original() -> None:
    ended = appointment_decider.fold((MADE, changed(JUNE, None), ENDED))
    again = replace(DELEGATE, original=ended)
    for past in ((DELEGATED,), (DELEGATED, AppointmentEnded(appointment_id=OTHER_ID))):
        appointment.given(*past).when(again).then_nothing()
        appointment.given(*past).when(replace(again, term=Term(APRIL, APRIL))).then_refused(
            AppointmentAlreadyMade, pointer="/appointment_id"
        )


some_day = some.dates(APRIL, JUNE)
some_term = some.builds(Term, some_day, some.none() | some_day)
some_command = some.one_of(
    some.builds(lambda term: replace(DELEGATE, term=term), some_term),
    some.builds(ChangeAppointmentTerm, some.just(OTHER_ID), some_term, some.just(DELEGATE.original)),
    some.builds(EndAppointment, some.just(OTHER_ID)),
)


@given(some.lists(some_command, max_size=20))
def test_whatever_comes_a_delegation_lies_within_the_original_and_stays_ended(
    commands: list[AppointmentCommand],
) -> None:
    state = appointment_decider.initial
    for command in commands:
        before = state
        try:
            state = appointment_decider.fold(appointment_decider.decide(command, state), state)
        except Refusal:
            continue
        if not isinstance(before, NoAppointment | InForce):
            assert state == before
        if not isinstance(state, NoAppointment):
            assert state.term.until_on is not None
            assert APRIL <= state.term.from_on <= state.term.until_on <= MAY


ADMIN = replace(MADE, role="pmo_admin", until_on=None, unit_id=None)


def test_the_last_who_administers_the_whole_enterprise_is_not_ended() -> None:
    appointment.given(ADMIN).when(EndAppointment(ID, is_last_admin=True)).then_refused(LastAdministrator)
    appointment.given(ADMIN).when(EndAppointment(ID)).then(ENDED)
    appointment.given(ADMIN, ENDED).when(EndAppointment(ID, is_last_admin=True)).then_nothing()


@pytest.mark.parametrize(
    ("term", "pointer"), [(Term(APRIL, JUNE), "/until_on"), (Term(MAY), "/from_on"), (Term(MARCH, MAY), "/until_on")]
)
def test_the_last_who_administers_the_whole_enterprise_has_no_fewer_days(term: Term, pointer: str) -> None:
    last = ChangeAppointmentTerm(ID, term, is_last_admin=True)
    appointment.given(ADMIN).when(last).then_refused(LastAdministrator, pointer=pointer)
    appointment.given(ADMIN).when(replace(last, is_last_admin=False)).then(changed(term.from_on, term.until_on))


def test_the_last_who_administers_the_whole_enterprise_may_have_more_days() -> None:
    last = ChangeAppointmentTerm(ID, Term(MARCH), is_last_admin=True)
    appointment.given(ADMIN).when(last).then(changed(MARCH, None))
