"""Registers that come into editions: made up, and what an edition shows of them."""

import csv
import json
import os
import subprocess
import time
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx

from tests.editions.running import RunningEdition, steerco, without_instants

ROOT = Path(__file__).parents[2]
MAP = str(ROOT / "examples" / "uk-major-projects.toml")
EXAMPLE = ROOT / "examples" / "register.csv"
ROWS = 120


def made_up(file: Path) -> Path:
    """A made-up register with the columns of the map."""
    with EXAMPLE.open() as examples:
        reader = csv.DictReader(examples)
        lines, columns = list(reader), reader.fieldnames or []
    with file.open("w") as sink:
        writer = csv.DictWriter(sink, columns)
        writer.writeheader()
        for n in range(ROWS):
            line = lines[n % len(lines)]
            writer.writerow(line | {"project_number": n + 1, "project_name": f"{line['project_name']} {n}"})
    return file


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


def figures_of(edition: RunningEdition) -> Any:
    return without_instants([shown(edition, scope) for scope in ("enterprise", "WATER", "ROADS-infrastructure")])
