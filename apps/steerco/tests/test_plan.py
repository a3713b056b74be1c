"""What a register makes different from what is there."""

import pytest

from steerco.client import CommandFailed
from steerco.register_import.organization import units_for
from steerco.register_import.plan import Step, facts_of
from steerco.register_import.present import Present
from steerco.testkit.registers import MAP, ORGANIZATION, found, loaded, planned, unit


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
