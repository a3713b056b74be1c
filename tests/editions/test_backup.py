"""The drill: an edition is backed up under load, restored elsewhere, goes on; then one of its databases goes back."""

import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from itertools import count
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from steerco.cli import app
from steerco.commands.said import PIPE_WIDTH, console
from steerco_events.contracts.catalog import LOGS
from steerco_events.ids import new_id
from steerco_servers.attaching import home_of
from tests.editions.registers import asked
from tests.editions.running import RunningEdition, remove, running_edition, start, wait_until, without_instants

REACTION = "charter_project_on_pitch_approved"


def steerco(edition: RunningEdition, *arguments: str, expect: int = 0) -> str:
    """Run the command against this edition in this process; what it printed on stdout, or on stderr where it fails."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(console, "width", PIPE_WIDTH)
        done = CliRunner().invoke(app, arguments, env=edition.environment)
    assert done.exit_code == expect, done.output
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.stdout + done.stderr


def send(edition: RunningEdition, path: str, body: dict[str, Any]) -> None:
    headers = {"Authorization": f"Bearer {edition.run['token']}"}
    answer = httpx.post(f"{edition.run['url']}{path}", json=body, headers=headers, timeout=60)
    answer.raise_for_status()


def charter(edition: RunningEdition, code: str) -> None:
    """Pitch a project and approve it; portfolio charters it by itself, and reporting reads of both."""
    pitch_id, (unit,) = new_id(), asked(edition, "/portfolio/units", code="COM").json()
    pitch = {
        "pitch_id": str(pitch_id),
        "title": "Reports that are read by machines",
        "unit_id": unit["unit_id"],
        "project_code": code,
        "currency": "EUR",
        "fields": {"problem": "They come on paper", "outcome": "They come as data", "sponsor": "Head of data"},
    }
    decision = {"outcome": "approved", "reason": "It pays"}
    for path, body in (("", pitch), (f"/{pitch_id}/screening", {}), (f"/{pitch_id}/decision", decision)):
        send(edition, f"/intake/pitches{path}", body)


def projects(edition: RunningEdition) -> int:
    return len(asked(edition, "/portfolio/projects", limit="500").json())


def logs(edition: RunningEdition) -> dict[str, Any]:
    return {service: asked(edition, f"/{service}/log").json() for service in LOGS}


def degraded(edition: RunningEdition) -> dict[str, str]:
    return {
        name: error
        for service in (*LOGS, "reporting")
        for name, error in asked(edition, f"/{service}/readyz").json()["degraded"].items()
    }


def reported(edition: RunningEdition) -> int:
    answer = asked(edition, "/reporting/portfolio", scope="enterprise").json()
    return int(answer["totals"]["projects"])


def shown(edition: RunningEdition, **params: str) -> Any:
    answer = asked(edition, "/reporting/portfolio", scope="enterprise", **params)
    answer.raise_for_status()
    return without_instants(answer.json())


def watermarks(edition: RunningEdition) -> Sequence[datetime]:
    """Up to when each log is complete."""
    return [datetime.fromisoformat(state["watermark"]) for state in logs(edition).values()]


@contextmanager
def loaded(edition: RunningEdition) -> Iterator[None]:
    """Meanwhile one project after the other is pitched, approved and chartered."""
    ended, numbers = Event(), count(1)

    def work() -> None:
        while not ended.is_set():
            charter(edition, f"LOAD-{next(numbers)}")

    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(work)
        try:
            wait_until(lambda: projects(edition) >= 3)
            yield
        finally:
            ended.set()
            working.result()


@pytest.fixture(scope="module")
def edition() -> Iterator[RunningEdition]:
    with running_edition("--empty") as started:
        send(started, "/portfolio/units", {"code": "COM", "name": "Commission", "kind": "enterprise"})
        wait_until(lambda: bool(asked(started, "/portfolio/units", code="COM").json()))
        yield started


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """Where the backup is, and the data directory that it is restored into."""
    folder = Path(tempfile.mkdtemp(prefix="steerco-backup-"))
    yield folder
    remove(folder)


@pytest.fixture(scope="module")
def manifest(edition: RunningEdition, home: Path) -> dict[str, Any]:
    """A backup that was taken under load; there are more events since."""
    with loaded(edition):
        there = max(watermarks(edition))
        wait_until(lambda: min(watermarks(edition)) > there)  # of quiet logs too: they are known as far as the others
        before = projects(edition)
        steerco(edition, "backup", str(home / "backup"))
        wait_until(lambda: projects(edition) > before + 1)
    found: dict[str, Any] = json.loads((home / "backup" / "backup.json").read_text())
    return found


@pytest.fixture(scope="module")
def restored(edition: RunningEdition, home: Path, manifest: dict[str, Any]) -> RunningEdition:
    """The edition that was restored into a new data directory; it does not run."""
    steerco(edition, "restore", str(home / "backup"), "--data-dir", str(home / "data"))
    return RunningEdition(edition.process, home / "data", home / "data.log")


@contextmanager
def running(restored: RunningEdition) -> Iterator[RunningEdition]:
    started = start(restored.data_dir)
    try:
        yield started
    finally:
        started.stop()


def test_a_backup_that_was_taken_under_load_is_whole_and_of_before_what_came_since(
    edition: RunningEdition, manifest: dict[str, Any], home: Path
) -> None:
    assert steerco(edition, "backup", "verify", str(home / "backup")).count("✓") == 7
    now = logs(edition)
    assert all(log["position"] <= now[service]["position"] for service, log in manifest["logs"].items())
    assert manifest["logs"]["intake"]["position"] < now["intake"]["position"]


def test_what_was_taken_under_load_goes_on_elsewhere_and_again_when_one_database_of_it_goes_back(
    edition: RunningEdition, restored: RunningEdition, manifest: dict[str, Any], home: Path
) -> None:
    goes_on_and_nobody_stands_beyond_a_log(edition, restored, manifest)
    who_read_more_than_a_log_has_stops_and_says_so_until_it_is_put_right(edition, restored, home / "backup")


def goes_on_and_nobody_stands_beyond_a_log(
    edition: RunningEdition, restored: RunningEdition, manifest: dict[str, Any]
) -> None:
    everywhere_known = min(log["watermark"] for log in manifest["logs"].values())
    with running(restored) as other:
        for service, state in logs(other).items():
            kept = manifest["logs"][service]["position"]
            assert [each["from_position"] for each in state["generations"]] == [0, kept], service
        assert shown(other, as_of=everywhere_known) == shown(edition, as_of=everywhere_known)
        wait_until(lambda: degraded(other) == {} or str(degraded(other)))
        before = projects(other)
        assert 3 <= before < projects(edition)
        charter(other, "AFTER-1")
        wait_until(lambda: projects(other) == reported(other) == before + 1)
        assert steerco(other, "verify").count("✓") == 5
        found = steerco(other, "doctor")
        assert "0 failing" in found
        assert f"are free for {cluster_of(other)}" in found


def cluster_of(edition: RunningEdition) -> Path:
    """Where its databases lie: in the data directory, but for root's."""
    home = home_of(edition.data_dir / "postgres")
    assert home
    return edition.data_dir if home.is_relative_to(edition.data_dir.resolve()) else home


def who_read_more_than_a_log_has_stops_and_says_so_until_it_is_put_right(
    edition: RunningEdition, restored: RunningEdition, backup: Path
) -> None:
    of_intake = ("--data-dir", str(restored.data_dir), "--only", "intake", "--replace")
    printed = steerco(edition, "restore", str(backup), *of_intake)
    assert "steerco rebuild portfolio_register" in printed
    assert f"steerco log accept-loss portfolio {REACTION} --reason" in printed
    with running(restored) as other:
        assert "portfolio_register_v" in other.said
        found = steerco(other, "doctor", expect=1)
        told = [line for line in found.splitlines() if line.startswith("✗")]
        assert {line.rpartition("→ ")[2] for line in told} == {
            "steerco rebuild portfolio_register",
            f"steerco log accept-loss portfolio {REACTION} --reason WHY",
        }
        before, without_what_is_lost = reported(other), shown(other)
        without_what_is_lost["totals"]["pitches"]["approved"] -= 1
        steerco(other, "rebuild", "portfolio_register")
        steerco(other, "log", "accept-loss", "portfolio", REACTION, "--reason", "The disk was lost")
        assert len(logs(other)["intake"]["generations"]) == 3
        assert shown(other) == without_what_is_lost
        charter(other, "LATER-1")
        wait_until(lambda: projects(other) == reported(other) == before + 1)
        assert steerco(other, "verify").count("✓") == 5


def test_an_edition_that_is_there_is_not_written_over_and_one_that_runs_is_not_touched(
    edition: RunningEdition, manifest: dict[str, Any], home: Path
) -> None:
    before = projects(edition)
    into = ("restore", str(home / "backup"), "--data-dir", str(edition.data_dir))
    assert "holds an edition already" in steerco(edition, *into, expect=1)
    assert "in use" in steerco(edition, *into, "--replace", expect=1)
    assert projects(edition) == before


def test_a_damaged_backup_makes_no_edition(
    edition: RunningEdition, manifest: dict[str, Any], home: Path, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(home / "backup", tmp_path / "copy"))
    (copy / "risk.dump").unlink()
    into = ("--data-dir", str(tmp_path / "data"))
    assert "risk.dump is missing" in steerco(edition, "restore", str(copy), *into, expect=1)
    assert not (tmp_path / "data").exists()
