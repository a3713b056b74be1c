"""Commands on pitches."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Literal, get_args
from uuid import UUID

from fastapi import Response
from pydantic import Field, ValidationInfo, field_validator

from steerco_intake.domain.pitch import (
    ApprovePitch,
    DeferPitch,
    KnownUnit,
    PitchCommand,
    RejectPitch,
    ResubmitPitch,
    ReturnPitch,
    ScreenPitch,
    Submission,
    SubmitPitch,
    WithdrawPitch,
)
from steerco_intake.domain.pitch_rules import pitch_decider
from steerco_service.actions import Probe
from steerco_service.bodies import Body, Code, Currency, Day, MoneyBody, Name, Prose
from steerco_service.call import Call, Calling
from steerco_service.reference.units import unit_named
from steerco_service.routing import router

routes = router("pitches")


class PitchContent(Body):
    """What a pitch says."""

    title: Annotated[Name, Field(examples=["Licence register on line"])]
    unit_id: UUID
    project_code: Annotated[Code, Field(examples=["LIC-01"])]
    currency: Annotated[Currency, Field(examples=["EUR"])]
    template: Annotated[Name, Field(examples=["project-pitch"])] = "project-pitch"
    template_version: Annotated[int, Field(strict=True, ge=1, le=10_000)] = 1
    fields: Annotated[
        dict[Name, Prose],
        Field(
            max_length=100,
            examples=[
                {
                    "problem": "Licences are kept on paper in four offices.",
                    "outcome": "One register that everyone can search.",
                    "sponsor": "Director of Licensing",
                }
            ],
        ),
    ]
    estimated_cost: MoneyBody | None = None


class NewPitch(PitchContent):
    """A pitch to hand in; an id of the caller's own makes sending it twice harmless."""

    pitch_id: UUID | None = None


class Screening(Body):
    """What the office found."""

    note: Annotated[Prose, Field(examples=["Complete; the benefits are plausible."])] = ""


type Outcome = Literal["approved", "rejected", "deferred", "returned"]


class PitchDecision(Body):
    """The decision on a pitch that waits for one."""

    outcome: Outcome
    reason: Annotated[Name, Field(examples=["Pays back within two years"])]
    until_on: Annotated[
        Day | None, Field(validate_default=True, description="A day after today: with `deferred`, and only then.")
    ] = None

    @field_validator("until_on")
    @classmethod
    def _when_deferred(cls, until_on: date | None, info: ValidationInfo) -> date | None:
        outcome = info.data.get("outcome")
        if outcome == "deferred" and until_on is None:
            raise ValueError("say until which day the decision is deferred")
        if outcome not in ("deferred", None) and until_on is not None:
            raise ValueError(f"only a deferral has a day, and the outcome is {outcome}")
        return until_on


class Withdrawal(Body):
    """Why a pitch is taken back."""

    reason: Annotated[Name, Field(examples=["Another unit does it already"])]


async def _submission[Command: Submission](
    command: type[Command], pitch_id: UUID, body: PitchContent, call: Call
) -> Command:
    seen = await unit_named(call, body.unit_id)
    return command(
        pitch_id=pitch_id,
        title=body.title,
        unit=KnownUnit(seen.unit_id, seen.is_open, seen.organization_version) if seen else None,
        project_code=body.project_code,
        currency=body.currency,
        template=body.template,
        template_version=body.template_version,
        fields=dict(body.fields),
        estimated_cost=body.estimated_cost.money() if body.estimated_cost else None,
    )


def _decision(pitch_id: UUID, body: PitchDecision, today: date) -> PitchCommand:
    match body.outcome:
        case "approved":
            return ApprovePitch(pitch_id)
        case "rejected":
            return RejectPitch(pitch_id)
        case "deferred":
            assert body.until_on, "a deferral without a day is refused by the body"  # noqa: S101 tells the type
            return DeferPitch(pitch_id, body.until_on, today)
        case "returned":
            return ReturnPitch(pitch_id)


def _stream(pitch_id: UUID) -> str:
    return f"pitch-{pitch_id}"


@routes.post("/pitches", status_code=201, summary="Submit a pitch")
async def submit_pitch(body: NewPitch, call: Calling) -> Response:
    """On a template: every required field is checked, with the template's own message."""
    pitch_id = body.pitch_id or call.new_id()
    command = await _submission(SubmitPitch, pitch_id, body, call)
    return await call.handle(pitch_decider, _stream(pitch_id), command, created=pitch_id)


@routes.put("/pitches/{pitch_id}", status_code=204, summary="Submit a returned pitch again")
async def resubmit_pitch(pitch_id: UUID, body: PitchContent, call: Calling) -> Response:
    """Only a pitch that was returned can be submitted again."""
    command = await _submission(ResubmitPitch, pitch_id, body, call)
    return await call.handle(pitch_decider, _stream(pitch_id), command)


@routes.post("/pitches/{pitch_id}/screening", status_code=204, summary="Screen a pitch")
async def screen_pitch(pitch_id: UUID, body: Screening, call: Calling) -> Response:
    """The office finds the pitch fit to be decided."""
    return await call.handle(pitch_decider, _stream(pitch_id), ScreenPitch(pitch_id, body.note))


@routes.post("/pitches/{pitch_id}/decision", status_code=204, summary="Decide a pitch")
async def decide_pitch(pitch_id: UUID, body: PitchDecision, call: Calling) -> Response:
    """Approve, reject or defer a screened pitch, or return one that waits; always with a reason."""
    command = _decision(pitch_id, body, call.now.date())
    return await call.handle(pitch_decider, _stream(pitch_id), command, reason=body.reason)


@routes.post("/pitches/{pitch_id}/withdrawal", status_code=204, summary="Withdraw a pitch")
async def withdraw_pitch(pitch_id: UUID, body: Withdrawal, call: Calling) -> Response:
    """Whatever is not decided for good can be taken back."""
    command = WithdrawPitch(pitch_id)
    return await call.handle(pitch_decider, _stream(pitch_id), command, reason=body.reason)


def pitch_probes(unit_id: UUID) -> Sequence[Probe]:
    """What may be done with a pitch for a unit, to be asked in advance."""
    content = PitchContent.model_construct(title="", unit_id=unit_id, project_code="", currency="", fields={})
    return (
        Probe(resubmit_pitch, content),
        Probe(screen_pitch, Screening()),
        *(Probe(decide_pitch, _decided(outcome), chosen=("outcome",)) for outcome in get_args(Outcome.__value__)),
        Probe(withdraw_pitch, Withdrawal.model_construct(reason="")),
    )


def _decided(outcome: Outcome) -> PitchDecision:
    return PitchDecision.model_construct(outcome=outcome, reason="", until_on=date.min)
