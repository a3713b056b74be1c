"""How a project begins: chartered from a pitch or registered from elsewhere, once, under a code of its own."""

from dataclasses import replace
from datetime import date
from typing import Any, get_args

import pytest

from steerco_events.contracts.portfolio import (
    ProjectChartered,
    ProjectCharterRefused,
    ProjectCodeTaken,
    ProjectDatesStated,
    ProjectMoved,
    ProjectRegistered,
    ProjectRenamed,
    ProjectState,
    ProjectTerminated,
)
from steerco_events.contracts.values import StatedDate
from steerco_events.ids import derived_id
from steerco_events.registry import Payload
from steerco_events.testkit.spec import spec
from steerco_portfolio.domain.project import (
    CharterProject,
    KnownUnit,
    NoSuchUnit,
    ProjectAlreadyBegun,
    ProjectCodeInUse,
    RefuseCharter,
    RegisterProject,
    Terminate,
    UnknownProject,
)
from steerco_portfolio.domain.project_rules import project_decider

project = spec(project_decider)

ID, PITCH = derived_id("project"), derived_id("pitch")
LIC, MKT, WEB = (KnownUnit(derived_id("unit", code), code, code != "WEB") for code in ("LIC", "MKT", "WEB"))
"""WEB was closed."""
NOT_STATED = StatedDate.not_stated()
APRIL, MAY = StatedDate.stated(date(2026, 4, 1)), StatedDate.stated(date(2026, 5, 1))
WORDS = StatedDate.undisclosed("After the election")

CHARTER = CharterProject(project_id=ID, code="LIC-1", title="On line", unit=LIC, currency="EUR", pitch_id=PITCH)
CHARTERED = ProjectChartered(
    project_id=ID, code="LIC-1", title="On line", unit_id=LIC.unit_id, currency="EUR", pitch_id=PITCH
)
REFUSE = RefuseCharter(ID, PITCH, "ProjectCodeInUse", "another project has the code 'LIC-1'")
REFUSED = ProjectCharterRefused(project_id=ID, pitch_id=PITCH, refusal=REFUSE.refusal, detail=REFUSE.detail)
REGISTER = RegisterProject(
    project_id=ID,
    code="LIC-1",
    title="On line",
    unit=LIC,
    currency="EUR",
    state="executing",
    source="register",
    reference="7",
    start=NOT_STATED,
    end=NOT_STATED,
)
REGISTERED = ProjectRegistered(
    project_id=ID,
    code="LIC-1",
    title="On line",
    unit_id=LIC.unit_id,
    currency="EUR",
    state="executing",
    source="register",
    reference="7",
)


def dates(start: StatedDate, end: StatedDate) -> ProjectDatesStated:
    return ProjectDatesStated(project_id=ID, start=start, end=end, contradictory=False)


def test_an_approved_pitch_becomes_a_project_of_its_unit() -> None:
    project.given().when(CHARTER).then(CHARTERED)


@pytest.mark.parametrize("unit", [None, WEB])
def test_a_project_is_begun_in_an_open_unit_only(unit: KnownUnit | None) -> None:
    for command in (replace(CHARTER, unit=unit), replace(REGISTER, unit=unit)):
        project.given().when(command).then_refused(NoSuchUnit, pointer="/unit_id")


def test_a_pitch_is_chartered_once_whatever_became_of_its_project_or_its_unit() -> None:
    for past in ((CHARTERED,), (CHARTERED, ProjectTerminated(project_id=ID)), (REGISTERED,)):
        project.given(*past).when(CHARTER).then_nothing()
        project.given(*past).when(replace(CHARTER, unit=None)).then_nothing()


def test_a_charter_that_can_not_be_is_recorded_once_for_each_reason() -> None:
    project.given().when(REFUSE).then(REFUSED)
    project.given(REFUSED).when(REFUSE).then_nothing()
    other = RefuseCharter(ID, PITCH, "NoSuchUnit", "the unit LIC was closed")
    told = ProjectCharterRefused(project_id=ID, pitch_id=PITCH, refusal="NoSuchUnit", detail="the unit LIC was closed")
    project.given(REFUSED).when(other).then(told)


def test_a_charter_that_was_given_is_not_refused_any_more() -> None:
    project.given(CHARTERED).when(REFUSE).then_nothing()


def test_after_a_refused_charter_the_id_is_free_for_one_that_succeeds_or_for_a_registration() -> None:
    project.given(REFUSED).when(replace(CHARTER, code="LIC-2")).then(replace(CHARTERED, code="LIC-2"))
    project.given(REFUSED).when(REGISTER).then(REGISTERED)


@pytest.mark.parametrize("state", get_args(ProjectState.__value__))
def test_a_project_is_registered_in_any_state(state: ProjectState) -> None:
    project.given().when(replace(REGISTER, state=state)).then(replace(REGISTERED, state=state))


@pytest.mark.parametrize(("start", "end"), [(APRIL, MAY), (APRIL, NOT_STATED), (NOT_STATED, WORDS)])
def test_a_project_is_registered_with_the_dates_that_are_said(start: StatedDate, end: StatedDate) -> None:
    command = replace(REGISTER, start=start, end=end)
    project.given().when(command).then(REGISTERED, dates(start, end))


def test_a_registration_can_be_sent_again_whatever_became_of_the_project() -> None:
    command = replace(REGISTER, start=APRIL)
    past = (
        REGISTERED,
        dates(APRIL, NOT_STATED),
        ProjectRenamed(project_id=ID, title="By phone"),
        dates(MAY, WORDS),
        ProjectMoved(project_id=ID, from_unit_id=LIC.unit_id, to_unit_id=MKT.unit_id),
        ProjectTerminated(project_id=ID),
    )
    project.given(*past).when(command).then_nothing()
    project.given(*past).when(replace(command, unit=replace(LIC, is_open=False))).then_nothing()


@pytest.mark.parametrize(
    "changes",
    [
        {"code": "LIC-2"},
        {"title": "By phone"},
        {"unit": MKT},
        {"unit": None},
        {"currency": "USD"},
        {"state": "planning"},
        {"source": "another register"},
        {"reference": "8"},
        {"start": MAY},
    ],
)
def test_an_id_is_that_of_one_project_registered_in_one_way(changes: dict[str, Any]) -> None:
    command = replace(replace(REGISTER, start=APRIL), **changes)
    project.given(REGISTERED, dates(APRIL, NOT_STATED)).when(command).then_refused(
        ProjectAlreadyBegun, pointer="/project_id"
    )


def test_what_a_pitch_became_is_not_registered() -> None:
    project.given(CHARTERED).when(REGISTER).then_refused(ProjectAlreadyBegun, pointer="/project_id")


@pytest.mark.parametrize("begun", [replace(CHARTERED, code="lic-1"), replace(REGISTERED, code="Lic-1")])
def test_a_project_takes_its_code_in_any_case(begun: ProjectChartered | ProjectRegistered) -> None:
    reservation = project_decider.reserve(begun)
    assert reservation is not None
    assert reservation.stream == "project-code-LIC-1"
    assert reservation.event == ProjectCodeTaken(code=begun.code, project_id=ID)
    assert isinstance(reservation.refusal, ProjectCodeInUse)
    assert reservation.refusal.pointer == "/code"


@pytest.mark.parametrize("event", [REFUSED, dates(APRIL, MAY), ProjectRenamed(project_id=ID, title="By phone")])
def test_nothing_else_takes_a_code(event: Payload) -> None:
    assert project_decider.reserve(event) is None


def test_of_a_project_whose_charter_was_refused_the_refusal_says_why_it_is_not_there() -> None:
    with pytest.raises(UnknownProject, match="its charter was refused: another project has the code 'LIC-1'"):
        project_decider.decide(Terminate(ID), project_decider.fold([REFUSED]))
