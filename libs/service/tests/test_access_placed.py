"""Units, projects and appointments as every service knows them, folded from portfolio's events."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date

import pytest

from steerco_events.contracts import portfolio
from steerco_events.contracts.portfolio import PORTFOLIO
from steerco_events.ids import derived_id
from steerco_events.projections.model import Projection
from steerco_events.registry import Payload
from steerco_events.testkit.recorded import log_of
from steerco_service.access.duties import DutiesAdopted
from steerco_service.access.placed import (
    AppointmentHeld,
    ProjectManaged,
    ProjectPlaced,
    UnitPlaced,
    appointments_held,
    projects_managed,
    projects_placed,
    units_placed,
)

ENTERPRISE, NORTH, SOUTH = (derived_id("unit", n) for n in range(3))
PROJECT, PITCH, MANAGER, DEPUTY = (derived_id(name) for name in ("project", "pitch", "manager", "deputy"))
MADE, DELEGATED = derived_id("appointment", 1), derived_id("appointment", 2)
BEGAN, OVER = date(2026, 1, 1), date(2026, 6, 30)

OPENED = portfolio.UnitOpened(unit_id=NORTH, code="NORTH", name="North", kind="department", parent_id=ENTERPRISE)
REGISTERED = portfolio.ProjectRegistered(
    project_id=PROJECT,
    code="N-01",
    title="t",
    unit_id=NORTH,
    currency="EUR",
    state="executing",
    source="s",
    reference="1",
)
APPOINTED = portfolio.AppointmentMade(
    appointment_id=MADE, person_id=MANAGER, role="sponsor", from_on=BEGAN, until_on=OVER, unit_id=NORTH
)
HELD = AppointmentHeld(MADE, MANAGER, "sponsor", BEGAN, OVER, NORTH, None, None)


def rows[Row](projection: Projection[Row], *payloads: Payload) -> Mapping[str, Row | None]:
    """The rows of a log with these events."""
    found: dict[str, Row | None] = {}
    for event in log_of([[("stream", payload)] for payload in payloads], "portfolio", PORTFOLIO):
        if key := projection.key(event):
            found[key] = projection.evolve(found.get(key), event)
    return found


def managed(by: str, from_on: date) -> portfolio.ProjectManagerAppointed:
    return portfolio.ProjectManagerAppointed(
        project_id=PROJECT, person_id=derived_id(by), job_title="m", unit_id=NORTH, from_on=from_on
    )


def test_a_unit_is_below_the_one_that_it_was_opened_under() -> None:
    assert rows(units_placed, OPENED) == {str(NORTH): UnitPlaced(NORTH, "NORTH", ENTERPRISE)}


def test_a_unit_that_was_moved_is_below_another() -> None:
    moved = portfolio.UnitMoved(unit_id=NORTH, from_parent_id=ENTERPRISE, to_parent_id=SOUTH)
    assert rows(units_placed, OPENED, moved) == {str(NORTH): UnitPlaced(NORTH, "NORTH", SOUTH)}


def test_a_unit_keeps_what_it_adopted_of_duties_in_that_order() -> None:
    adopted = [
        portfolio.SeparationOfDutiesAdopted(
            unit_id=NORTH, duties="pitch_submission_and_decision", is_required=is_required, effective_on=BEGAN
        )
        for is_required in (True, False)
    ]
    duties = tuple(DutiesAdopted("pitch_submission_and_decision", each, BEGAN) for each in (True, False))
    assert rows(units_placed, OPENED, *adopted) == {str(NORTH): UnitPlaced(NORTH, "NORTH", ENTERPRISE, duties)}


def test_another_name_and_a_closure_leave_a_unit_where_it_is() -> None:
    renamed = portfolio.UnitRenamed(unit_id=NORTH, name="Far North")
    found = rows(units_placed, OPENED, renamed, portfolio.UnitClosed(unit_id=NORTH))
    assert found == rows(units_placed, OPENED)


def test_a_project_is_at_the_unit_that_it_was_chartered_or_registered_at() -> None:
    chartered = portfolio.ProjectChartered(
        project_id=PROJECT, code="N-01", title="t", unit_id=NORTH, currency="EUR", pitch_id=PITCH
    )
    for made in (chartered, REGISTERED):
        assert rows(projects_placed, made) == {str(PROJECT): ProjectPlaced(PROJECT, NORTH)}


def test_a_project_that_was_moved_is_at_another_unit() -> None:
    moved = portfolio.ProjectMoved(project_id=PROJECT, from_unit_id=NORTH, to_unit_id=SOUTH)
    assert rows(projects_placed, REGISTERED, moved) == {str(PROJECT): ProjectPlaced(PROJECT, SOUTH)}


@pytest.mark.parametrize("end", [portfolio.ProjectClosed, portfolio.ProjectTerminated])
def test_a_project_that_was_closed_or_terminated_is_over(
    end: type[portfolio.ProjectClosed] | type[portfolio.ProjectTerminated],
) -> None:
    found = rows(projects_placed, REGISTERED, end(project_id=PROJECT))
    assert found == {str(PROJECT): ProjectPlaced(PROJECT, NORTH, is_over=True)}


@pytest.mark.parametrize("state", ["closed", "terminated"])
def test_a_project_that_was_over_when_it_was_registered_is_over(state: portfolio.ProjectState) -> None:
    assert rows(projects_placed, replace(REGISTERED, state=state)) == {
        str(PROJECT): ProjectPlaced(PROJECT, NORTH, is_over=True)
    }


def test_a_project_keeps_all_that_was_said_of_who_manages_it() -> None:
    found = rows(projects_managed, REGISTERED, managed("manager", BEGAN), managed("deputy", OVER))
    assert list(found.values()) == [ProjectManaged(PROJECT, MANAGER, BEGAN), ProjectManaged(PROJECT, DEPUTY, OVER)]


def test_an_appointment_is_held_as_it_was_made() -> None:
    assert rows(appointments_held, APPOINTED) == {str(MADE): HELD}


def test_an_appointment_has_the_days_that_were_said_last() -> None:
    changed = portfolio.AppointmentTermChanged(appointment_id=MADE, from_on=OVER)
    assert rows(appointments_held, APPOINTED, changed) == {str(MADE): replace(HELD, from_on=OVER, until_on=None)}


def test_an_appointment_that_was_ended_is_held_no_more_whatever_its_days() -> None:
    ended = portfolio.AppointmentEnded(appointment_id=MADE)
    assert rows(appointments_held, APPOINTED, ended) == {str(MADE): replace(HELD, is_ended=True)}


def test_a_delegation_says_of_which_appointment_it_is() -> None:
    delegated = replace(APPOINTED, appointment_id=DELEGATED, person_id=DEPUTY, delegated_from=MADE)
    assert rows(appointments_held, APPOINTED, delegated)[str(DELEGATED)] == replace(
        HELD, appointment_id=DELEGATED, person_id=DEPUTY, delegated_from=MADE
    )


def test_what_says_nothing_of_a_place_has_no_row() -> None:
    renamed = portfolio.ProjectRenamed(project_id=PROJECT, title="t")
    assert (rows(units_placed, renamed), rows(projects_placed, renamed)) == ({}, {})
    assert rows(appointments_held, renamed) == {}
