"""A `steerco watch` that runs beside a spec, and units to be seen by it."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import httpx

from tests.editions.running import RunningEdition, steerco

PATIENCE = 60
TOO_LATE = "timeout graceful shutdown exceeded"
"""What the server says of answers that it had to break off."""


class Watch:
    """A running `steerco watch`, with what it printed."""

    def __init__(self, process: subprocess.Popen[bytes], out: Path, err: Path) -> None:
        self.process = process
        self._out, self._err = out, err

    @property
    def lines(self) -> Sequence[str]:
        """What it told of events."""
        return self._out.read_text().splitlines()

    @property
    def complaints(self) -> Sequence[str]:
        """What it told of itself."""
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
    """One with these options, ended with the block if it has not ended by then."""
    out, err = tmp_path / "out", tmp_path / "err"
    with out.open("wb") as stdout, err.open("wb") as stderr:
        process = _start(edition, stdout, stderr, *options)
    try:
        yield Watch(process, out, err)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _start(edition: RunningEdition, stdout: IO[bytes], stderr: IO[bytes], *options: str) -> subprocess.Popen[bytes]:
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
    """All units, as portfolio tells them."""
    found: list[dict[str, Any]] = httpx.get(
        f"{edition.run['url']}/portfolio/units", headers={"Authorization": f"Bearer {edition.run['token']}"}
    ).json()
    return found


def root_of(edition: RunningEdition) -> str:
    """The id of the enterprise."""
    return next(str(unit["unit_id"]) for unit in units_of(edition) if unit["parent_id"] is None)
