"""What a pitch's decider says: submitted once, screened, decided, and submitted again when it was returned."""

from dataclasses import fields, replace
from datetime import date
from typing import Any

import pytest

from steerco_events.contracts.intake import (
    PitchApproved,
    PitchDeferred,
    PitchRejected,
    PitchReturned,
    PitchScreened,
    PitchSubmitted,
    PitchWithdrawn,
)
from steerco_events.contracts.values import Money
from steerco_events.decider import Refusal
from steerco_events.ids import derived_id
from steerco_events.registry import Payload
from steerco_events.testkit.spec import spec
from steerco_intake.domain.pitch import (
    ApprovePitch,
    DateNotAhead,
    DeferPitch,
    EstimateInAnotherCurrency,
    KnownUnit,
    NegativeEstimate,
    PitchAlreadySubmitted,
    PitchCommand,
    PitchInAnotherState,
    RejectPitch,
    ResubmitPitch,
    ReturnPitch,
    ReturnUnchartered,
    ScreenPitch,
    Submission,
    SubmitPitch,
    UnknownPitch,
    UnknownUnit,
    WithdrawPitch,
)
from steerco_intake.domain.pitch_rules import pitch_decider
from steerco_intake.domain.template import FieldRefused, UnknownTemplate

pitch = spec(pitch_decider)

ID = derived_id("pitch", "LIC-01")
UNIT = KnownUnit(derived_id("unit", "LIC"), True, 4)
CLOSED = replace(UNIT, is_open=False, organization_version=9)
FIELDS = {"problem": "Paper.", "outcome": "One register.", "sponsor": "Director of Licensing"}
TODAY, SOON, LATER = date(2026, 3, 2), date(2026, 3, 3), date(2026, 6, 1)

SUBMIT = SubmitPitch(
    pitch_id=ID,
    title="Licence register on line",
    unit=UNIT,
    project_code="LIC-01",
    currency="EUR",
    template="project-pitch",
    template_version=1,
    fields=FIELDS,
    estimated_cost=Money.parse("125000", "EUR"),
)
SUBMITTED = PitchSubmitted(
    pitch_id=ID,
    title="Licence register on line",
    unit_id=UNIT.unit_id,
    project_code="LIC-01",
    currency="EUR",
    template="project-pitch",
    template_version=1,
    fields=FIELDS,
    estimated_cost=Money.parse("125000.00", "EUR"),
    organization_version=4,
)
RESUBMIT = ResubmitPitch(**{each.name: getattr(SUBMIT, each.name) for each in fields(SUBMIT)})
MENDED = {"outcome": "One register that everyone can search."} | {"problem": "Paper.", "sponsor": "Director"}
SCREENED = PitchScreened(pitch_id=ID, note="fit")
DEFERRED = PitchDeferred(pitch_id=ID, until_on=SOON)
RETURNED = PitchReturned(pitch_id=ID)
APPROVED = PitchApproved(
    pitch_id=ID,
    title="Licence register on line",
    unit_id=UNIT.unit_id,
    project_code="LIC-01",
    currency="EUR",
)
REJECTED = PitchRejected(pitch_id=ID)
WITHDRAWN = PitchWithdrawn(pitch_id=ID)

type Past = tuple[Payload, ...]

PASTS: dict[str, Past] = {
    "submitted": (SUBMITTED,),
    "screened": (SUBMITTED, SCREENED),
    "deferred": (SUBMITTED, SCREENED, DEFERRED),
    "returned": (SUBMITTED, RETURNED),
    "approved": (SUBMITTED, SCREENED, APPROVED),
    "rejected": (SUBMITTED, SCREENED, REJECTED),
    "withdrawn": (SUBMITTED, WITHDRAWN),
}
WAITING = ["submitted", "screened", "deferred"]
ENDED = ["approved", "rejected", "withdrawn"]


def test_a_pitch_is_submitted_with_the_version_of_the_organization_that_was_read() -> None:
    pitch.given().when(SUBMIT).then(SUBMITTED)


def test_a_cost_need_not_be_estimated_and_may_be_nothing() -> None:
    pitch.given().when(replace(SUBMIT, estimated_cost=None)).then(replace(SUBMITTED, estimated_cost=None))
    nothing = Money.parse("0", "EUR")
    pitch.given().when(replace(SUBMIT, estimated_cost=nothing)).then(replace(SUBMITTED, estimated_cost=nothing))


REFUSED_CONTENT: list[tuple[dict[str, Any], type[Refusal], str]] = [
    ({"unit": None}, UnknownUnit, "/unit_id"),
    ({"unit": CLOSED}, UnknownUnit, "/unit_id"),
    ({"template": "memo"}, UnknownTemplate, "/template"),
    ({"template_version": 2}, UnknownTemplate, "/template_version"),
    ({"fields": FIELDS | {"outcome": ""}}, FieldRefused, "/fields/outcome"),
    ({"fields": FIELDS | {"colour": "red"}}, FieldRefused, "/fields/colour"),
    ({"estimated_cost": Money.parse("1", "USD")}, EstimateInAnotherCurrency, "/estimated_cost/currency"),
    ({"estimated_cost": Money.parse("-1", "USD")}, EstimateInAnotherCurrency, "/estimated_cost/currency"),
    ({"estimated_cost": Money.parse("-0.01", "EUR")}, NegativeEstimate, "/estimated_cost/amount"),
]


@pytest.mark.parametrize(("changes", "refusal", "pointer"), REFUSED_CONTENT)
@pytest.mark.parametrize(("command", "past"), [(SUBMIT, ()), (RESUBMIT, PASTS["returned"])], ids=["new", "again"])
def test_a_pitch_is_for_an_open_unit_on_a_template_with_a_cost_in_the_currency_of_the_project(
    command: Submission, past: Past, changes: dict[str, Any], refusal: type[Refusal], pointer: str
) -> None:
    changed: Any = replace(command, **changes)
    pitch.given(*past).when(changed).then_refused(refusal, pointer=pointer)


@pytest.mark.parametrize("state", PASTS)
def test_the_same_pitch_sent_again_says_nothing_new_whatever_became_of_it(state: str) -> None:
    pitch.given(*PASTS[state]).when(SUBMIT).then_nothing()
    pitch.given(*PASTS[state]).when(replace(SUBMIT, unit=CLOSED)).then_nothing()


@pytest.mark.parametrize("state", PASTS)
@pytest.mark.parametrize(
    "changes",
    [
        {"title": "Another title"},
        {"unit": KnownUnit(derived_id("unit", "MKT"), True, 4)},
        {"project_code": "LIC-02"},
        {"currency": "USD"},
        {"template_version": 2},
        {"fields": MENDED},
        {"estimated_cost": None},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_an_id_is_that_of_one_pitch(state: str, changes: dict[str, Any]) -> None:
    command = replace(SUBMIT, **changes)
    pitch.given(*PASTS[state]).when(command).then_refused(PitchAlreadySubmitted, pointer="/pitch_id")


def test_a_returned_pitch_is_submitted_again_mended_or_as_it_was() -> None:
    mended = replace(RESUBMIT, fields=MENDED, unit=replace(UNIT, organization_version=6))
    again = replace(SUBMITTED, fields=MENDED, organization_version=6)
    pitch.given(*PASTS["returned"]).when(mended).then(again)
    pitch.given(*PASTS["returned"]).when(RESUBMIT).then(SUBMITTED)
    pitch.given(*PASTS["returned"], again, RETURNED).when(mended).then(again)


@pytest.mark.parametrize("state", WAITING)
def test_what_was_submitted_again_waits_already(state: str) -> None:
    pitch.given(*PASTS["returned"], *PASTS[state]).when(RESUBMIT).then_nothing()


@pytest.mark.parametrize("state", WAITING)
def test_a_pitch_that_waits_is_not_changed(state: str) -> None:
    command = replace(RESUBMIT, title="Another title")
    pitch.given(*PASTS[state]).when(command).then_refused(PitchInAnotherState)


@pytest.mark.parametrize("state", ["submitted", "returned"])
def test_a_pitch_is_screened_with_a_note(state: str) -> None:
    past = PASTS["submitted"] if state == "submitted" else (*PASTS["returned"], SUBMITTED)
    pitch.given(*past).when(ScreenPitch(ID, "fit")).then(SCREENED)


@pytest.mark.parametrize("state", ["screened", "deferred"])
def test_a_screened_pitch_is_approved_with_all_that_chartering_needs_or_rejected(state: str) -> None:
    pitch.given(*PASTS[state]).when(ApprovePitch(ID)).then(APPROVED)
    pitch.given(*PASTS[state]).when(RejectPitch(ID)).then(REJECTED)


def test_what_is_approved_is_what_was_submitted_last() -> None:
    again = replace(SUBMITTED, title="A register", project_code="LIC-02", currency="USD", estimated_cost=None)
    approved = replace(APPROVED, title="A register", project_code="LIC-02", currency="USD")
    pitch.given(*PASTS["returned"], again, SCREENED).when(ApprovePitch(ID)).then(approved)


def test_a_decision_is_deferred_to_a_day_ahead_and_again_to_another() -> None:
    pitch.given(*PASTS["screened"]).when(DeferPitch(ID, SOON, TODAY)).then(DEFERRED)
    later = PitchDeferred(pitch_id=ID, until_on=LATER)
    pitch.given(*PASTS["deferred"]).when(DeferPitch(ID, LATER, TODAY)).then(later)
    pitch.given(*PASTS["deferred"], later).when(DeferPitch(ID, SOON, TODAY)).then(DEFERRED)


@pytest.mark.parametrize("state", ["screened", "deferred"])
@pytest.mark.parametrize("day", [TODAY, date(2026, 3, 1)])
def test_a_deferral_ends_after_today(state: str, day: date) -> None:
    pitch.given(*PASTS[state]).when(DeferPitch(ID, day, TODAY)).then_refused(DateNotAhead, pointer="/until_on")


def test_a_deferral_to_its_own_day_says_nothing_new_even_when_the_day_has_come() -> None:
    pitch.given(*PASTS["deferred"]).when(DeferPitch(ID, SOON, today=LATER)).then_nothing()


@pytest.mark.parametrize("state", WAITING)
def test_whatever_waits_for_the_office_is_returned(state: str) -> None:
    pitch.given(*PASTS[state]).when(ReturnPitch(ID)).then(RETURNED)


@pytest.mark.parametrize("state", [*WAITING, "returned"])
def test_whatever_has_not_ended_is_withdrawn(state: str) -> None:
    pitch.given(*PASTS[state]).when(WithdrawPitch(ID)).then(WITHDRAWN)


SCREEN, APPROVE, REJECT = ScreenPitch(ID, "fit"), ApprovePitch(ID), RejectPitch(ID)
DEFER, RETURN, WITHDRAW = DeferPitch(ID, SOON, TODAY), ReturnPitch(ID), WithdrawPitch(ID)
COMMANDS: list[PitchCommand] = [RESUBMIT, SCREEN, APPROVE, REJECT, DEFER, RETURN, WITHDRAW]


@pytest.mark.parametrize(
    ("command", "state"),
    [
        (SCREEN, "screened"),
        (SCREEN, "deferred"),
        (APPROVE, "approved"),
        (REJECT, "rejected"),
        (DEFER, "deferred"),
        (RETURN, "returned"),
        (WITHDRAW, "withdrawn"),
    ],
)
def test_what_is_already_so_says_nothing_new(command: PitchCommand, state: str) -> None:
    pitch.given(*PASTS[state]).when(command).then_nothing()


@pytest.mark.parametrize(
    ("command", "states"),
    [
        (RESUBMIT, ENDED),
        (SCREEN, ["returned", *ENDED]),
        (APPROVE, ["submitted", "returned", "rejected", "withdrawn"]),
        (REJECT, ["submitted", "returned", "approved", "withdrawn"]),
        (DEFER, ["submitted", "returned", *ENDED]),
        (RETURN, ENDED),
        (WITHDRAW, ["approved", "rejected"]),
    ],
    ids=lambda each: type(each).__name__ if not isinstance(each, list) else "",
)
def test_nothing_is_done_to_a_pitch_in_another_state(command: PitchCommand, states: list[str]) -> None:
    for state in states:
        pitch.given(*PASTS[state]).when(command).then_refused(PitchInAnotherState)
        with pytest.raises(PitchInAnotherState, match=f"the pitch is {state}, so it can't be "):
            pitch_decider.decide(command, pitch_decider.fold(PASTS[state]))


def test_an_approved_pitch_that_could_not_be_chartered_is_returned_and_can_be_submitted_again() -> None:
    pitch.given(*PASTS["approved"]).when(ReturnUnchartered(ID)).then(RETURNED)
    again = replace(RESUBMIT, project_code="LIC-02")
    pitch.given(*PASTS["approved"], RETURNED).when(again).then(replace(SUBMITTED, project_code="LIC-02"))


@pytest.mark.parametrize("state", [state for state in PASTS if state != "approved"])
def test_a_charter_that_was_refused_undoes_nothing_but_an_approval(state: str) -> None:
    pitch.given(*PASTS[state]).when(ReturnUnchartered(ID)).then_nothing()


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: type(command).__name__)
def test_what_is_done_to_a_pitch_is_done_to_one_that_there_is(command: PitchCommand) -> None:
    pitch.given().when(command).then_refused(UnknownPitch)


@pytest.mark.parametrize("event", [SCREENED, DEFERRED, RETURNED, APPROVED, REJECTED, WITHDRAWN])
def test_an_event_out_of_its_place_changes_nothing(event: Payload) -> None:
    assert pitch_decider.fold([event]) == pitch_decider.initial
