"""The same register in both editions: services as processes over Kafka answer as one process does."""

import asyncio
import json
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from steerco.edition.directory import Content, DataDirectory
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
        assert distributed.steerco("verify").count("✓") == 5
        assert distributed.steerco("log", "republish", "portfolio").startswith("portfolio: published again")
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
