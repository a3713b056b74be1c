"""The courses of the office, as data. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from steerco_events.decider import Refusal


@dataclass(frozen=True, slots=True)
class Course:
    """One course; who owes it has `due_within` from the day that the duty begins."""

    name: str
    title: str
    due_within: timedelta

    def due_on(self, from_on: date) -> date:
        """The day by which it is owed, when the duty begins on a day; the calendar's last day at most."""
        return from_on + min(self.due_within, date.max - from_on)


class UnknownCourse(Refusal):
    """The office has no such course."""

    kind = "invalid"


MANAGING_PROJECTS = Course(
    "project-management-essentials", "Managing projects by the standards of this office", timedelta(days=60)
)

COURSES: Sequence[Course] = (
    MANAGING_PROJECTS,
    Course("risk-essentials", "Risks: cause, event, effect", timedelta(days=90)),
    Course("budget-essentials", "Budgets, forecasts and what is compared with what", timedelta(days=90)),
)


def course_named(name: str) -> Course:
    """The course of that name. Raises `UnknownCourse`, which lists those that there are."""
    for course in COURSES:
        if course.name == name:
            return course
    there = ", ".join(course.name for course in COURSES)
    raise UnknownCourse(f"the office has no course {name!r}; it has {there}", pointer="/course")
