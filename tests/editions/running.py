"""`steerco up` as a user runs it: a process of its own, in a data directory of its own."""

import asyncio
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from steerco_events.kafka.broker import Broker
from steerco_events.kafka.permissions import user_of
from steerco_servers.kafka import remove_kafka
from steerco_servers.postgres import remove_cluster

START_SECONDS = 180
APART = {"as_of", "sources", "at", "event_id", "since", "watermark", "end"}
"""What two runs can't share."""


@dataclass(frozen=True)
class RunningEdition:
    """A started edition: its process, and how a client finds it."""

    process: subprocess.Popen[bytes]
    data_dir: Path
    log: Path

    @property
    def environment(self) -> Mapping[str, str]:
        """What a client's environment needs."""
        return {"STEERCO_DATA_DIR": str(self.data_dir)}

    @property
    def run(self) -> dict[str, Any]:
        """The address and the token."""
        found: dict[str, Any] = json.loads((self.data_dir / "run.json").read_text())
        return found

    def kafka(self, service: str) -> Broker:
        """Its broker as a service comes to it, in the distributed edition."""
        properties = (self.data_dir / "kafka" / "server.properties").read_text()
        (address,) = re.findall(r"^listeners=CLIENTS://([^,]+)", properties, re.MULTILINE)
        passwords = json.loads((self.data_dir / "kafka-users.json").read_text())
        user = user_of(service)
        return Broker(str(address), "SASL_PLAINTEXT", user=user, password=passwords[user])

    @property
    def said(self) -> str:
        """What it printed so far."""
        return self.log.read_text()

    def steerco(self, *arguments: str, expect: int = 0) -> str:
        """Run the command against this edition; what it printed on stdout."""
        done = subprocess.run(
            steerco(*arguments),
            env={**os.environ, **self.environment, "COLUMNS": "140", "TERM": "dumb"},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == expect, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End it and wait for it."""
        self.process.send_signal(how)
        self.process.wait(60)


def steerco(*arguments: str) -> Sequence[str]:
    """The command line of the `steerco` command."""
    return [sys.executable, "-m", "steerco", *arguments]


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def start(
    data_dir: Path, *arguments: str, command: str = "up", environment: Mapping[str, str] | None = None
) -> RunningEdition:
    """Start an edition, told this beside our own environment, and wait until it is ready."""
    data_dir.mkdir(parents=True, exist_ok=True)
    (data_dir / "run.json").unlink(missing_ok=True)
    log = data_dir.with_suffix(".log")
    with log.open("wb") as sink:
        process = subprocess.Popen(
            steerco(command, *arguments, "--data-dir", str(data_dir), "--port", str(free_port())),
            env={**os.environ, **(environment or {})},
            stdout=sink,
            stderr=subprocess.STDOUT,
        )
    started = RunningEdition(process, data_dir, log)
    deadline = time.monotonic() + START_SECONDS
    while not (data_dir / "run.json").exists():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            process.wait()
            raise AssertionError(f"steerco {command} did not become ready:\n{started.said}")
        time.sleep(0.05)
    return started


@contextmanager
def running_edition(
    *arguments: str, command: str = "up", environment: Mapping[str, str] | None = None
) -> Iterator[RunningEdition]:
    """An edition in a new data directory; stopped and removed at the end."""
    home = Path(tempfile.mkdtemp(prefix="steerco-edition-"))
    try:
        edition = start(home / "data", *arguments, command=command, environment=environment)
        try:
            yield edition
        finally:
            if edition.process.poll() is None:
                edition.stop()
    finally:
        remove(home)


def remove(home: Path) -> None:
    """Remove a data directory with its database, also where the database lives elsewhere."""
    data = home / "data"
    if (data / "postgres").exists():
        asyncio.run(remove_cluster(data / "postgres"))
    if (data / "kafka").exists():
        asyncio.run(remove_kafka(data / "kafka"))
    shutil.rmtree(home, ignore_errors=True)


def wait_until(is_so: Callable[[], bool | str]) -> None:
    """Return when it is so; what it says instead is the failure."""
    deadline = time.monotonic() + 60
    while (found := is_so()) is not True:
        assert time.monotonic() < deadline, found
        time.sleep(0.05)


def without_instants(value: Any) -> Any:
    """An answer without positions and instants, which two runs can't share."""
    match value:
        case dict():
            return {key: without_instants(each) for key, each in value.items() if key not in APART}
        case list():
            return [without_instants(each) for each in value]
        case _:
            return value
