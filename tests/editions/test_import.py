"""A register comes into an edition: whole, once, and in spite of crashes."""

import csv
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.editions.running import RunningEdition, running_edition, start, steerco, without_instants

ROOT = Path(__file__).parents[2]
MAP = str(ROOT / "examples" / "uk-major-projects.toml")
UK = ROOT.parent / "shared" / "data" / "uk-major-projects-2023.csv"
ROWS = 240


@pytest.fixture(scope="module")
def register(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A made-up register with the columns of the map."""
    with (ROOT / "examples" / "register.csv").open() as examples:
        reader = csv.DictReader(examples)
        lines, columns = list(reader), reader.fieldnames or []
    file = tmp_path_factory.mktemp("register") / "made-up.csv"
    with file.open("w") as sink:
        writer = csv.DictWriter(sink, columns)
        writer.writeheader()
        for n in range(ROWS):
            line = lines[n % len(lines)]
            writer.writerow(line | {"project_number": n + 1, "project_name": f"{line['project_name']} {n}"})
    return file


@pytest.fixture(scope="module")
def edition(register: Path) -> Iterator[RunningEdition]:
    """An edition that has the made-up register."""
    with running_edition("--empty") as running:
        assert f"{ROWS} rows: {ROWS} new, 0 refused" in load(running, register)
        yield running


def load(edition: RunningEdition, file: Path, expect: int = 0) -> str:
    return edition.steerco("import", "projects", str(file), "--map", MAP, expect=expect)


def loading(edition: RunningEdition, file: Path) -> subprocess.Popen[str]:
    """An import that runs beside the test."""
    return subprocess.Popen(
        steerco("import", "projects", str(file), "--map", MAP),
        env={**os.environ, **edition.environment, "TERM": "dumb"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def shown(edition: RunningEdition, scope: str = "enterprise", *more: str) -> Any:
    return json.loads(edition.steerco("show", "portfolio", "--scope", scope, "--format", "json", *more))


def asked(edition: RunningEdition, path: str, **params: str) -> httpx.Response:
    headers = {"Authorization": f"Bearer {edition.run['token']}"}
    return httpx.get(edition.run["url"] + path, params=params, headers=headers, timeout=30)


def wait_for_some(edition: RunningEdition) -> None:
    """Return when some rows of a running import are there, and not all."""
    deadline = time.monotonic() + 60
    while len(asked(edition, "/portfolio/projects", limit="500").json()) < 20:
        assert time.monotonic() < deadline, "the import did not get on"
        time.sleep(0.02)


def amounts(answer: Mapping[str, Any]) -> dict[tuple[str, ...], tuple[Decimal, int]]:
    """Sums and how many projects disclose them, by measure, kind, period and currency."""
    return {
        (figure["measure"], figure["kind"], figure["period"], each["currency"]): (
            Decimal(each["amount"]),
            each["disclosed"],
        )
        for figure in answer["figures"]
        for each in figure["amounts"]
    }


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
    refused = ["241,,WATER,ICT,,,,,,,,,", "242,Negative,WATER,ICT,,,,,,,,-1,", "243,Good,WATER,ICT,,,,,,,,1,"]
    changed.write_text("\n".join([*lines, *refused]))
    said = load(edition, changed, expect=1)
    assert "1 new, 240 unchanged, 2 refused" in said
    assert "refused: row 241, project_name: is blank" in said
    assert "refused: row 242, whole_life_cost_baseline_gbp_m: a cost is not negative, -1000000.00 is" in said
    answer = asked(edition, "/portfolio/projects", code="GMPP-243").json()
    assert [project["title"] for project in answer] == ["Good"]


def test_a_project_that_moved_counts_where_it_is_and_before_where_it_was(edition: RunningEdition) -> None:
    (before,) = [shown(edition, "WATER-ict")]
    at = before["as_of"]
    assert "WATER-ict → ROADS-ict" in edition.steerco("move", "GMPP-2", "--to", "ROADS-ict")
    after = shown(edition, "WATER-ict")
    assert after["totals"]["projects"] == before["totals"]["projects"] - 1
    name = ("cost", "budget", "whole_life", "GBP")
    assert amounts(before["totals"])[name][0] - amounts(after["totals"])[name][0] == Decimal("64000000.00")
    past = shown(edition, "WATER-ict", "--as-of", at)
    assert without_instants(past["totals"]) == without_instants(before["totals"])
    assert "GMPP-2 Meters" in edition.steerco("move", "GMPP-2", "--to", "WATER-ict")


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


def figures_of(edition: RunningEdition) -> Any:
    return without_instants([shown(edition, scope) for scope in ("enterprise", "WATER", "ROADS-infrastructure")])


@pytest.fixture(scope="module")
def whole(register: Path) -> Any:
    """What an edition shows into which the register came without any trouble."""
    with running_edition("--empty") as running:
        load(running, register)
        return figures_of(running)


def test_an_import_that_was_killed_is_completed_by_the_next(register: Path, whole: Any) -> None:
    with running_edition("--empty") as running:
        killed = loading(running, register)
        wait_for_some(running)
        killed.kill()
        killed.communicate()
        assert "0 refused" in load(running, register)
        assert figures_of(running) == whole
        assert "0 changes made" in load(running, register)


def test_an_edition_that_was_killed_goes_on_and_the_import_is_completed(register: Path, whole: Any) -> None:
    with running_edition("--empty") as running:
        cut_off = loading(running, register)
        wait_for_some(running)
        running.stop(signal.SIGKILL)
        said = cut_off.communicate(timeout=120)[0]
        assert cut_off.returncode == 1, said
        assert "unfinished: rows" in said
        assert "run the same import again to finish it" in said
        again = start(running.data_dir, "--empty")
        try:
            assert "0 refused" in load(again, register)
            assert figures_of(again) == whole
        finally:
            again.stop()


@pytest.mark.skipif(not UK.exists(), reason="the published register is not beside the checkout")
def test_the_published_register_has_its_known_figures() -> None:
    with running_edition("--empty") as running:
        said = load(running, UK)
        assert "244 rows: 244 new, 0 refused" in said
        assert "ends before it starts, kept as said and not planned on: row 177" in said
        enterprise, transport = (shown(running, scope)["totals"] for scope in ("enterprise", "dft"))
        assert known(enterprise) == {
            "cost budget whole_life": ("471818000000.00", 193, 49, 2),
            "benefit budget whole_life": ("729446310000.00", 110, 12, 122),
            "cost budget fiscal_year 2022-23": ("47507370000.00", 207, 27, 10),
            "cost forecast fiscal_year 2022-23": ("41507930000.00", 207, 27, 10),
        }
        assert known(transport) == {
            "cost budget whole_life": ("93021000000.00", 16, 7, 0),
            "benefit budget whole_life": ("143101000000.00", 18, 3, 2),
            "cost budget fiscal_year 2022-23": ("2537180000.00", 19, 0, 4),
            "cost forecast fiscal_year 2022-23": ("2432440000.00", 19, 0, 4),
        }
        assert rated(enterprise) == {
            "IPA": {"red": 18, "amber": 88, "green": 5},
            "SRO": {"red": 5, "amber": 95, "green": 21},
        }
        assert rated(transport) == {"IPA": {"red": 2, "amber": 11}, "SRO": {"amber": 6, "green": 4}}
        assert "0 changes made" in load(running, UK)


def known(totals: Mapping[str, Any]) -> dict[str, tuple[str, int, int, int]]:
    return {
        f"{each['measure']} {each['kind']} {each['period']}": (
            each["amounts"][0]["amount"],
            each["disclosed"],
            each["undisclosed"],
            each["not_stated"],
        )
        for each in totals["figures"]
    }


def rated(totals: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    return {
        assessor: {rating: count for rating, count in counts.items() if count and rating != "not_rated"}
        for assessor, counts in totals["assessments"].items()
    }
