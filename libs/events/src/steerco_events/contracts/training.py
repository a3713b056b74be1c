"""Events of training. Stream: `learner-<person id>`."""

from datetime import date
from uuid import UUID

from steerco_events.registry import Registry, event

TRAINING = Registry("training")


@event(TRAINING, "obligation-raised")
class ObligationRaised:
    """A person owes a course by a day, because of another event."""

    obligation_id: UUID
    person_id: UUID
    job_title: str
    """In what role the person owes it."""
    project_id: UUID
    course: str
    due_on: date
    cause_id: UUID
    """The event that led to it."""
    cause_type: str
    """That event's type."""


@event(TRAINING, "obligation-fell-overdue")
class ObligationFellOverdue:
    """The day by which a person owed a course has passed, and the person owes it still."""

    obligation_id: UUID
    project_id: UUID
    due_on: date


@event(TRAINING, "obligation-fulfilled")
class ObligationFulfilled:
    """The person completed the course."""

    obligation_id: UUID
    project_id: UUID
    completion_id: UUID


@event(TRAINING, "obligation-waived")
class ObligationWaived:
    """The person need not take the course."""

    obligation_id: UUID
    project_id: UUID


@event(TRAINING, "completion-recorded")
class CompletionRecorded:
    """A person completed a course on a day."""

    completion_id: UUID
    person_id: UUID
    course: str
    completed_on: date
