"""What may happen to a pitch, and what it makes of it. Pure."""

from collections.abc import Sequence
from dataclasses import replace
from typing import assert_never
from uuid import UUID

from steerco_events.contracts.intake import (
    PitchApproved,
    PitchDeferred,
    PitchRejected,
    PitchReturned,
    PitchScreened,
    PitchSubmitted,
    PitchWithdrawn,
)
from steerco_events.decider import Decider, Refusal
from steerco_events.registry import Payload
from steerco_intake.domain.pitch import (
    ApprovePitch,
    DateNotAhead,
    DeferPitch,
    Deferred,
    Ended,
    EstimateInAnotherCurrency,
    NegativeEstimate,
    NoPitch,
    Pitch,
    PitchAlreadySubmitted,
    PitchCommand,
    PitchInAnotherState,
    RejectPitch,
    ResubmitPitch,
    Returned,
    ReturnPitch,
    ReturnUnchartered,
    Screened,
    ScreenPitch,
    Submission,
    SubmitPitch,
    Submitted,
    UnknownPitch,
    UnknownUnit,
    WithdrawPitch,
)
from steerco_intake.domain.template import template_named


def decide(command: PitchCommand, state: Pitch) -> Sequence[Payload]:
    """The events that a command leads to, or a refusal."""
    match command:
        case SubmitPitch():
            return submit(command, state)
        case ResubmitPitch():
            return resubmit(command, state)
        case ScreenPitch():
            return screen(command, state)
        case ApprovePitch():
            return approve(command, state)
        case RejectPitch():
            return end(PitchRejected(pitch_id=command.pitch_id), state)
        case DeferPitch():
            return defer(command, state)
        case ReturnPitch():
            return give_back(command, state)
        case ReturnUnchartered():
            return give_back_unchartered(command, state)
        case WithdrawPitch():
            return withdraw(command, state)
        case _:
            assert_never(command)


def submit(command: SubmitPitch, state: Pitch) -> Sequence[Payload]:
    """Once under its id; the same again says nothing new, whatever became of the pitch."""
    submitted = content_of(command)
    match state:
        case NoPitch():
            check(command)
            return [submitted]
        case Submitted(before) | Screened(before) | Deferred(before) | Returned(before) | Ended(before):
            if same(before, submitted):
                return []
            raise PitchAlreadySubmitted(
                "this id is that of a pitch that says something else; one that was returned is submitted again",
                pointer="/pitch_id",
            )
        case _:
            assert_never(state)


def resubmit(command: ResubmitPitch, state: Pitch) -> Sequence[Payload]:
    """Only after it was returned, every field checked again."""
    submitted = content_of(command)
    match state:
        case Returned():
            check(command)
            return [submitted]
        case Submitted(before) | Screened(before) | Deferred(before) if same(before, submitted):
            return []
        case _:
            raise in_another_state("submitted again", state)


def content_of(command: Submission) -> PitchSubmitted:
    """The event that the submission becomes, in a unit that intake knows."""
    if command.unit is None:
        raise UnknownUnit("no open unit has this id", pointer="/unit_id")
    return PitchSubmitted(
        pitch_id=command.pitch_id,
        title=command.title,
        unit_id=command.unit.unit_id,
        project_code=command.project_code,
        currency=command.currency,
        template=command.template,
        template_version=command.template_version,
        fields=command.fields,
        estimated_cost=command.estimated_cost,
        organization_version=command.unit.organization_version,
    )


def check(command: Submission) -> None:
    """On a known template, every field; in an open unit; a cost in the project's currency, not negative."""
    template_named(command.template, command.template_version).check(command.fields)
    if command.unit is None or not command.unit.is_open:
        raise UnknownUnit("no open unit has this id", pointer="/unit_id")
    if cost := command.estimated_cost:
        if cost.currency != command.currency:
            raise EstimateInAnotherCurrency(
                f"the project is in {command.currency}, the estimate in {cost.currency}",
                pointer="/estimated_cost/currency",
            )
        if cost.amount < 0:
            raise NegativeEstimate(f"a cost is not negative, {cost.amount} is", pointer="/estimated_cost/amount")


def same(one: PitchSubmitted, other: PitchSubmitted) -> bool:
    """Whether two submissions say the same, whatever version of the organization they were checked against."""
    return replace(one, organization_version=other.organization_version) == other


def screen(command: ScreenPitch, state: Pitch) -> Sequence[Payload]:
    """Only what was submitted is screened."""
    match state:
        case Submitted():
            return [PitchScreened(pitch_id=command.pitch_id, note=command.note)]
        case Screened() | Deferred():
            return []
        case _:
            raise in_another_state("screened", state)


def approve(command: ApprovePitch, state: Pitch) -> Sequence[Payload]:
    """Only what was screened is approved; the event has all that chartering needs."""
    match state:
        case Screened(content) | Deferred(content):
            return [
                PitchApproved(
                    pitch_id=command.pitch_id,
                    title=content.title,
                    unit_id=content.unit_id,
                    project_code=content.project_code,
                    currency=content.currency,
                )
            ]
        case Ended(by=PitchApproved()):
            return []
        case _:
            raise in_another_state("approved", state)


def end(event: PitchRejected, state: Pitch) -> Sequence[Payload]:
    """Only what was screened is rejected."""
    match state:
        case Screened() | Deferred():
            return [event]
        case Ended(by=PitchRejected()):
            return []
        case _:
            raise in_another_state("rejected", state)


def defer(command: DeferPitch, state: Pitch) -> Sequence[Payload]:
    """Only what was screened is deferred, and to a day ahead."""
    match state:
        case Deferred(_, until_on) if until_on == command.until_on:
            return []
        case Screened() | Deferred():
            if command.until_on <= command.today:
                raise DateNotAhead(f"{command.until_on} is not after today, {command.today}", pointer="/until_on")
            return [PitchDeferred(pitch_id=command.pitch_id, until_on=command.until_on)]
        case _:
            raise in_another_state("deferred", state)


def give_back(command: ReturnPitch, state: Pitch) -> Sequence[Payload]:
    """Whatever waits for the office can be returned."""
    match state:
        case Submitted() | Screened() | Deferred():
            return [PitchReturned(pitch_id=command.pitch_id)]
        case Returned():
            return []
        case _:
            raise in_another_state("returned", state)


def give_back_unchartered(command: ReturnUnchartered, state: Pitch) -> Sequence[Payload]:
    """Only an approval is undone by a charter that was refused; then it is mended, and decided again."""
    match state:
        case Ended(by=PitchApproved()):
            return [PitchReturned(pitch_id=command.pitch_id)]
        case _:
            return []


def withdraw(command: WithdrawPitch, state: Pitch) -> Sequence[Payload]:
    """Whatever is not ended can be withdrawn."""
    match state:
        case Submitted() | Screened() | Deferred() | Returned():
            return [PitchWithdrawn(pitch_id=command.pitch_id)]
        case Ended(by=PitchWithdrawn()):
            return []
        case _:
            raise in_another_state("withdrawn", state)


def in_another_state(wanted: str, state: Pitch) -> Refusal:
    """The refusal that names what the pitch is instead."""
    match state:
        case NoPitch():
            return UnknownPitch("no pitch has this id")
        case Ended(by=by):
            name = type(by).__name__.removeprefix("Pitch").lower()
        case _:
            name = type(state).__name__.lower()
    return PitchInAnotherState(f"the pitch is {name}, so it can't be {wanted}")


def evolve(state: Pitch, event: Payload) -> Pitch:
    """The situation after an event."""
    match event, state:
        case PitchSubmitted(), _:
            return Submitted(event)
        case PitchScreened(), Submitted(content):
            return Screened(content)
        case PitchDeferred(until_on=until_on), (Screened(content) | Deferred(content)):
            return Deferred(content, until_on)
        case PitchReturned(), (
            Submitted(content) | Screened(content) | Deferred(content) | Ended(content, by=PitchApproved())
        ):
            return Returned(content)
        case (
            (PitchApproved() | PitchRejected() | PitchWithdrawn()),
            (Submitted(content) | Screened(content) | Deferred(content) | Returned(content)),
        ):
            return Ended(content, event)
        case _:
            return state


def concerns(state: Pitch) -> Sequence[UUID]:
    """The unit that the pitch is for."""
    return () if isinstance(state, NoPitch) else (state.content.unit_id,)


pitch_decider: Decider[Pitch, PitchCommand] = Decider(NoPitch(), evolve, decide, concerns=concerns)
