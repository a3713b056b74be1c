"""Events of training. Stream: `learner-<person id>`."""

from datetime import date
from uuid import UUID

from steerco_events.registry import Registry

TRAINING = Registry("training")


@TRAINING.event("obligation-raised")
class ObligationRaised:
    """A person owes a course by a day, because of the event that `cause_id` and `cause_type` name."""

    obligation_id: UUID
    person_id: UUID
    job_title: str
    project_id: UUID
    course: str
    due_on: date
    cause_id: UUID
    cause_type: str


@TRAINING.event("obligation-fulfilled")
class ObligationFulfilled:
    """The person completed the course."""

    obligation_id: UUID
    project_id: UUID
    completion_id: UUID


@TRAINING.event("obligation-waived")
class ObligationWaived:
    """The person need not take the course."""

    obligation_id: UUID
    project_id: UUID


@TRAINING.event("completion-recorded")
class CompletionRecorded:
    """A person completed a course on a day."""

    completion_id: UUID
    person_id: UUID
    course: str
    completed_on: date
