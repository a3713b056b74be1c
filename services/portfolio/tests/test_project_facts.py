"""What is told of a project while it runs, and after: its title, its dates, ratings, manager and unit."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from steerco_events.contracts.portfolio import (
    DeliveryConfidenceAssessed,
    ProjectChartered,
    ProjectClosed,
    ProjectDatesStated,
    ProjectManagerAppointed,
    ProjectMoved,
    ProjectRegistered,
    ProjectRenamed,
    ProjectTerminated,
    Rating,
)
from steerco_events.contracts.values import StatedDate
from steerco_events.ids import derived_id
from steerco_events.registry import Payload
from steerco_events.testkit.spec import spec
from steerco_portfolio.domain.project import (
    AppointManager,
    AssessDeliveryConfidence,
    KnownUnit,
    MoveProject,
    NoSuchUnit,
    ProjectCommand,
    ProjectOver,
    RenameProject,
    StateDates,
    UnknownProject,
)
from steerco_portfolio.domain.project_rules import project_decider

project = spec(project_decider)

ID = derived_id("project")
LIC, MKT, WEB = (KnownUnit(derived_id("unit", code), code, code != "WEB") for code in ("LIC", "MKT", "WEB"))
"""WEB was closed."""
NOT_STATED = StatedDate.not_stated()
APRIL, MAY = StatedDate.stated(date(2026, 4, 1)), StatedDate.stated(date(2026, 5, 1))
WORDS = StatedDate.undisclosed("After the election")

CHARTERED = ProjectChartered(
    project_id=ID, code="LIC-1", title="On line", unit_id=LIC.unit_id, currency="EUR", pitch_id=derived_id("pitch")
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
CLOSED = (replace(REGISTERED, state="closing"), ProjectClosed(project_id=ID))
TERMINATED = (REGISTERED, ProjectTerminated(project_id=ID))


def dates(start: StatedDate, end: StatedDate, *, contradictory: bool = False) -> ProjectDatesStated:
    return ProjectDatesStated(project_id=ID, start=start, end=end, contradictory=contradictory)


def assessed(assessor: str, rating: Rating, on: date | None = None) -> DeliveryConfidenceAssessed:
    return DeliveryConfidenceAssessed(project_id=ID, assessor=assessor, rating=rating, assessed_on=on)


def appointed(person: str = "person", unit: KnownUnit = LIC) -> ProjectManagerAppointed:
    return ProjectManagerAppointed(
        project_id=ID,
        person_id=derived_id(person),
        job_title="Manager",
        unit_id=unit.unit_id,
        from_on=date(2026, 5, 1),
    )


APPOINT = AppointManager(ID, derived_id("person"), "Manager", date(2026, 5, 1))


def test_a_project_is_renamed_also_after_its_end() -> None:
    renamed = ProjectRenamed(project_id=ID, title="By phone")
    for past in ((CHARTERED,), CLOSED, TERMINATED):
        project.given(*past).when(RenameProject(ID, "By phone")).then(renamed)
    project.given(CHARTERED).when(RenameProject(ID, "On line")).then_nothing()
    project.given(CHARTERED, renamed).when(RenameProject(ID, "On line")).then(replace(renamed, title="On line"))


@pytest.mark.parametrize(
    ("start", "end"), [(APRIL, MAY), (APRIL, APRIL), (APRIL, WORDS), (WORDS, APRIL), (NOT_STATED, MAY), (WORDS, WORDS)]
)
def test_dates_are_kept_as_they_are_said_also_after_the_end(start: StatedDate, end: StatedDate) -> None:
    for past in ((CHARTERED,), CLOSED, TERMINATED):
        project.given(*past).when(StateDates(ID, start, end)).then(dates(start, end))


def test_an_end_before_the_start_is_kept_and_flagged() -> None:
    project.given(CHARTERED).when(StateDates(ID, MAY, APRIL)).then(dates(MAY, APRIL, contradictory=True))


def test_dates_can_be_unsaid() -> None:
    project.given(CHARTERED, dates(APRIL, MAY)).when(StateDates(ID, NOT_STATED, MAY)).then(dates(NOT_STATED, MAY))


def test_dates_that_hold_already_say_nothing_new() -> None:
    project.given(CHARTERED, dates(APRIL, WORDS)).when(StateDates(ID, APRIL, WORDS)).then_nothing()
    project.given(CHARTERED).when(StateDates(ID, NOT_STATED, NOT_STATED)).then_nothing()


def test_each_assessor_has_a_rating_of_their_own() -> None:
    past = (CHARTERED, assessed("sponsor", "green"))
    project.given(*past).when(_assess("review", "green")).then(assessed("review", "green"))
    project.given(*past, assessed("review", "red")).when(_assess("sponsor", "green")).then_nothing()


def test_an_assessor_rates_anew_with_another_rating_day_or_evidence() -> None:
    past = (CHARTERED, assessed("review", "amber", date(2026, 3, 1)))
    project.given(*past).when(_assess("review", "red", date(2026, 3, 1))).then(
        assessed("review", "red", date(2026, 3, 1))
    )
    project.given(*past).when(_assess("review", "amber", date(2026, 6, 1))).then(
        assessed("review", "amber", date(2026, 6, 1))
    )
    with_evidence = replace(_assess("review", "amber", date(2026, 3, 1)), evidence="Two gates missed.")
    told = replace(assessed("review", "amber", date(2026, 3, 1)), evidence="Two gates missed.")
    project.given(*past).when(with_evidence).then(told)


def test_words_in_a_ratings_place_are_kept_as_said() -> None:
    withheld = replace(_assess("review", "undisclosed"), said="Exempt under the law")
    told = replace(assessed("review", "undisclosed"), said="Exempt under the law")
    project.given(CHARTERED, assessed("review", "red")).when(withheld).then(told)
    project.given(CHARTERED, told).when(withheld).then_nothing()


def test_a_rating_is_taken_back_and_one_that_was_never_given_is_not() -> None:
    past = (CHARTERED, assessed("review", "red"))
    project.given(*past).when(_assess("review", "not_rated")).then(assessed("review", "not_rated"))
    project.given(*past).when(_assess("sponsor", "not_rated")).then_nothing()


@pytest.mark.parametrize("past", [CLOSED, TERMINATED])
def test_a_project_that_is_over_is_still_assessed(past: tuple[Payload, ...]) -> None:
    project.given(*past).when(_assess("review", "green")).then(assessed("review", "green"))


def _assess(assessor: str, rating: Rating, on: date | None = None) -> AssessDeliveryConfidence:
    return AssessDeliveryConfidence(ID, assessor, rating, on, None)


def test_a_manager_is_appointed_in_the_unit_that_has_the_project_now() -> None:
    project.given(CHARTERED).when(APPOINT).then(appointed())
    moved = ProjectMoved(project_id=ID, from_unit_id=LIC.unit_id, to_unit_id=MKT.unit_id)
    project.given(CHARTERED, moved).when(APPOINT).then(appointed(unit=MKT))


def test_one_person_manages_at_a_time_and_may_be_appointed_again() -> None:
    project.given(CHARTERED, appointed("another")).when(APPOINT).then(appointed())
    project.given(CHARTERED, appointed(), appointed("another")).when(APPOINT).then(appointed())


@pytest.mark.parametrize("changes", [{"job_title": "Senior manager"}, {"from_on": date(2026, 6, 1)}])
def test_another_job_title_or_day_is_another_appointment(changes: dict[str, Any]) -> None:
    project.given(CHARTERED, appointed()).when(replace(APPOINT, **changes)).then(replace(appointed(), **changes))


@pytest.mark.parametrize("past", [(CHARTERED, appointed()), (*TERMINATED[:1], appointed(), TERMINATED[1])])
def test_the_manager_that_a_project_has_can_be_appointed_again_also_after_the_end(past: tuple[Payload, ...]) -> None:
    project.given(*past).when(APPOINT).then_nothing()


def test_a_project_moves_to_another_open_unit() -> None:
    moved = ProjectMoved(project_id=ID, from_unit_id=LIC.unit_id, to_unit_id=MKT.unit_id)
    project.given(CHARTERED).when(MoveProject(ID, MKT)).then(moved)
    back = ProjectMoved(project_id=ID, from_unit_id=MKT.unit_id, to_unit_id=LIC.unit_id)
    project.given(CHARTERED, moved).when(MoveProject(ID, LIC)).then(back)


@pytest.mark.parametrize("unit", [None, WEB])
def test_a_project_does_not_move_to_a_unit_that_is_closed_or_not_there(unit: KnownUnit | None) -> None:
    project.given(CHARTERED).when(MoveProject(ID, unit)).then_refused(NoSuchUnit, pointer="/unit_id")


@pytest.mark.parametrize("past", [(CHARTERED,), CLOSED, TERMINATED])
def test_a_project_stays_where_it_is_even_if_its_unit_was_closed(past: tuple[Payload, ...]) -> None:
    project.given(*past).when(MoveProject(ID, replace(LIC, is_open=False))).then_nothing()


@pytest.mark.parametrize("past", [CLOSED, TERMINATED])
@pytest.mark.parametrize("command", [APPOINT, MoveProject(ID, MKT)], ids=["managed", "moved"])
def test_a_project_that_is_over_gets_no_new_manager_and_no_new_unit(
    past: tuple[Payload, ...], command: ProjectCommand
) -> None:
    project.given(*past).when(command).then_refused(ProjectOver)


@pytest.mark.parametrize(
    "command",
    [RenameProject(ID, "x"), StateDates(ID, APRIL, MAY), _assess("x", "red"), APPOINT, MoveProject(ID, MKT)],
    ids=["renamed", "dated", "assessed", "managed", "moved"],
)
def test_what_is_done_to_a_project_is_done_to_one_that_there_is(command: ProjectCommand) -> None:
    project.given().when(command).then_refused(UnknownProject)
