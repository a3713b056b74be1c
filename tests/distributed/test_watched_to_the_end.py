"""`steerco watch` where every service is a process: live past a worker's death, until the edition stops."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.distributed.conftest import Distributed
from tests.distributed.processes import processes_of
from tests.editions.registers import asked
from tests.editions.running import RunningEdition
from tests.editions.watching import TOO_LATE, open_unit, root_of, watching

pytestmark = pytest.mark.kafka


@contextmanager
def explained(edition: RunningEdition) -> Iterator[None]:
    """A failure inside says what the processes said, and how far the log had come."""
    try:
        yield
    except AssertionError as error:
        logs = sorted((edition.data_dir / "logs").iterdir())
        said = [f"{log.name}: {log.read_text()[-4000:]}" for log in logs if log.stat().st_size]
        if edition.process.poll() is None:
            said.append(asked(edition, "/portfolio/log").text)
        error.add_note("\n".join([edition.said, *said]))
        raise


def kill_worker(edition: RunningEdition, service: str) -> None:
    (worker,) = [each for each in processes_of(edition) if (each.service, each.role) == (service, "worker")]
    os.kill(worker.pid, signal.SIGKILL)


def test_it_is_live_past_the_death_of_a_worker_until_the_edition_stops(
    distributed: Distributed, tmp_path: Path
) -> None:
    edition = distributed.edition
    following = ("--scope", "enterprise", "--since", "-1h")
    with explained(edition), watching(edition, tmp_path, *following) as watch:
        root = root_of(edition)
        watch.until(1)
        for n in range(5):
            open_unit(edition, f"W-{n}", root)
            assert "unit opened" in watch.until_one_has(f"W-{n}")
        kill_worker(edition, "portfolio")
        open_unit(edition, "W-KILLED", root)
        assert "unit opened" in watch.until_one_has("W-KILLED")
        assert "portfolio worker ended with code -9 and starts again" in edition.said
        edition.stop(signal.SIGTERM)
        watch.interrupt()
    assert edition.process.returncode == 0
    assert edition.said.rstrip().endswith("stopped; the data stays")
    assert not (edition.data_dir / "run.json").exists()
    logs = [edition.said, *(each.read_text() for each in (edition.data_dir / "logs").glob("*-api.log"))]
    assert not any(TOO_LATE in each for each in logs)
