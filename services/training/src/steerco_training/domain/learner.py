"""A learner: the courses that a person owes, until when, and those that the person completed; commands. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Literal
from uuid import UUID

from steerco_events.contracts.training import (
    CompletionRecorded,
    ObligationFellOverdue,
    ObligationFulfilled,
    ObligationRaised,
    ObligationWaived,
)
from steerco_events.decider import Refusal
from steerco_events.registry import Payload

# Situation

type ObligationState = Literal["open", "overdue", "fulfilled", "waived"]


@dataclass(frozen=True, slots=True)
class Obligation:
    """A course that is or was owed; it is while the obligation is open or overdue."""

    raised: ObligationRaised
    state: ObligationState = "open"

    @property
    def is_owed(self) -> bool:
        """Whether the person still owes the course."""
        return self.state in ("open", "overdue")


@dataclass(frozen=True, slots=True)
class Learner:
    """What a person owes and has completed."""

    obligations: Mapping[UUID, Obligation] = field(default_factory=dict)
    completions: Mapping[UUID, CompletionRecorded] = field(default_factory=dict)

    def owing(self, course: str) -> Sequence[Obligation]:
        """What is owed of a course."""
        return [each for each in self.obligations.values() if each.is_owed and each.raised.course == course]

    def completion_of(self, course: str) -> CompletionRecorded | None:
        """The newest completion of a course."""
        found = [each for each in self.completions.values() if each.course == course]
        return max(found, key=lambda each: each.completed_on, default=None)


def evolve(state: Learner, event: Payload) -> Learner:
    """The situation after an event."""
    match event:
        case ObligationRaised(obligation_id=obligation_id):
            return replace(state, obligations={**state.obligations, obligation_id: Obligation(event)})
        case ObligationFellOverdue(obligation_id=obligation_id):
            return _became(state, obligation_id, "overdue")
        case ObligationFulfilled(obligation_id=obligation_id):
            return _became(state, obligation_id, "fulfilled")
        case ObligationWaived(obligation_id=obligation_id):
            return _became(state, obligation_id, "waived")
        case CompletionRecorded(completion_id=completion_id):
            return replace(state, completions={**state.completions, completion_id: event})
        case _:
            return state


def _became(state: Learner, obligation_id: UUID, how: ObligationState) -> Learner:
    obligation = state.obligations.get(obligation_id)
    if obligation is None:
        return state
    return replace(state, obligations={**state.obligations, obligation_id: replace(obligation, state=how)})


# Commands


@dataclass(frozen=True, slots=True, kw_only=True)
class RaiseObligation:
    """Let a person owe a course because of an event."""

    obligation_id: UUID
    person_id: UUID
    job_title: str
    project_id: UUID
    course: str
    from_on: date
    cause_id: UUID
    cause_type: str


@dataclass(frozen=True, slots=True)
class RecordCompletion:
    """A person completed a course."""

    completion_id: UUID
    person_id: UUID
    course: str
    completed_on: date
    today: date


@dataclass(frozen=True, slots=True)
class WaiveObligation:
    """The person need not take the course."""

    obligation_id: UUID


@dataclass(frozen=True, slots=True)
class FallDue:
    """The day by which a course is owed has passed."""

    obligation_id: UUID


type LearnerCommand = RaiseObligation | RecordCompletion | WaiveObligation | FallDue

# Refusals


class UnknownObligation(Refusal):
    """The person has no obligation of this id."""

    kind = "unknown"


class UnknownCompletion(Refusal):
    """No completion has this id."""

    kind = "unknown"


class ObligationAlreadyFulfilled(Refusal):
    """What is fulfilled is not waived."""


class CompletedInTheFuture(Refusal):
    """A course was completed today or before."""

    kind = "invalid"


class CompletionAlreadyRecorded(Refusal):
    """The id is that of a completion that was recorded otherwise."""
