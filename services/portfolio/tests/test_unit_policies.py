"""What is adopted for a unit from a day on: a PMO model, and which duties are kept apart."""

from datetime import date
from uuid import UUID

import pytest

from steerco_events.contracts.portfolio import PmoModel, PmoModelAdopted, SeparationOfDutiesAdopted, UnitOpened
from steerco_events.ids import derived_id
from steerco_events.testkit.spec import spec
from steerco_portfolio.domain.organization import AdoptPmoModel, SeparateDuties
from steerco_portfolio.domain.organization_rules import organization_decider

organization = spec(organization_decider)

COM, LIC, WEB = (derived_id("unit", code) for code in ("COM", "LIC", "WEB"))
TREE = (
    UnitOpened(unit_id=COM, code="COM", name="COM by name", kind="enterprise"),
    UnitOpened(unit_id=LIC, code="LIC", name="LIC by name", kind="business_unit", parent_id=COM),
    UnitOpened(unit_id=WEB, code="WEB", name="WEB by name", kind="department", parent_id=LIC),
)


def test_a_pmo_model_is_adopted_from_a_day_on_and_again_when_it_or_the_day_changes() -> None:
    first = _adopted("coach", date(2026, 4, 1))
    organization.given(*TREE).when(AdoptPmoModel(LIC, "coach", date(2026, 4, 1))).then(first)
    organization.given(*TREE, first).when(AdoptPmoModel(LIC, "coach", date(2026, 4, 1))).then_nothing()
    changes: list[tuple[PmoModel, date]] = [("coach", date(2026, 5, 1)), ("enterprise", date(2026, 4, 1))]
    for model, day in changes:
        organization.given(*TREE, first).when(AdoptPmoModel(LIC, model, day)).then(_adopted(model, day))


def test_a_model_that_was_given_up_can_be_adopted_again() -> None:
    day = date(2026, 4, 1)
    past = (*TREE, _adopted("coach", day), _adopted("enterprise", day))
    organization.given(*past).when(AdoptPmoModel(LIC, "coach", day)).then(_adopted("coach", day))


def test_duties_are_kept_apart_from_a_day_on_and_no_more_when_that_is_said() -> None:
    required, lifted = _separated(LIC, date(2026, 4, 1)), _separated(LIC, date(2026, 5, 1), is_required=False)
    organization.given(*TREE).when(_separate(required)).then(required)
    organization.given(*TREE, required).when(_separate(required)).then_nothing()
    organization.given(*TREE, required).when(_separate(lifted)).then(lifted)
    organization.given(*TREE, required, lifted).when(_separate(required)).then(required)


@pytest.mark.parametrize("unit_id", [COM, LIC, WEB])
def test_every_unit_has_a_policy_of_its_own_for_duties(unit_id: UUID) -> None:
    others = [_separated(each, date(2026, 4, 1)) for each in (COM, LIC, WEB) if each != unit_id]
    required = _separated(unit_id, date(2026, 4, 1))
    organization.given(*TREE, *others).when(_separate(required)).then(required)


def test_a_pmo_model_changes_nothing_of_the_duties() -> None:
    required = _separated(LIC, date(2026, 4, 1))
    past = (*TREE, required, _adopted("coach", date(2026, 4, 1)))
    organization.given(*past).when(_separate(required)).then_nothing()


def _adopted(model: PmoModel, day: date) -> PmoModelAdopted:
    return PmoModelAdopted(unit_id=LIC, pmo_model=model, effective_on=day)


def _separated(unit_id: UUID, day: date, *, is_required: bool = True) -> SeparationOfDutiesAdopted:
    return SeparationOfDutiesAdopted(
        unit_id=unit_id, duties="pitch_submission_and_decision", is_required=is_required, effective_on=day
    )


def _separate(said: SeparationOfDutiesAdopted) -> SeparateDuties:
    return SeparateDuties(said.unit_id, said.duties, said.is_required, said.effective_on)
