"""What a register makes different from what is there."""

from typing import get_args

import pytest

from steerco.client import CommandFailed
from steerco.register_import.organization import needed, units_for
from steerco.register_import.plan import Plan, Step, facts_of
from steerco.register_import.present import Present
from steerco.register_import.register_map import RegisterMap
from steerco.testkit.registers import MAP, ORGANIZATION, found, loaded, planned, unit
from steerco_events.contracts.portfolio import ProjectState


def paths(step: Step) -> list[str]:
    """What is sent, without the ids."""
    return [str(command["path"]).rpartition("/")[2] for command in (*step.portfolio, *step.finance)]


def test_a_new_row_registers_its_project_with_all_that_it_says() -> None:
    (step,) = planned(found({"rating": "Red"})).steps
    assert step.outcome == "new"
    assert paths(step) == ["projects", "assessments", "budget", "budget"]
    assert step.portfolio[0]["body"]["start"] == {"on": "2026-01-01"}


def test_what_is_not_stated_needs_no_command() -> None:
    (step,) = planned(found({"budget": "", "benefit": "", "rating": ""})).steps
    assert paths(step) == ["projects"]


def test_what_is_there_already_changes_nothing() -> None:
    said = found({}, {"budget": "Withheld"})
    plan = planned(said, loaded(said))
    assert [(step.outcome, step.changes) for step in plan.steps] == [("unchanged", 0)] * 2


@pytest.mark.parametrize(
    ("cells", "sent"),
    [
        ({"name": "Another"}, ["title"]),
        ({"end": "2027-01-31"}, ["dates"]),
        ({"team": "Applications"}, ["move"]),
        ({"rating": "Red"}, ["assessments"]),
        ({"rating": "Exempt"}, ["assessments"]),
        ({"rating": ""}, ["assessments"]),
        ({"budget": "13"}, ["budget"]),
        ({"budget": ""}, ["budget"]),
        ({"name": "Another", "benefit": "Withheld"}, ["title", "budget"]),
    ],
)
def test_a_changed_cell_becomes_its_ordinary_command(cells: dict[str, str], sent: list[str]) -> None:
    before = found({})
    memory = {entry.reference: facts_of(entry) for entry in before.entries}
    (step,) = planned(found(cells), loaded(before), memory).steps
    assert step.outcome == "changed"
    assert paths(step) == sent


def test_what_was_done_by_hand_stays_until_the_register_changes_it() -> None:
    said = found({})
    memory = {entry.reference: facts_of(entry) for entry in said.entries}
    there = loaded(said, unit={"code": "LIC-applications"}, title={"title": "Corrected by hand"})
    (step,) = planned(said, there, memory).steps
    assert step.changes == 0


def test_without_a_memory_a_row_is_compared_with_what_is_there() -> None:
    said = found({})
    (step,) = planned(said, loaded(said, title={"title": "Another"})).steps
    assert (step.outcome, paths(step)) == ("completed", ["title"])


def test_a_memory_of_a_project_that_is_gone_suppresses_nothing() -> None:
    said = found({})
    memory = {entry.reference: facts_of(entry) for entry in said.entries}
    (step,) = planned(said, memory=memory).steps
    assert step.outcome == "new"


def test_missing_units_are_opened_parents_first_and_present_ones_taken_in_any_case() -> None:
    said = found({"unit": "lic"}, {"unit": "SUP"})
    units = units_for(said.entries, ORGANIZATION, MAP)
    assert [opened.code for opened in units.opened] == ["SUP", "SUP-public-register"]


def test_only_the_way_to_the_places_of_entries_that_need_them_is_opened() -> None:
    said = found({"unit": "SUP", "budget": "-1"}, {"unit": "COR"}, {"unit": "COR", "team": "Applications"})
    units = units_for(said.entries, (), MAP)
    opened = needed(units, said.entries[1:2]).opened
    assert [each.code for each in opened] == ["COM", "COR", "COR-public-register"]
    assert len(units.opened) == 6


def test_nothing_is_opened_for_no_entry_and_nothing_that_is_there() -> None:
    said = found({"unit": "SUP"}, {"team": "Applications"})
    units = units_for(said.entries, ORGANIZATION, MAP)
    assert not needed(units, said.entries[1:]).opened
    assert not needed(units, ()).opened


def test_a_register_of_another_enterprise_says_which_command_to_run() -> None:
    with pytest.raises(CommandFailed, match=r"steerco up --empty --data-dir") as failure:
        units_for(found({}).entries, [unit("OTHER", "enterprise")], MAP)
    assert failure.value.code == 2


@pytest.mark.parametrize(
    ("cells", "column", "reason"),
    [
        ({"budget": "-1"}, "budget", "a cost is not negative, -1000.00 is"),
        ({"unit": "COM"}, "team", "the code COM is that of the enterprise COM, not of a business unit"),
        ({"team": "Closed"}, "team", "the unit LIC-closed was closed"),
    ],
)
def test_a_row_that_a_service_would_refuse_is_refused_before_its_first_command(
    cells: dict[str, str], column: str, reason: str
) -> None:
    there = (*ORGANIZATION, unit("LIC-closed", "department", "LIC", is_open=False))
    said = found(cells, {})
    made = planned(said, Present(there, {}, {}))
    assert [step.entry.row for step in made.steps] == [2]
    (refused,) = made.refused
    assert (refused.column, refused.reason) == (column, reason)


def test_a_move_of_a_project_that_is_over_is_refused() -> None:
    before = found({})
    memory = {entry.reference: facts_of(entry) for entry in before.entries}
    there = loaded(before, state={"state": "closed"})
    (refused,) = planned(found({"team": "Applications"}), there, memory).refused
    assert (refused.column, refused.reason) == ("team", "the project P-1 is closed")


STATES = RegisterMap.model_validate(
    MAP.model_dump()
    | {"columns": MAP.columns.model_dump() | {"department": None}}
    | {"state": {"column": "team", "words": {each: each for each in get_args(ProjectState.__value__)}}}
)
"""Like the map, with the state where the team was."""


def restated(present: str, wanted: str, **cells: str) -> Plan:
    """What a row makes of a project's state when the register says another."""
    before = found({"team": present}, register=STATES)
    memory = {entry.reference: facts_of(entry) for entry in before.entries}
    there = loaded(before, state={"state": present})
    return planned(found({"team": wanted} | cells, register=STATES), there, memory, STATES)


@pytest.mark.parametrize(
    ("present", "wanted", "sent"),
    [
        ("chartered", "closed", ["planning", "executing", "closing", "closed"]),
        ("executing", "closed", ["closing", "closed"]),
        ("planning", "executing", ["executing"]),
        ("executing", "on_hold", ["on_hold"]),
        ("planning", "terminated", ["terminated"]),
        ("on_hold", "terminated", ["terminated"]),
        ("on_hold", "planning", ["resumed", "planning"]),
        ("on_hold", "executing", ["resumed", "executing"]),
        ("on_hold", "closed", ["resumed", "closing", "closed"]),
    ],
)
def test_a_state_that_lies_ahead_is_reached_step_by_step(present: str, wanted: str, sent: list[str]) -> None:
    (step,) = restated(present, wanted).steps
    assert [command["body"]["to"] for command in step.portfolio] == sent
    assert {command["group"] for command in step.portfolio} == {"1"}
    assert step.differing == ["state"]


def test_a_state_that_is_there_needs_no_step() -> None:
    (step,) = restated("closing", "closing").steps
    assert step.changes == 0


@pytest.mark.parametrize(
    ("present", "wanted", "reason"),
    [
        ("closing", "planning", "the project is closing; it becomes planning from chartered only"),
        ("closed", "executing", "the project is closed; it becomes executing from planning only"),
        ("terminated", "closed", "the project is terminated; it becomes closed from closing only"),
        ("closed", "on_hold", "the project is closed, so it can't be put on hold"),
        ("executing", "chartered", "the project is executing, so it can't be chartered again"),
        ("on_hold", "chartered", "the project is on hold, so it can't be chartered again"),
    ],
)
def test_a_state_that_lies_behind_is_refused(present: str, wanted: str, reason: str) -> None:
    (refused,) = restated(present, wanted).refused
    assert (refused.column, refused.reason) == ("team", reason)


def test_figures_are_checked_against_the_state_that_the_row_leads_to() -> None:
    (refused,) = restated("executing", "closed", budget="13").refused
    assert refused.column == "budget"
    assert "P-1 is closed" in refused.reason


def test_an_amount_in_another_currency_than_the_project_is_refused() -> None:
    swiss = MAP.model_copy(update={"currency": "CHF"})
    (refused,) = planned(found({"budget": "14"}, register=swiss), loaded(found({})), register=swiss).refused
    assert refused.reason == "the project P-1 is in EUR, the amount in CHF"


def test_a_code_that_another_project_has_is_refused() -> None:
    said = found({})
    there = loaded(found({"id": "2"}))
    taken = {"P-1": next(iter(there.projects))}
    (refused,) = planned(said, Present(there.units, {}, taken)).refused
    assert refused.reason == "another project has the code 'P-1'"
