"""`steerco watch` as its user meets it: live, ended by Ctrl-C, and in nobody's way."""

import json
import os
import re
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from steerco_events.contracts.catalog import LOGS
from tests.editions.registers import EXAMPLE, load
from tests.editions.running import RunningEdition, running_edition, steerco
from tests.editions.watching import PATIENCE, TOO_LATE, Watch, open_unit, root_of, units_of, watching


@pytest.fixture(scope="module")
def imported() -> Iterator[RunningEdition]:
    """An edition with the register of the examples."""
    with running_edition("--empty") as edition:
        load(edition, EXAMPLE)
        yield edition


def until_it_watches(edition: RunningEdition, watch: Watch) -> None:
    """Open units until the watch tells of one."""
    root, deadline = root_of(edition), time.monotonic() + PATIENCE
    for n in range(1000):
        open_unit(edition, f"W-{n}", root)
        if watch.lines:
            return
        assert time.monotonic() < deadline, watch.complaints
        time.sleep(0.1)


def test_what_happens_is_told_in_a_line_as_it_happens_and_ctrl_c_ends_it_quietly(
    imported: RunningEdition, tmp_path: Path
) -> None:
    with watching(imported, tmp_path, "--scope", "enterprise", "--service", "portfolio") as watch:
        until_it_watches(imported, watch)
        began = time.monotonic()
        open_unit(imported, "WATCHED", root_of(imported))
        line = watch.until_one_has("WATCHED")
        assert time.monotonic() - began < 5
        watch.interrupt()
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ  portfolio  unit opened +WATCHED  Local operator  \(Reorganization\)", line
    )
    assert watch.complaints == []


def told(edition: RunningEdition, *options: str) -> Sequence[dict[str, Any]]:
    """The events that a watch without following prints."""
    said = edition.steerco("watch", *options, "--no-follow", "--format", "json", "--since", "2000-01-01T00:00:00Z")
    return [json.loads(line) for line in said.splitlines()]


def test_what_there_was_is_told_across_the_services_in_the_order_in_which_it_was_sealed(
    imported: RunningEdition,
) -> None:
    headers = {"Authorization": f"Bearer {imported.run['token']}"}
    logs: list[dict[str, Any]] = []
    for service in LOGS:
        logs += httpx.get(f"{imported.run['url']}/{service}/events?limit=1000", headers=headers).json()
    events = told(imported, "--scope", "enterprise")
    assert [event["sealedat"] for event in events] == sorted(event["sealedat"] for event in logs)
    assert sorted(event["id"] for event in events) == sorted(event["id"] for event in logs)


def test_a_scope_is_told_what_was_stamped_with_its_units(imported: RunningEdition) -> None:
    units = units_of(imported)
    scope = next(unit for unit in units if unit["kind"] == "business_unit")
    below = {unit["unit_id"] for unit in units if scope["unit_id"] in (unit["unit_id"], unit["parent_id"])}
    whole = told(imported, "--scope", "enterprise")
    wanted = [each["id"] for each in whole if below & set(each.get("orgunits", "").split(","))]
    assert 0 < len(wanted) < len(whole)
    code = scope["code"]
    assert [each["id"] for each in told(imported, "--scope", code.lower())] == wanted
    registered = told(imported, "--scope", code, "--type", "steerco.portfolio.project-registered")
    assert [each["id"] for each in registered] == [
        each["id"] for each in whole if each["id"] in wanted and each["type"].endswith("project-registered")
    ]


def test_a_unit_that_does_not_exist_is_refused_as_by_show_portfolio(imported: RunningEdition) -> None:
    said = [
        subprocess.run(
            steerco(*command, "--scope", "nope"),
            env={**os.environ, **imported.environment},
            capture_output=True,
            text=True,
        )
        for command in (["watch"], ["show", "portfolio"])
    ]
    assert [each.returncode for each in said] == [1, 1]
    watched, shown = (each.stderr.rstrip() for each in said)
    assert shown.startswith(f"{watched} (trace "), "what the command sees by itself has no trace"
    assert "no unit has the code 'nope'" in said[0].stderr


@contextmanager
def a_stream(edition: RunningEdition, service: str) -> Iterator[Iterator[str]]:
    headers = {"Authorization": f"Bearer {edition.run['token']}", "Accept": "text/event-stream"}
    url = f"{edition.run['url']}/{service}/events?after=end"
    with httpx.stream("GET", url, headers=headers, timeout=PATIENCE) as answer:
        lines = answer.iter_lines()
        assert next(lines) == "retry: 1000"
        yield lines


def test_an_edition_that_stops_does_not_wait_for_its_open_streams(imported: RunningEdition, tmp_path: Path) -> None:
    """The last of these specs: it stops what they share."""
    following = ("--scope", "enterprise", "--since", "-1h")
    with watching(imported, tmp_path, *following) as watch, a_stream(imported, "risk") as lines:
        watch.until(1)
        imported.stop()
        assert list(lines)[-1:] == [""], "the stream ended cleanly"
        deadline = time.monotonic() + PATIENCE
        while not watch.complaints:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        watch.interrupt()
    assert len(watch.complaints) == 1
    assert "broke; connecting again" in watch.complaints[0]
    assert TOO_LATE not in imported.said
    assert imported.said.rstrip().endswith("stopped; the data stays")
