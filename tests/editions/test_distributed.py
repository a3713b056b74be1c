"""The same register in both editions: services as processes over Kafka answer as one process does."""

import asyncio
import json
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from steerco.edition.directory import Content, DataDirectory
from steerco.edition.services import SERVICES
from steerco_events.ids import new_id
from tests.editions.running import RunningEdition, free_port, remove, running_edition, start, steerco, without_instants
from tests.editions.separation import check_apart

ROOT = Path(__file__).parents[2]
REGISTER = [
    "import",
    "projects",
    str(ROOT / "examples" / "register.csv"),
    "--map",
    str(ROOT / "examples" / "uk-major-projects.toml"),
]


def shown(edition: RunningEdition, scope: str) -> Any:
    answer = json.loads(edition.steerco("show", "portfolio", "--scope", scope, "--over", "--format", "json"))
    return without_instants(answer)


def published(edition: RunningEdition) -> set[str]:
    """The services whose workers say that they publish a log; every process is asked whether it is well."""
    told = json.loads((edition.data_dir / "run.json").read_text())["operations"]
    assert set(told) == {f"{service.name} {role}" for service in SERVICES for role in ("api", "worker")}
    assert {httpx.get(f"{address}/readyz").status_code for address in told.values()} == {200}
    metrics = "".join(httpx.get(f"{address}/metrics").text for address in told.values())
    return set(re.findall(r'^steerco_relay_leader\{service="(\w+)"\} 1', metrics, re.MULTILINE))


def assert_drawn(edition: RunningEdition, *names: str) -> None:
    """Spans of these names are in the drawing of the last command's trace, once the processes have sent them."""
    missing, deadline = names, time.monotonic() + 60
    while missing:
        drawn = edition.steerco("trace", "last")
        missing = tuple(name for name in names if name not in drawn)
        assert not missing or time.monotonic() < deadline, f"{missing} not in\n{drawn}"


@contextmanager
def moved(edition: RunningEdition) -> Iterator[RunningEdition]:
    """An edition of one process that goes on from the logs of another."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        edition.steerco("log", "export", str(home / "export"))
        edition.steerco("log", "import", str(home / "export"), "--data-dir", str(home / "data"))
        try:
            started = start(home / "data")
            yield started
            started.stop()
        finally:
            remove(home)


@pytest.mark.kafka
def test_the_same_import_gives_the_same_answers_in_both_editions() -> None:
    with (
        running_edition("--empty") as embedded,
        running_edition(command="run-distributed") as distributed,
    ):
        imported = [edition.steerco(*REGISTER) for edition in (embedded, distributed)]
        assert imported[0] == imported[1]
        units = shown(embedded, "enterprise")["units"]
        assert units
        for scope in ("enterprise", *(unit["unit"]["code"] for unit in units)):
            assert shown(distributed, scope) == shown(embedded, scope)
        again = distributed.steerco(*REGISTER)
        assert "0 changes" in again
        distributed.steerco("appoint", str(new_id()), "viewer", "--at", units[0]["unit"]["code"])
        assert_drawn(distributed, "handle MakeAppointment", "send steerco.portfolio.events.v1", "process steerco.portf")
        assert distributed.steerco("verify").count("✓") == 5
        assert distributed.steerco("log", "republish", "portfolio").startswith("portfolio: published again")
        assert published(distributed) == {"intake", "portfolio", "finance", "risk", "training"}
        asyncio.run(check_apart(distributed))
        with moved(distributed) as one_process:
            assert shown(one_process, "enterprise") == shown(distributed, "enterprise")
        distributed.stop(signal.SIGTERM)
        assert distributed.process.returncode == 0
        assert distributed.said.rstrip().endswith("stopped; the data stays")
        assert not (distributed.data_dir / "run.json").exists()


@pytest.mark.parametrize("content", ["example", "seeding"])
def test_an_example_is_not_served_by_processes(content: Content, tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path)
    directory.mark(content)
    done = subprocess.run(
        steerco("run-distributed", "--data-dir", str(tmp_path), "--port", str(free_port())),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "holds the example" in done.stderr
    assert directory.content() == content
