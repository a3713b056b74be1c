"""What a risk's decider and its matrix say: raised on a project, rated from 1 to 5, closed once."""

from dataclasses import replace
from itertools import pairwise, product
from typing import Any

import pytest

from steerco_events.contracts.risk import RiskClosed, RiskRaised, RiskRated
from steerco_events.ids import derived_id
from steerco_events.registry import Payload
from steerco_events.testkit.spec import spec
from steerco_risk.domain.matrix import LEVELS, MATRIX, RatingOffTheScale
from steerco_risk.domain.risk import (
    CloseRisk,
    KnownProject,
    NoSuchProject,
    RaiseRisk,
    RateRisk,
    Rating,
    RiskAlreadyRaised,
    RiskCommand,
    RiskIsClosed,
    UnknownRisk,
    risk_decider,
)

risk = spec(risk_decider)

ID = derived_id("risk", "LIC-01", "supplier")
PROJECT = KnownProject(derived_id("project", "LIC-01"), 3)
RAISE = RaiseRisk(
    risk_id=ID,
    project=PROJECT,
    cause="The supplier has one certified engineer",
    event="The engineer leaves",
    effect="Acceptance slips by a quarter",
    category="supplier",
    rating=None,
)
RAISED = RiskRaised(
    risk_id=ID,
    project_id=PROJECT.project_id,
    cause="The supplier has one certified engineer",
    event="The engineer leaves",
    effect="Acceptance slips by a quarter",
    category="supplier",
    project_version=3,
)
MEDIUM = RiskRated(
    risk_id=ID, project_id=PROJECT.project_id, probability=2, impact=3, band="medium", matrix_version=MATRIX.version
)
HIGH = replace(MEDIUM, probability=3, impact=4, band="high")
CLOSED = RiskClosed(risk_id=ID, project_id=PROJECT.project_id)
BANDS = ("low", "medium", "high", "extreme")
CELLS = tuple(product(LEVELS, LEVELS))


def test_a_risk_is_raised_on_a_project_and_names_the_version_of_it_that_was_read() -> None:
    risk.given().when(RAISE).then(RAISED)


def test_a_risk_that_is_rated_as_it_is_raised_has_its_band_at_once() -> None:
    risk.given().when(replace(RAISE, rating=Rating(3, 4))).then(RAISED, HIGH)


def test_a_risk_is_raised_on_a_project_that_there_is() -> None:
    risk.given().when(replace(RAISE, project=None)).then_refused(NoSuchProject, pointer="/project_id")


@pytest.mark.parametrize("past", [(RAISED,), (RAISED, MEDIUM, HIGH), (RAISED, CLOSED), (RAISED, MEDIUM, CLOSED)])
def test_the_same_risk_raised_again_says_nothing_new_even_of_another_version_of_the_project(
    past: tuple[Payload, ...],
) -> None:
    risk.given(*past).when(RAISE).then_nothing()
    risk.given(*past).when(replace(RAISE, project=replace(PROJECT, project_version=9))).then_nothing()


@pytest.mark.parametrize("past", [(RAISED, MEDIUM), (RAISED, MEDIUM, HIGH), (RAISED, MEDIUM, HIGH, CLOSED)])
def test_a_risk_that_was_raised_with_a_rating_can_be_sent_again_after_it_was_rated_anew(
    past: tuple[Payload, ...],
) -> None:
    risk.given(*past).when(replace(RAISE, rating=Rating(2, 3))).then_nothing()


@pytest.mark.parametrize("past", [(RAISED,), (RAISED, MEDIUM), (RAISED, HIGH), (RAISED, MEDIUM, CLOSED)])
@pytest.mark.parametrize(
    "changes",
    [
        {"project": KnownProject(derived_id("project", "LIC-02"), 3)},
        {"cause": "The supplier has no certified engineer"},
        {"event": "The engineer is ill"},
        {"effect": "Acceptance slips by a month"},
        {"category": "people"},
        {"rating": Rating(5, 5)},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_an_id_is_that_of_one_risk_raised_in_one_way(past: tuple[Payload, ...], changes: dict[str, Any]) -> None:
    command = replace(RAISE, **changes)
    risk.given(*past).when(command).then_refused(RiskAlreadyRaised, pointer="/risk_id")


def test_a_risk_is_rated_as_often_as_its_rating_changes() -> None:
    risk.given(RAISED).when(RateRisk(ID, Rating(2, 3))).then(MEDIUM)
    risk.given(RAISED, MEDIUM).when(RateRisk(ID, Rating(3, 4))).then(HIGH)
    risk.given(RAISED, MEDIUM, HIGH).when(RateRisk(ID, Rating(2, 3))).then(MEDIUM)


def test_another_cell_of_the_same_band_is_another_rating() -> None:
    risk.given(RAISED, HIGH).when(RateRisk(ID, Rating(4, 3))).then(replace(HIGH, probability=4, impact=3))


def test_the_rating_that_holds_says_nothing_new() -> None:
    risk.given(RAISED, HIGH).when(RateRisk(ID, Rating(3, 4))).then_nothing()


def test_a_rating_by_an_earlier_matrix_is_given_again_by_the_one_in_force() -> None:
    earlier = replace(HIGH, band="medium", matrix_version=MATRIX.version - 1)
    risk.given(RAISED, earlier).when(RateRisk(ID, Rating(3, 4))).then(HIGH)


def test_a_closed_risk_is_not_rated() -> None:
    for rating in (Rating(2, 3), Rating(3, 4)):
        risk.given(RAISED, MEDIUM, CLOSED).when(RateRisk(ID, rating)).then_refused(RiskIsClosed)


@pytest.mark.parametrize("past", [(RAISED,), (RAISED, HIGH)])
def test_a_risk_is_closed_rated_or_not(past: tuple[Payload, ...]) -> None:
    risk.given(*past).when(CloseRisk(ID)).then(CLOSED)


def test_a_risk_is_closed_once() -> None:
    risk.given(RAISED, CLOSED).when(CloseRisk(ID)).then_nothing()


@pytest.mark.parametrize("command", [RateRisk(ID, Rating(1, 1)), CloseRisk(ID)], ids=["rated", "closed"])
def test_what_is_done_to_a_risk_is_done_to_one_that_there_is(command: RiskCommand) -> None:
    risk.given().when(command).then_refused(UnknownRisk)


@pytest.mark.parametrize("event", [HIGH, CLOSED], ids=["rated", "closed"])
def test_an_event_out_of_its_place_changes_nothing(event: Payload) -> None:
    assert risk_decider.fold([event]) == risk_decider.initial


OFF_THE_SCALE = [
    (0, 3, "/probability", "probability is 1 to 5, not 0"),
    (6, 3, "/probability", "probability is 1 to 5, not 6"),
    (3, -1, "/impact", "impact is 1 to 5, not -1"),
    (3, 6, "/impact", "impact is 1 to 5, not 6"),
    (9, 9, "/probability", "probability is 1 to 5, not 9"),
]


@pytest.mark.parametrize(("probability", "impact", "pointer", "detail"), OFF_THE_SCALE)
def test_a_rating_off_the_scale_is_refused_by_field_and_value(
    probability: int, impact: int, pointer: str, detail: str
) -> None:
    rating = Rating(probability, impact)
    risk.given(RAISED).when(RateRisk(ID, rating)).then_refused(RatingOffTheScale, pointer=pointer)
    risk.given().when(replace(RAISE, rating=rating)).then_refused(RatingOffTheScale, pointer=pointer)
    with pytest.raises(RatingOffTheScale, match=detail):
        MATRIX.band(probability, impact)


@pytest.mark.parametrize(("probability", "impact"), CELLS)
def test_each_of_the_25_cells_has_a_band_that_a_rating_gets(probability: int, impact: int) -> None:
    band = MATRIX.band(probability, impact)
    assert band in BANDS
    rated = replace(MEDIUM, probability=probability, impact=impact, band=band)
    risk.given(RAISED).when(RateRisk(ID, Rating(probability, impact))).then(rated)


@pytest.mark.parametrize("level", LEVELS)
def test_a_band_never_falls_as_probability_or_impact_rises(level: int) -> None:
    along = [BANDS.index(MATRIX.band(level, impact)) for impact in LEVELS]
    across = [BANDS.index(MATRIX.band(probability, level)) for probability in LEVELS]
    assert all(before <= after for bands in (along, across) for before, after in pairwise(bands))


def test_an_unlikely_catastrophe_weighs_more_than_a_likely_nuisance_and_every_band_is_used() -> None:
    assert (MATRIX.band(1, 5), MATRIX.band(5, 1)) == ("high", "medium")
    assert (MATRIX.band(1, 1), MATRIX.band(5, 5)) == ("low", "extreme")
    assert {MATRIX.band(*cell) for cell in CELLS} == set(BANDS)
