"""A register comes into an edition: whole and once."""

import os
import subprocess
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from tests.editions.registers import MAP, ROWS, amounts, asked, load, made_up, shown
from tests.editions.running import RunningEdition, running_edition, steerco, without_instants


@pytest.fixture(scope="module")
def register(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A made-up register with the columns of the map."""
    return made_up(tmp_path_factory.mktemp("register") / "made-up.csv")


@pytest.fixture(scope="module")
def edition(register: Path) -> Iterator[RunningEdition]:
    """An edition that has the made-up register."""
    with running_edition("--empty") as running:
        assert f"{ROWS} rows: {ROWS} new, 0 refused" in load(running, register)
        yield running


def test_the_units_add_up_to_the_enterprise(edition: RunningEdition) -> None:
    answer = shown(edition)
    whole = amounts(answer["totals"])
    parts = [amounts(line) for line in answer["units"]]
    zero = (Decimal(0), 0)
    for name, (amount, disclosed) in whole.items():
        assert sum(part.get(name, zero)[0] for part in parts) == amount
        assert sum(part.get(name, zero)[1] for part in parts) == disclosed
    assert sum(line["projects"] for line in answer["units"]) == answer["totals"]["projects"] == ROWS


def test_the_same_import_again_changes_nothing(edition: RunningEdition, register: Path) -> None:
    assert f"{ROWS} unchanged, 0 refused; 0 changes made" in load(edition, register)


def test_a_dry_run_sends_nothing(edition: RunningEdition, register: Path, tmp_path: Path) -> None:
    changed = tmp_path / "changed.csv"
    changed.write_text(register.read_text().replace("Rain model 3,", "Snow model,"))
    before = without_instants(shown(edition))
    said = edition.steerco("import", "projects", str(changed), "--map", MAP, "--dry-run")
    assert "1 changed" in said
    assert "1 change would be made" in said
    assert without_instants(shown(edition)) == before


def test_refused_rows_are_named_and_the_others_loaded(edition: RunningEdition, register: Path, tmp_path: Path) -> None:
    lines = register.read_text().splitlines()
    changed = tmp_path / "changed.csv"
    refused = [
        f"{ROWS + 1},,WATER,ICT,,,,,,,,,",
        f"{ROWS + 2},Negative,WATER,ICT,,,,,,,,-1,",
        f"{ROWS + 3},Good,WATER,ICT,,,,,,,,1,",
    ]
    changed.write_text("\n".join([*lines, *refused]))
    said = load(edition, changed, expect=1)
    assert f"1 new, {ROWS} unchanged, 2 refused" in said
    assert f"refused: row {ROWS + 1}, project_name: is blank" in said
    assert f"refused: row {ROWS + 2}, whole_life_cost_baseline_gbp_m: a cost is not negative, -1000000.00 is" in said
    answer = asked(edition, "/portfolio/projects", code=f"GMPP-{ROWS + 3}").json()
    assert [project["title"] for project in answer] == ["Good"]


def test_a_project_that_moved_counts_where_it_is_and_before_where_it_was(edition: RunningEdition) -> None:
    (before,) = [shown(edition, "WATER-ict")]
    at = before["as_of"]
    assert "WATER-ict → ROADS-ict" in edition.steerco("move", "GMPP-2", "--to", "ROADS-ict", "--reason", "A trial")
    after = shown(edition, "WATER-ict")
    assert after["totals"]["projects"] == before["totals"]["projects"] - 1
    name = ("cost", "budget", "whole_life", "GBP")
    assert amounts(before["totals"])[name][0] - amounts(after["totals"])[name][0] == Decimal("64000000.00")
    past = shown(edition, "WATER-ict", "--as-of", at)
    assert without_instants(past["totals"]) == without_instants(before["totals"])
    assert "GMPP-2 Meters" in edition.steerco("move", "GMPP-2", "--to", "WATER-ict", "--reason", "The trial is over")


def test_a_rebuilt_view_has_the_same_rows_and_the_old_one_answers_meanwhile(edition: RunningEdition) -> None:
    before = without_instants(shown(edition, "enterprise", "--by", "month", "--over"))
    answered = 0
    with subprocess.Popen(
        steerco("rebuild", "portfolio_register"),
        env={**os.environ, **edition.environment},
        stdout=subprocess.DEVNULL,
    ) as rebuilding:
        while rebuilding.poll() is None:
            assert asked(edition, "/reporting/portfolio", scope="enterprise").json()["totals"]["projects"] >= ROWS
            answered += 1
    assert rebuilding.returncode == 0
    assert answered
    assert without_instants(shown(edition, "enterprise", "--by", "month", "--over")) == before


def test_what_was_done_by_hand_stays_when_the_import_comes_from_another_machine(
    edition: RunningEdition, register: Path, tmp_path: Path
) -> None:
    edition.steerco("move", "GMPP-3", "--to", "ROADS-ict", "--reason", "Roads pays for it")
    elsewhere = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "STEERCO_URL": edition.run["url"],
        "STEERCO_TOKEN": edition.run["token"],
    }
    done = subprocess.run(
        steerco("import", "projects", str(register), "--map", MAP),
        env=elsewhere,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert f"{ROWS} unchanged, 0 refused; 0 changes made" in done.stdout, done.stderr
    (project,) = asked(edition, "/portfolio/projects", code="GMPP-3").json()
    (unit,) = asked(edition, "/portfolio/units", code="ROADS-ict").json()
    assert project["unit_id"] == unit["unit_id"]
