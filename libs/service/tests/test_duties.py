"""Which duties are kept apart where, and what is said to who did the one and would do the other."""

from datetime import date
from typing import get_args
from uuid import UUID

import pytest

from steerco_events.contracts.catalog import CATALOG
from steerco_events.contracts.portfolio import Duties
from steerco_events.ids import derived_id
from steerco_service.access.duties import (
    PAIRS,
    DutiesAdopted,
    DutiesSeparated,
    Requirement,
    pairs_of,
    parting,
    requirement,
    requirements,
)
from steerco_service.access.permissions import PERMISSIONS

PITCHES: Duties = "pitch_submission_and_decision"
QUAY, HARBOR, NORTH = (derived_id("unit", n) for n in range(3))
SPRING, SUMMER, AUTUMN = date(2026, 4, 1), date(2026, 7, 1), date(2026, 10, 1)


def required(on: date) -> DutiesAdopted:
    return DutiesAdopted(PITCHES, True, on)


def lifted(on: date) -> DutiesAdopted:
    return DutiesAdopted(PITCHES, False, on)


def test_nothing_is_required_where_nobody_said_so() -> None:
    assert requirement(PITCHES, [(HARBOR, ()), (NORTH, ())], SUMMER) is None
    assert requirements([(HARBOR, ()), (NORTH, ())], SUMMER) == []


def test_what_a_unit_adopted_is_in_force_from_its_day_on() -> None:
    path = [(HARBOR, [required(SUMMER)])]
    assert requirement(PITCHES, path, SPRING) is None
    for day in (SUMMER, AUTUMN):
        assert requirement(PITCHES, path, day) == Requirement(PITCHES, HARBOR, SUMMER)


@pytest.mark.parametrize(
    ("adopted", "since_on"),
    [
        ([required(SPRING), lifted(SUMMER)], None),
        ([lifted(SUMMER), required(SPRING)], None),
        ([required(SUMMER), lifted(SUMMER)], None),
        ([lifted(SUMMER), required(SUMMER)], SUMMER),
        ([required(SPRING), lifted(AUTUMN)], SPRING),
        ([required(SPRING), required(SUMMER)], SUMMER),
    ],
    ids=["later day", "later day, said first", "same day", "same day again", "one day", "renewed"],
)
def test_of_what_a_unit_adopted_the_latest_day_counts_and_then_what_was_adopted_last(
    adopted: list[DutiesAdopted], since_on: date | None
) -> None:
    found = requirement(PITCHES, [(HARBOR, adopted)], SUMMER)
    assert found == (Requirement(PITCHES, HARBOR, since_on) if since_on else None)


def test_what_a_unit_above_requires_holds_below_and_is_not_lifted_there() -> None:
    path = [(QUAY, ()), (HARBOR, [lifted(SUMMER)]), (NORTH, [required(SPRING)])]
    assert requirement(PITCHES, path, AUTUMN) == Requirement(PITCHES, NORTH, SPRING)


def test_of_several_units_that_require_it_the_nearest_is_named() -> None:
    path = [(QUAY, [required(AUTUMN)]), (HARBOR, [required(SPRING)]), (NORTH, [required(SUMMER)])]
    assert requirement(PITCHES, path, SUMMER) == Requirement(PITCHES, HARBOR, SPRING)
    assert requirements(path, AUTUMN) == [Requirement(PITCHES, QUAY, AUTUMN)]


def test_who_is_refused_is_told_by_whose_policy_and_since_when() -> None:
    def at(unit_id: UUID) -> Requirement | None:
        return Requirement(PITCHES, NORTH, SPRING) if unit_id == HARBOR else None

    rule = parting(PAIRS[PITCHES], at, lambda _: "NORTH")
    rule.judge([QUAY])
    with pytest.raises(DutiesSeparated) as refused:
        rule.judge([QUAY, HARBOR])
    said = "who submitted a pitch does not decide it here (policy of NORTH since 2026-04-01)"
    assert (refused.value.detail, refused.value.kind) == (said, "forbidden")


def test_all_duties_that_a_policy_can_name_are_pairs_of_events_and_operations_that_there_are() -> None:
    events = {event.name for event in CATALOG}
    assert set(PAIRS) == set(get_args(Duties.__value__))
    for pair in PAIRS.values():
        assert pair.did <= events
        assert pair.then <= PERMISSIONS.keys()


def test_an_operation_has_the_pairs_of_which_it_is_the_second_duty() -> None:
    assert pairs_of("intake.decide_pitch") == {PITCHES: PAIRS[PITCHES]}
    assert pairs_of("intake.submit_pitch") == {}
