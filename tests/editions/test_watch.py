"""`steerco watch` as its user meets it, in both editions: live, ended by Ctrl-C, and in nobody's way."""

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import httpx
import pytest

from steerco_events.contracts.catalog import LOGS
from tests.editions.running import RunningEdition, running_edition, steerco

ROOT = Path(__file__).parents[2]
REGISTER = (
    "import",
    "projects",
    str(ROOT / "examples" / "register.csv"),
    "--map",
    str(ROOT / "examples" / "uk-major-projects.toml"),
)
PATIENCE = 60
TOO_LATE = "timeout graceful shutdown exceeded"
"""What the server says of answers that it had to break off."""


@pytest.fixture(scope="module")
def imported() -> Iterator[RunningEdition]:
    """An edition with the register of the examples."""
    with running_edition("--empty") as edition:
        edition.steerco(*REGISTER)
        yield edition


class Watch:
    """A running `steerco watch`, with what it printed."""

    def __init__(self, process: subprocess.Popen[bytes], out: Path, err: Path) -> None:
        self.process = process
        self._out, self._err = out, err

    @property
    def lines(self) -> Sequence[str]:
        return self._out.read_text().splitlines()

    @property
    def complaints(self) -> Sequence[str]:
        return self._err.read_text().splitlines()

    def until(self, count: int) -> Sequence[str]:
        """Its lines, once there are so many."""
        deadline = time.monotonic() + PATIENCE
        while len(self.lines) < count:
            assert time.monotonic() < deadline, f"only {self.lines}, {self.complaints}"
            assert self.process.poll() is None, self.complaints
            time.sleep(0.02)
        return self.lines

    def until_one_has(self, text: str) -> str:
        """The line that has this in it, once there is one."""
        lines = self.until(1)
        while not (found := [line for line in lines if text in line]):
            lines = self.until(len(lines) + 1)
        return found[0]

    def interrupt(self) -> None:
        """Ctrl-C."""
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(PATIENCE) == 0, self.complaints


@contextmanager
def watching(edition: RunningEdition, tmp_path: Path, *options: str) -> Iterator[Watch]:
    out, err = tmp_path / "out", tmp_path / "err"
    with out.open("wb") as stdout, err.open("wb") as stderr:
        process = start(edition, stdout, stderr, *options)
    try:
        yield Watch(process, out, err)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def start(edition: RunningEdition, stdout: IO[bytes], stderr: IO[bytes], *options: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        steerco("watch", *options), env={**os.environ, **edition.environment}, stdout=stdout, stderr=stderr
    )


def open_unit(edition: RunningEdition, code: str, parent: str | None = None) -> str:
    """Open a unit; its id."""
    kind = "business_unit" if parent else "enterprise"
    body = {"code": code, "name": f"Unit {code}", "kind": kind, "parent_id": parent}
    headers = {"Authorization": f"Bearer {edition.run['token']}", "Reason": "Reorganization"}
    answer = httpx.post(f"{edition.run['url']}/portfolio/units", json=body, headers=headers)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def units_of(edition: RunningEdition) -> Sequence[dict[str, Any]]:
    found: list[dict[str, Any]] = httpx.get(
        f"{edition.run['url']}/portfolio/units", headers={"Authorization": f"Bearer {edition.run['token']}"}
    ).json()
    return found


def root_of(edition: RunningEdition) -> str:
    return next(str(unit["unit_id"]) for unit in units_of(edition) if unit["parent_id"] is None)


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


def test_an_edition_that_stops_does_not_wait_for_its_open_streams(tmp_path: Path) -> None:
    with running_edition("--empty") as edition:
        open_unit(edition, "COM")
        with (
            watching(edition, tmp_path, "--scope", "enterprise", "--since", "-1h") as watch,
            a_stream(edition, "risk") as lines,
        ):
            watch.until(1)
            edition.stop()
            assert list(lines)[-1:] == [""], "the stream ended cleanly"
            deadline = time.monotonic() + PATIENCE
            while not watch.complaints:
                assert time.monotonic() < deadline
                time.sleep(0.02)
            watch.interrupt()
        assert len(watch.complaints) == 1
        assert "broke; connecting again" in watch.complaints[0]
        assert TOO_LATE not in edition.said
        assert edition.said.rstrip().endswith("stopped; the data stays")


@contextmanager
def explained(edition: RunningEdition) -> Iterator[None]:
    """A failure inside says what the processes said, and how far the log had come."""
    try:
        yield
    except AssertionError as error:
        logs = sorted((edition.data_dir / "logs").iterdir())
        said = [f"{log.name}: {log.read_text()[-4000:]}" for log in logs if log.stat().st_size]
        headers = {"Authorization": f"Bearer {edition.run['token']}"}
        state = httpx.get(f"{edition.run['url']}/portfolio/log", headers=headers).text
        error.add_note("\n".join([edition.said, *said, state]))
        raise


def worker_of(edition: RunningEdition, service: str) -> int:
    """The one of its processes that is this service's worker."""
    own = edition.process.pid
    children = Path(f"/proc/{own}/task/{own}/children").read_text().split()
    told = [f"steerco_{service}", "worker"]
    (found,) = (pid for pid in children if Path(f"/proc/{pid}/cmdline").read_text().split("\0")[-3:-1] == told)
    return int(found)


@pytest.mark.kafka
def test_it_is_live_where_every_service_is_a_process_of_its_own(tmp_path: Path) -> None:
    with running_edition(command="run-distributed") as edition, explained(edition):
        root = open_unit(edition, "COM")
        with watching(edition, tmp_path, "--scope", "enterprise", "--since", "-1h") as watch:
            watch.until(1)
            for n in range(5):
                open_unit(edition, f"BU-{n}", root)
                assert "unit opened" in watch.until_one_has(f"BU-{n}")
            os.kill(worker_of(edition, "portfolio"), signal.SIGKILL)
            open_unit(edition, "BU-KILLED", root)
            assert "unit opened" in watch.until_one_has("BU-KILLED")
            assert "portfolio worker ended with code -9 and starts again" in edition.said
            edition.stop()
            watch.interrupt()
        assert edition.process.returncode == 0
        logs = [edition.said, *(each.read_text() for each in (edition.data_dir / "logs").glob("*-api.log"))]
        assert not any(TOO_LATE in each for each in logs)
