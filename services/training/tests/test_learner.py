"""What a learner's decider says: a course is owed once at a time, until a day, fulfilled by a completion, or waived."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from steerco_events.contracts.training import (
    CompletionRecorded,
    ObligationFellOverdue,
    ObligationFulfilled,
    ObligationRaised,
    ObligationWaived,
)
from steerco_events.ids import derived_id
from steerco_events.registry import Payload
from steerco_events.testkit.spec import spec
from steerco_training.domain.course import COURSES, MANAGING_PROJECTS, Course, UnknownCourse, course_named
from steerco_training.domain.learner import (
    CompletedInTheFuture,
    CompletionAlreadyRecorded,
    FallDue,
    ObligationAlreadyFulfilled,
    RaiseObligation,
    RecordCompletion,
    UnknownObligation,
    WaiveObligation,
)
from steerco_training.domain.learner_rules import learner_decider

learner = spec(learner_decider)

PERSON = derived_id("person", "Manager of LIC-01")
FIRST, SECOND = (derived_id("project", code) for code in ("LIC-01", "LIC-02"))
MANAGING, RISKS = MANAGING_PROJECTS.name, "risk-essentials"
TODAY = date(2026, 6, 20)

RAISE = RaiseObligation(
    obligation_id=derived_id("obligation", 1),
    person_id=PERSON,
    job_title="Project manager",
    project_id=FIRST,
    course=MANAGING,
    from_on=date(2026, 5, 1),
    cause_id=derived_id("event", 1),
    cause_type="steerco.portfolio.project-manager-appointed",
)
RAISED = ObligationRaised(
    obligation_id=derived_id("obligation", 1),
    person_id=PERSON,
    job_title="Project manager",
    project_id=FIRST,
    course=MANAGING,
    due_on=date(2026, 6, 30),
    cause_id=derived_id("event", 1),
    cause_type="steerco.portfolio.project-manager-appointed",
)
CHANGES: dict[str, Any] = {"obligation_id": derived_id("obligation", 2), "project_id": SECOND}
RAISE_SECOND, RAISED_SECOND = replace(RAISE, **CHANGES), replace(RAISED, **CHANGES)
COMPLETION = derived_id("completion", 1)
COMPLETE = RecordCompletion(COMPLETION, PERSON, MANAGING, date(2026, 6, 12), TODAY)
COMPLETED = CompletionRecorded(
    completion_id=COMPLETION, person_id=PERSON, course=MANAGING, completed_on=date(2026, 6, 12)
)
WAIVE = WaiveObligation(RAISED.obligation_id)
WAIVED = ObligationWaived(obligation_id=RAISED.obligation_id, project_id=FIRST)
OVERDUE = ObligationFellOverdue(obligation_id=RAISED.obligation_id, project_id=FIRST, due_on=date(2026, 6, 30))
TIMER, OVER = f"obligation-{RAISED.obligation_id}", datetime(2026, 7, 1, tzinfo=UTC)


def fulfilled(raised: ObligationRaised, completion: CompletionRecorded = COMPLETED) -> ObligationFulfilled:
    return ObligationFulfilled(
        obligation_id=raised.obligation_id, project_id=raised.project_id, completion_id=completion.completion_id
    )


def test_a_course_is_owed_from_a_day_for_as_long_as_the_course_allows() -> None:
    learner.given().when(RAISE).then(RAISED)


def test_who_manages_two_projects_owes_the_course_once_because_of_the_first() -> None:
    learner.given(RAISED).when(RAISE_SECOND).then_nothing()
    earlier = replace(RAISE_SECOND, from_on=date(2026, 1, 1))
    learner.given(RAISED).when(earlier).then_nothing()


def test_a_different_course_is_owed_beside_it() -> None:
    raised = replace(RAISED_SECOND, course=RISKS, due_on=date(2026, 7, 30))
    learner.given(RAISED).when(replace(RAISE_SECOND, course=RISKS)).then(raised)


@pytest.mark.parametrize(
    "past", [(RAISED,), (RAISED, OVERDUE), (RAISED, WAIVED), (RAISED, COMPLETED, fulfilled(RAISED))]
)
def test_an_obligation_is_raised_once_whatever_became_of_it(past: tuple[Payload, ...]) -> None:
    learner.given(*past).when(RAISE).then_nothing()


def test_who_has_completed_the_course_owes_it_no_more_when_appointed_again() -> None:
    learner.given(COMPLETED).when(RAISE).then(RAISED, fulfilled(RAISED))
    past = (RAISED, COMPLETED, fulfilled(RAISED))
    learner.given(*past).when(RAISE_SECOND).then(RAISED_SECOND, fulfilled(RAISED_SECOND))


def test_of_several_completions_the_newest_fulfills() -> None:
    newer = replace(COMPLETED, completion_id=derived_id("completion", 2), completed_on=date(2026, 6, 13))
    for past in ((COMPLETED, newer), (newer, COMPLETED)):
        learner.given(*past).when(RAISE).then(RAISED, fulfilled(RAISED, newer))


def test_the_completion_of_another_course_does_not_fulfill() -> None:
    learner.given(replace(COMPLETED, course=RISKS)).when(RAISE).then(RAISED)


def test_what_was_waived_for_one_project_is_owed_again_for_another() -> None:
    learner.given(RAISED, WAIVED).when(RAISE_SECOND).then(RAISED_SECOND)


def test_a_course_that_the_office_has_not_is_neither_owed_nor_completed() -> None:
    learner.given().when(replace(RAISE, course="juggling")).then_refused(UnknownCourse, pointer="/course")
    learner.given().when(replace(COMPLETE, course="juggling")).then_refused(UnknownCourse, pointer="/course")
    with pytest.raises(UnknownCourse, match=f"no course 'juggling'; it has {MANAGING}, risk-essentials"):
        course_named("juggling")


def test_a_completion_is_recorded_whether_the_course_is_owed_or_not() -> None:
    learner.given().when(COMPLETE).then(COMPLETED)
    learner.given(RAISED, WAIVED).when(COMPLETE).then(COMPLETED)


def test_a_completion_fulfills_what_is_owed_of_its_course_and_nothing_else() -> None:
    risks = replace(RAISED_SECOND, course=RISKS)
    learner.given(RAISED, risks).when(COMPLETE).then(COMPLETED, fulfilled(RAISED))
    learner.given(risks).when(COMPLETE).then(COMPLETED)


def test_a_second_completion_of_the_course_is_recorded_and_fulfills_nothing() -> None:
    second = replace(COMPLETED, completion_id=derived_id("completion", 2))
    past = (RAISED, COMPLETED, fulfilled(RAISED))
    learner.given(*past).when(replace(COMPLETE, completion_id=second.completion_id)).then(second)


def test_a_course_may_be_completed_late_today_or_before_it_was_owed() -> None:
    for day in (TODAY, date(2019, 1, 1)):
        completed = replace(COMPLETED, completed_on=day)
        learner.given(RAISED).when(replace(COMPLETE, completed_on=day)).then(completed, fulfilled(RAISED, completed))
    late = replace(COMPLETE, completed_on=date(2026, 8, 1), today=date(2026, 8, 1))
    learner.given(RAISED).when(late).then(replace(COMPLETED, completed_on=date(2026, 8, 1)), fulfilled(RAISED))


def test_a_course_is_not_completed_tomorrow() -> None:
    tomorrow = replace(COMPLETE, completed_on=TODAY + timedelta(days=1))
    learner.given(RAISED).when(tomorrow).then_refused(CompletedInTheFuture, pointer="/completed_on")


def test_the_same_completion_sent_again_says_nothing_new_even_on_another_day() -> None:
    past = (RAISED, COMPLETED, fulfilled(RAISED))
    learner.given(*past).when(COMPLETE).then_nothing()
    learner.given(*past).when(replace(COMPLETE, today=date(2027, 1, 1))).then_nothing()
    learner.given(*past, RAISED_SECOND).when(COMPLETE).then_nothing()


@pytest.mark.parametrize("changes", [{"course": RISKS}, {"completed_on": date(2026, 6, 13)}], ids=["course", "day"])
def test_an_id_is_that_of_one_completion(changes: dict[str, Any]) -> None:
    command = replace(COMPLETE, **changes)
    learner.given(COMPLETED).when(command).then_refused(CompletionAlreadyRecorded, pointer="/completion_id")


def test_an_obligation_is_waived_while_it_is_owed_and_once() -> None:
    learner.given(RAISED).when(WAIVE).then(WAIVED)
    learner.given(RAISED, OVERDUE).when(WAIVE).then(WAIVED)
    learner.given(RAISED, WAIVED).when(WAIVE).then_nothing()
    learner.given(RAISED, WAIVED, COMPLETED).when(WAIVE).then_nothing()


def test_what_is_fulfilled_is_not_waived() -> None:
    learner.given(RAISED, COMPLETED, fulfilled(RAISED)).when(WAIVE).then_refused(ObligationAlreadyFulfilled)


@pytest.mark.parametrize("past", [(), (COMPLETED,), (RAISED_SECOND,)])
def test_what_the_person_does_not_owe_is_not_waived(past: tuple[Payload, ...]) -> None:
    learner.given(*past).when(WAIVE).then_refused(UnknownObligation)


def test_an_obligation_falls_overdue_when_its_day_is_over() -> None:
    learner.given(RAISED).then_due({TIMER: OVER})
    learner.given(RAISED).when_due(TIMER).then(OVERDUE)
    learner.given(RAISED).when(FallDue(RAISED.obligation_id)).then(OVERDUE)
    other = replace(RAISED_SECOND, course=RISKS, due_on=date(2026, 2, 28))
    due = {TIMER: OVER, f"obligation-{other.obligation_id}": datetime(2026, 3, 1, tzinfo=UTC)}
    learner.given(RAISED, other).then_due(due)


@pytest.mark.parametrize("end", [(COMPLETED, fulfilled(RAISED)), (WAIVED,), (OVERDUE,)])
def test_what_ended_or_is_overdue_already_falls_due_no_more(end: tuple[Payload, ...]) -> None:
    learner.given(RAISED, *end).then_due({})
    learner.given(RAISED, *end).when(FallDue(RAISED.obligation_id)).then_nothing()


def test_what_the_person_does_not_owe_does_not_fall_due() -> None:
    learner.given().then_due({})
    learner.given(COMPLETED).then_due({})
    learner.given(COMPLETED).when(FallDue(RAISED.obligation_id)).then_refused(UnknownObligation)


def test_what_is_overdue_is_owed_still_and_may_be_fulfilled_late() -> None:
    learner.given(RAISED, OVERDUE).when(RAISE_SECOND).then_nothing()
    learner.given(RAISED, OVERDUE).when(COMPLETE).then(COMPLETED, fulfilled(RAISED))
    learner.given(RAISED, OVERDUE, COMPLETED, fulfilled(RAISED)).when(WAIVE).then_refused(ObligationAlreadyFulfilled)


def test_what_is_owed_until_the_last_day_of_the_calendar_never_falls_due() -> None:
    learner.given(replace(RAISED, due_on=date.max)).then_due({})
    nearly = date.max - timedelta(days=1)
    learner.given(replace(RAISED, due_on=nearly)).then_due({TIMER: datetime(9999, 12, 31, tzinfo=UTC)})


@pytest.mark.parametrize("event", [fulfilled(RAISED), WAIVED, OVERDUE], ids=["fulfilled", "waived", "overdue"])
def test_the_end_of_an_obligation_that_there_is_not_changes_nothing(event: Payload) -> None:
    assert learner_decider.fold([event]) == learner_decider.initial


@pytest.mark.parametrize("course", COURSES, ids=lambda course: course.name)
def test_each_course_has_a_name_of_its_own_and_a_time_to_take_it(course: Course) -> None:
    assert course_named(course.name) is course
    assert course.due_on(date(2026, 1, 1)) == date(2026, 1, 1) + course.due_within > date(2026, 1, 1)


def test_a_duty_that_begins_at_the_end_of_the_calendar_is_due_on_its_last_day() -> None:
    learner.given().when(replace(RAISE, from_on=date.max)).then(replace(RAISED, due_on=date.max))
    nearly = date.max - MANAGING_PROJECTS.due_within
    assert MANAGING_PROJECTS.due_on(nearly) == date.max
