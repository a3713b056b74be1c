"""Rows as the projects that they describe."""

import pytest

from steerco.register_import.entries import RowRefused
from steerco.testkit.registers import MAP, found
from steerco_events.ids import derived_id


def test_ids_and_codes_derive_from_the_source_and_the_reference() -> None:
    (entry,) = found({"id": "7"}).entries
    assert entry.project_id == derived_id("Register", "7")
    assert entry.code == "P-7"
    assert entry.place.units == [("LIC", "LIC"), ("LIC-public-register", "Public register")]


def test_amounts_are_scaled_and_may_be_negative() -> None:
    (entry,) = found({}).entries
    assert entry.facts["cost budget whole_life"].body["figure"] == {"money": {"amount": "12500.00", "currency": "EUR"}}
    assert entry.facts["benefit budget whole_life"].body["figure"]["money"]["amount"] == "-3000.00"


@pytest.mark.parametrize("words", ["Withheld", "12,5", "1e3", "NaN", "Inf", "-Infinity", "12 500", "0x10", "١٢"])
def test_a_cell_that_is_no_amount_is_kept_as_said_and_listed(words: str) -> None:
    said = found({}, {"budget": words})
    assert said.entries[1].facts["cost budget whole_life"].body["figure"] == {"said": words}
    assert said.undisclosed == {("budget", words): [2]}


def test_a_blank_is_not_stated_and_not_listed() -> None:
    said = found({"budget": "", "start": "", "rating": ""})
    (entry,) = said.entries
    assert entry.facts["cost budget whole_life"].body["figure"] == {}
    assert entry.facts["dates"].body["start"] == {}
    assert entry.facts["assessment Review"].body == {"assessor": "Review"}
    assert not said.undisclosed


@pytest.mark.parametrize("words", ["Early planning", "31/12/2026", "2026-02-30", "2026"])
def test_a_cell_that_is_no_day_is_kept_as_said_and_listed(words: str) -> None:
    said = found({"end": words})
    assert said.entries[0].facts["dates"].body["end"] == {"said": words}
    assert said.undisclosed == {("end", words): [1]}


def test_dates_that_contradict_each_other_are_kept_and_flagged() -> None:
    said = found({}, {"start": "2027-01-01"})
    assert said.entries[1].facts["dates"].body == {"start": {"on": "2027-01-01"}, "end": {"on": "2026-12-31"}}
    assert said.contradictory == [2]


def test_words_that_are_no_rating_of_the_map_are_kept_as_said_and_listed() -> None:
    said = found({"rating": "Exempt"})
    assert said.entries[0].facts["assessment Review"].body == {"assessor": "Review", "said": "Exempt"}
    assert said.undisclosed == {("rating", "Exempt"): [1]}


@pytest.mark.parametrize(
    ("cells", "column"),
    [
        ({"id": ""}, "id"),
        ({"name": ""}, "name"),
        ({"unit": ""}, "unit"),
        ({"team": ""}, "team"),
        ({"name": "n" * 201}, "name"),
        ({"name": "bell \x07"}, "name"),
        ({"budget": "w" * 201}, "budget"),
        ({"budget": "1000000000000"}, "budget"),
        ({"budget": "1234567890123456"}, "budget"),
        ({"budget": "9" * 30}, "budget"),
        ({"budget": "0." + "0" * 29 + "1"}, "budget"),
        ({"budget": "999999999999.99999" + "9" * 25}, "budget"),
        ({"budget": "1.000001"}, "budget"),
        ({"id": "7 b"}, "id"),
    ],
)
def test_a_row_without_id_name_or_unit_or_with_a_value_that_is_refused_names_the_column(
    cells: dict[str, str], column: str
) -> None:
    said = found(cells, {"id": "other"})
    assert [entry.reference for entry in said.entries] == ["other"]
    (refused,) = said.refused
    assert (refused.row, refused.column) == (1, column)
    assert refused.reason


def test_an_id_that_comes_twice_refuses_both_rows() -> None:
    said = found({"id": "7"}, {"id": "8"}, {"id": "7"})
    assert [entry.reference for entry in said.entries] == ["8"]
    assert said.refused == [
        RowRefused(1, "id", "'7' is the id of more than one row"),
        RowRefused(3, "id", "'7' is the id of more than one row"),
    ]


def test_an_id_is_doubled_also_by_a_row_that_is_refused_for_something_else() -> None:
    said = found({"id": "7"}, {"id": "7", "name": ""})
    assert not said.entries
    assert [refused.row for refused in said.refused] == [1, 2]


def test_an_amount_is_exact_with_any_number_of_digits() -> None:
    (entry,) = found({"budget": "999999999999.99999" + "0" * 25}).entries
    assert entry.facts["cost budget whole_life"].body["figure"]["money"]["amount"] == "999999999999999.99"


def test_ids_that_differ_in_case_only_would_have_the_same_code() -> None:
    said = found({"id": "a"}, {"id": "A"})
    assert not said.entries
    assert [refused.reason for refused in said.refused] == [
        "'a' makes the code 'P-a', which is made by more than one row, in any case",
        "'A' makes the code 'P-A', which is made by more than one row, in any case",
    ]


def test_units_of_different_names_that_would_have_the_same_code_refuse_the_rows_of_the_later() -> None:
    said = found({"team": "R&D"}, {"team": "R D"}, {"team": "R&D"}, {"team": "R D"}, {"team": "R&d"})
    assert [entry.row for entry in said.entries] == [1, 3, 5]
    assert said.refused == [
        RowRefused(2, "team", "'R D' makes the code 'LIC-r-d', which 'R&D' of row 1 makes already"),
        RowRefused(4, "team", "'R D' makes the code 'LIC-r-d', which 'R&D' of row 1 makes already"),
    ]


def test_units_to_which_the_map_gives_the_same_name_are_the_same() -> None:
    same = MAP.model_copy(update={"names": {"R D": "Research", "R&D": "Research"}})
    assert not found({"team": "R&D"}, {"team": "R D"}, register=same).refused


@pytest.mark.parametrize("cells", [{"name": "bell \x07"}, {"budget": "bell \x07"}, {"id": "7 b"}])
def test_a_refusal_says_the_rule_and_not_how_it_was_found(cells: dict[str, str]) -> None:
    (refused,) = found(cells).refused
    assert "Value error" not in refused.reason
