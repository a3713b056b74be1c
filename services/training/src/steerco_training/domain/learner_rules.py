"""What a learner's commands lead to, and when a course that is owed falls due. Pure."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import assert_never
from uuid import UUID

from steerco_events.contracts.training import (
    CompletionRecorded,
    ObligationFellOverdue,
    ObligationFulfilled,
    ObligationRaised,
    ObligationWaived,
)
from steerco_events.decider import Decider
from steerco_events.registry import Payload
from steerco_events.timers import TimerCancelled, TimerSet, Timing
from steerco_training.domain.course import course_named
from steerco_training.domain.learner import (
    CompletedInTheFuture,
    CompletionAlreadyRecorded,
    FallDue,
    Learner,
    LearnerCommand,
    Obligation,
    ObligationAlreadyFulfilled,
    RaiseObligation,
    RecordCompletion,
    UnknownObligation,
    WaiveObligation,
    evolve,
)


def decide(command: LearnerCommand, state: Learner) -> Sequence[Payload]:
    """The events that a command leads to, or a refusal."""
    match command:
        case RaiseObligation():
            return raise_obligation(command, state)
        case RecordCompletion():
            return record_completion(command, state)
        case WaiveObligation():
            return waive(command, state)
        case FallDue():
            return fall_due(command, state)
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
    """Of a known course, not in the future; it fulfills what is owed of that course, also late."""
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
    """While it is owed."""
    obligation = _obligation(state, command.obligation_id)
    match obligation.state:
        case "open" | "overdue":
            return [ObligationWaived(obligation_id=command.obligation_id, project_id=obligation.raised.project_id)]
        case "waived":
            return []
        case "fulfilled":
            raise ObligationAlreadyFulfilled("the course was completed, so there is nothing to waive")
        case _:
            assert_never(obligation.state)


def fall_due(command: FallDue, state: Learner) -> Sequence[Payload]:
    """What is open becomes overdue."""
    obligation = _obligation(state, command.obligation_id)
    if obligation.state != "open":
        return []
    raised = obligation.raised
    return [
        ObligationFellOverdue(obligation_id=raised.obligation_id, project_id=raised.project_id, due_on=raised.due_on)
    ]


def _obligation(state: Learner, obligation_id: UUID) -> Obligation:
    obligation = state.obligations.get(obligation_id)
    if obligation is None:
        raise UnknownObligation("the person has no obligation of this id")
    return obligation


# Time

_TIMER = "obligation-"


def timers(event: Payload) -> Sequence[TimerSet | TimerCancelled]:
    """An obligation falls due when its day is over, unless it ended before; the calendar's last day never is."""
    match event:
        case ObligationRaised(obligation_id=obligation_id, due_on=due_on) if due_on < date.max:
            return [TimerSet(f"{_TIMER}{obligation_id}", over(due_on))]
        case (
            ObligationFellOverdue(obligation_id=obligation_id)
            | ObligationFulfilled(obligation_id=obligation_id)
            | ObligationWaived(obligation_id=obligation_id)
        ):
            return [TimerCancelled(f"{_TIMER}{obligation_id}")]
        case _:
            return []


def over(day: date) -> datetime:
    """The instant at which a day is over, in UTC."""
    return datetime.combine(day + timedelta(days=1), time(), UTC)


def on_timer(name: str, _: datetime) -> LearnerCommand:
    """What a due timer asks for."""
    return FallDue(UUID(name.removeprefix(_TIMER)))


def project_of(state: Learner, command: LearnerCommand) -> UUID | None:
    """The project that the obligation comes from that a timer is about."""
    match command:
        case FallDue(obligation_id) if obligation := state.obligations.get(obligation_id):
            return obligation.raised.project_id
        case _:
            return None


learner_decider: Decider[Learner, LearnerCommand] = Decider(
    Learner(), evolve, decide, timing=Timing(timers, on_timer), is_of_one_place=False
)
