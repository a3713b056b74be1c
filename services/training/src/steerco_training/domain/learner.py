"""A learner: the courses that a person owes, and those that the person completed. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Literal, assert_never
from uuid import UUID

from steerco_events.contracts.training import (
    CompletionRecorded,
    ObligationFulfilled,
    ObligationRaised,
    ObligationWaived,
)
from steerco_events.decider import Decider, Refusal
from steerco_events.registry import Payload
from steerco_training.domain.course import course_named

# Situation


@dataclass(frozen=True, slots=True)
class Obligation:
    """A course that is or was owed."""

    raised: ObligationRaised
    state: Literal["open", "fulfilled", "waived"] = "open"


@dataclass(frozen=True, slots=True)
class Learner:
    """What a person owes and has completed."""

    obligations: Mapping[UUID, Obligation] = field(default_factory=dict)
    completions: Mapping[UUID, CompletionRecorded] = field(default_factory=dict)

    def owing(self, course: str) -> Sequence[Obligation]:
        """The open obligations of a course."""
        return [each for each in self.obligations.values() if each.state == "open" and each.raised.course == course]

    def completion_of(self, course: str) -> CompletionRecorded | None:
        """The newest completion of a course."""
        found = [each for each in self.completions.values() if each.course == course]
        return max(found, key=lambda each: each.completed_on, default=None)


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


type LearnerCommand = RaiseObligation | RecordCompletion | WaiveObligation

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


# Decisions


def decide(command: LearnerCommand, state: Learner) -> Sequence[Payload]:
    """The events that a command leads to, or a refusal."""
    match command:
        case RaiseObligation():
            return raise_obligation(command, state)
        case RecordCompletion():
            return record_completion(command, state)
        case WaiveObligation():
            return waive(command, state)
        case _:
            assert_never(command)


def raise_obligation(command: RaiseObligation, state: Learner) -> Sequence[Payload]:
    """A course is owed once at a time, however many appointments ask for it: the first one is its cause.

    One completed before fulfills it at once. One that was waived is owed again when another appointment asks.
    """
    if command.obligation_id in state.obligations or state.owing(command.course):
        return []
    raised = ObligationRaised(
        obligation_id=command.obligation_id,
        person_id=command.person_id,
        job_title=command.job_title,
        project_id=command.project_id,
        course=command.course,
        due_on=course_named(command.course).due_on(command.from_on),
        cause_id=command.cause_id,
        cause_type=command.cause_type,
    )
    completion = state.completion_of(command.course)
    return [raised, fulfilled(raised, completion.completion_id)] if completion else [raised]


def fulfilled(raised: ObligationRaised, completion_id: UUID) -> ObligationFulfilled:
    """The obligation is fulfilled by a completion."""
    return ObligationFulfilled(
        obligation_id=raised.obligation_id, project_id=raised.project_id, completion_id=completion_id
    )


def record_completion(command: RecordCompletion, state: Learner) -> Sequence[Payload]:
    """Of a known course, not in the future; it fulfills what is open of that course."""
    completed = CompletionRecorded(
        completion_id=command.completion_id,
        person_id=command.person_id,
        course=course_named(command.course).name,
        completed_on=command.completed_on,
    )
    if before := state.completions.get(command.completion_id):
        if before == completed:
            return []
        raise CompletionAlreadyRecorded("this id is that of another completion", pointer="/completion_id")
    if command.completed_on > command.today:
        raise CompletedInTheFuture(f"{command.completed_on} is after today, {command.today}", pointer="/completed_on")
    owed = state.owing(completed.course)
    return [completed, *(fulfilled(each.raised, completed.completion_id) for each in owed)]


def waive(command: WaiveObligation, state: Learner) -> Sequence[Payload]:
    """While it is open."""
    obligation = state.obligations.get(command.obligation_id)
    if obligation is None:
        raise UnknownObligation("the person has no obligation of this id")
    match obligation.state:
        case "open":
            return [ObligationWaived(obligation_id=command.obligation_id, project_id=obligation.raised.project_id)]
        case "waived":
            return []
        case "fulfilled":
            raise ObligationAlreadyFulfilled("the course was completed, so there is nothing to waive")
        case _:
            assert_never(obligation.state)


def evolve(state: Learner, event: Payload) -> Learner:
    """The situation after an event."""
    match event:
        case ObligationRaised(obligation_id=obligation_id):
            return replace(state, obligations={**state.obligations, obligation_id: Obligation(event)})
        case ObligationFulfilled(obligation_id=obligation_id):
            return _ended(state, obligation_id, "fulfilled")
        case ObligationWaived(obligation_id=obligation_id):
            return _ended(state, obligation_id, "waived")
        case CompletionRecorded(completion_id=completion_id):
            return replace(state, completions={**state.completions, completion_id: event})
        case _:
            return state


def _ended(state: Learner, obligation_id: UUID, how: Literal["fulfilled", "waived"]) -> Learner:
    obligation = state.obligations.get(obligation_id)
    if obligation is None:
        return state
    return replace(state, obligations={**state.obligations, obligation_id: replace(obligation, state=how)})


learner_decider: Decider[Learner, LearnerCommand] = Decider(Learner(), evolve, decide)
