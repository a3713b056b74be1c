"""Asking one service all that its OpenAPI allows, and what it does not, by schemathesis as a process of its own."""

import asyncio
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.schemas.configuration import configuration
from tests.schemas.exposing import Exposed

PROGRAM = Path(sys.executable).with_name("schemathesis")
LONGEST_LINE = 2000
"""Of what the program told; its file has all."""

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Measure:
    """How much is asked: so many examples of each operation; where seconds are said, again until they are over.

    `without`: a pattern of the paths that are left out. `is_thorough`: each parameter and field at its limits, too.
    """

    seed: int
    examples: int
    seconds: int | None = None
    without: str | None = None
    is_thorough: bool = True

    @property
    def options(self) -> Sequence[str]:
        """As options of the program."""
        phases = ("examples", "coverage", "fuzzing", "stateful")
        asked = [each for each in phases if self.is_thorough or each != "coverage"]
        found = [f"--seed={self.seed}", f"--max-examples={self.examples}", f"--phases={','.join(asked)}"]
        if self.seconds:
            found.append(f"--max-time={self.seconds}")
        if self.without:
            found.append(f"--exclude-path-regex={self.without}")
        return found


@dataclass(slots=True)
class Tally:
    """What came of one operation: how often it was asked and accepted, and the checks that failed."""

    service: str
    operation: str
    calls: int = 0
    accepted: int = 0
    failures: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Answers:
    """What came of one service: whether all that was asked was answered as documented, and what the program told."""

    service: str
    tallies: Sequence[Tally]
    are_documented: bool
    told: str


async def ask(exposed: Exposed, measure: Measure, folder: Path) -> Answers:
    """Ask a service so much; the program's files are left in the folder."""
    settings, document, report, told = (
        folder / f"{exposed.name}.{ending}" for ending in ("toml", "json", "ndjson", "txt")
    )
    settings.write_text(configuration(exposed.known))
    document.write_text(json.dumps(exposed.document))
    command = [
        *(str(PROGRAM), "--config-file", str(settings), "run", str(document), "--url", exposed.url, "--no-color"),
        *("--report-ndjson-path", str(report), "--generation-database", "none", *measure.options),
    ]
    environment = {**os.environ, "STEERCO_TOKEN": exposed.token, "PYTHONPATH": str(ROOT)}
    with told.open("w") as output:
        running = await asyncio.create_subprocess_exec(
            *command, cwd=folder, env=environment, stdout=output, stderr=output
        )
        try:
            code = await running.wait()
        finally:
            if running.returncode is None:
                running.kill()
                await running.wait()
    lines = [line[:LONGEST_LINE] for line in told.read_text().splitlines()]
    return Answers(exposed.name, tallies(exposed.name, report), code == 0, "\n".join(lines))


def tallies(service: str, report: Path) -> Sequence[Tally]:
    """What a report says of each operation, by path."""
    found: dict[str, Tally] = {}
    for recorded in _recorded(report):
        for case, answered in recorded.get("interactions", {}).items():
            asked = recorded["cases"][case]["value"]
            operation = _operation(asked["path"], recorded["label"], asked["method"])
            tally = found.setdefault(operation, Tally(service, operation))
            tally.calls += 1
            tally.accepted += (answered.get("response") or {}).get("status_code", 0) // 100 == 2
            failed = [each["name"] for each in recorded.get("checks", {}).get(case, ()) if each["status"] == "failure"]
            tally.failures += failed
    return [found[name] for name in sorted(found, key=lambda name: name.partition(" ")[::-1])]


def _recorded(report: Path) -> Iterator[Mapping[str, Any]]:
    with report.open() as lines:
        for line in lines:
            scenario = json.loads(line).get("ScenarioFinished")
            if scenario:
                yield scenario["recorder"]


def _operation(path: str, label: str, method: str) -> str:
    """The operation that was asked. One asked by a method that it has not counts as the one it was made of."""
    return label if label.endswith(f" {path}") else f"{method} {path}"
