"""What a posting's decider says: one document, one actual cost, reversed once."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from steerco_events.contracts.finance import ActualCostPosted, ActualCostReversed
from steerco_events.contracts.values import Money
from steerco_events.decider import Refusal
from steerco_events.ids import derived_id
from steerco_events.testkit.spec import spec
from steerco_finance.domain.posting import (
    CostNotIncurredYet,
    DocumentAlreadyPosted,
    PeriodNotAFiscalYear,
    PostActualCost,
    ReverseActualCost,
    UnknownPosting,
    posting_decider,
)
from steerco_finance.domain.project import AnotherCurrency, KnownProject, NegativeCost, NoSuchProject

posting = spec(posting_decider)

PROJECT = KnownProject(derived_id("project", "LIC-1"), "LIC-1", "EUR", "executing", 7)
OTHER_PROJECT = replace(PROJECT, project_id=derived_id("project", "LIC-2"), code="LIC-2")
ID = derived_id("posting", "ledger", "INV-1")
POST = PostActualCost(
    posting_id=ID,
    project=PROJECT,
    source="ledger",
    reference="INV-1",
    cost=Money.parse("120.50", "EUR"),
    incurred_on=date(2026, 9, 20),
    period="fiscal_year 2026",
    today=date(2026, 9, 22),
)
POSTED = ActualCostPosted(
    posting_id=ID,
    project_id=PROJECT.project_id,
    source="ledger",
    reference="INV-1",
    cost=Money.parse("120.50", "EUR"),
    incurred_on=date(2026, 9, 20),
    period="fiscal_year 2026",
    project_version=7,
)
REVERSED = ActualCostReversed(posting_id=ID, project_id=PROJECT.project_id)


def test_an_actual_cost_is_posted_with_its_document_and_the_version_of_the_project_that_was_read() -> None:
    posting.given().when(POST).then(POSTED)


@pytest.mark.parametrize("state", ["closed", "terminated"])
def test_the_cost_of_a_project_that_is_over_still_comes(state: str) -> None:
    posting.given().when(replace(POST, project=replace(PROJECT, state=state))).then(POSTED)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"cost": Money.parse("0", "EUR")}, {"cost": Money.parse("0.00", "EUR")}),
        ({"incurred_on": POST.today}, {"incurred_on": date(2026, 9, 22)}),
        ({"period": "fiscal_year 2026-27"}, {"period": "fiscal_year 2026-27"}),
        ({"incurred_on": date(2024, 1, 1)}, {"incurred_on": date(2024, 1, 1)}),
    ],
)
def test_a_cost_may_be_nothing_of_today_of_a_fiscal_year_across_two_or_late(
    changes: dict[str, Any], told: dict[str, Any]
) -> None:
    posting.given().when(replace(POST, **changes)).then(replace(POSTED, **told))


@pytest.mark.parametrize(
    ("changes", "refusal", "pointer"),
    [
        ({"project": None}, NoSuchProject, "/project_id"),
        ({"cost": Money.parse("-0.01", "EUR")}, NegativeCost, "/cost/amount"),
        ({"cost": Money.parse("120.50", "USD")}, AnotherCurrency, "/cost/currency"),
        ({"incurred_on": date(2026, 9, 23)}, CostNotIncurredYet, "/incurred_on"),
        ({"period": "whole_life"}, PeriodNotAFiscalYear, "/period"),
    ],
)
def test_a_cost_is_of_a_known_project_in_its_currency_not_negative_not_of_tomorrow_in_a_fiscal_year(
    changes: dict[str, Any], refusal: type[Refusal], pointer: str | None
) -> None:
    posting.given().when(replace(POST, **changes)).then_refused(refusal, pointer=pointer)


@pytest.mark.parametrize("past", [(POSTED,), (POSTED, REVERSED)])
def test_the_same_document_again_says_nothing_new_and_a_reversed_one_stays_reversed(
    past: tuple[ActualCostPosted | ActualCostReversed, ...],
) -> None:
    posting.given(*past).when(POST).then_nothing()
    later = replace(POST, project=replace(PROJECT, project_version=8), today=date(2026, 10, 1))
    posting.given(*past).when(later).then_nothing()


@pytest.mark.parametrize("past", [(POSTED,), (POSTED, REVERSED)])
@pytest.mark.parametrize(
    "changes",
    [
        {"cost": Money.parse("120.51", "EUR")},
        {"incurred_on": date(2026, 9, 19)},
        {"period": "fiscal_year 2025"},
        {"project": OTHER_PROJECT},
    ],
)
def test_a_document_is_not_posted_with_other_content(
    past: tuple[ActualCostPosted | ActualCostReversed, ...], changes: dict[str, Any]
) -> None:
    command = replace(POST, **changes)
    posting.given(*past).when(command).then_refused(DocumentAlreadyPosted, pointer="/reference")


def test_the_refusal_names_the_document_and_all_that_differs() -> None:
    command = replace(POST, project=OTHER_PROJECT, period="fiscal_year 2025")
    with pytest.raises(DocumentAlreadyPosted, match="ledger INV-1 was posted with another project, period;"):
        posting_decider.decide(command, posting_decider.fold([POSTED]))


def test_a_posting_is_reversed_once() -> None:
    posting.given(POSTED).when(ReverseActualCost(ID)).then(REVERSED)


def test_what_was_never_posted_is_not_reversed() -> None:
    posting.given().when(ReverseActualCost(ID)).then_refused(UnknownPosting)
