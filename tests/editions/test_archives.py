"""The logs of an edition are verified, exported, shown to be altered, and another edition goes on from them."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.editions.running import RunningEdition, remove, running_edition, start, without_instants

LOGS = ("intake", "portfolio", "finance", "risk", "training")


@pytest.fixture(scope="module")
def example() -> Iterator[RunningEdition]:
    with running_edition("--example") as edition:
        yield edition


@pytest.fixture(scope="module")
def exported(example: RunningEdition, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("archives") / "new" / "export"
    printed = example.steerco("log", "export", str(folder))
    assert [line.partition(":")[0] for line in printed.splitlines()] == list(LOGS)
    return folder


def copy_of(exported: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(exported, tmp_path / "copy"))


def test_the_logs_of_an_edition_that_nobody_touched_are_what_was_sealed(example: RunningEdition) -> None:
    printed = example.steerco("verify")
    assert [line[:2] for line in printed.splitlines()] == ["✓ "] * 5
    assert all("signed up to" in line for line in printed.splitlines())


def test_an_export_is_verified_offline(exported: Path, example: RunningEdition, tmp_path: Path) -> None:
    nowhere = RunningEdition(example.process, tmp_path, example.log)
    assert nowhere.steerco("verify", str(exported)).count("✓") == 5
    assert nowhere.steerco("verify", str(exported / "risk.log.jsonl")).count("✓") == 1


def test_the_heads_that_were_kept_outside_show_that_an_end_was_cut_off(
    exported: Path, example: RunningEdition, tmp_path: Path
) -> None:
    heads = example.data_dir / "heads"
    assert example.steerco("verify", str(exported), "--heads", str(heads)).count("✓") == 5
    later = tmp_path / "heads"
    shutil.copytree(heads, later)
    file = later / "risk.jsonl"
    last = json.loads(file.read_text().splitlines()[-1])
    with file.open("a") as append:
        append.write(json.dumps(last | {"position": last["position"] + 1}) + "\n")
    printed = example.steerco("verify", str(exported), "--heads", str(later), expect=1)
    assert "✗ risk" in printed
    assert "its end was cut off" in printed


def test_an_altered_event_is_named_and_the_exit_status_says_so(
    exported: Path, example: RunningEdition, tmp_path: Path
) -> None:
    copy = copy_of(exported, tmp_path)
    file = copy / "portfolio.log.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    at = next(n for n, line in enumerate(lines) if b"steerco.portfolio.project-manager-appointed" in line)
    event = json.loads(lines[at])
    lines[at] = lines[at].replace(event["data"]["person_id"].encode(), b"0" * 8 + b"-0000-5000-8000-" + b"0" * 12)
    file.write_bytes(b"".join(lines))
    printed = example.steerco("verify", str(copy), expect=1)
    assert f"✗ portfolio: the event at position {int(event['sequence'])} " in printed
    assert event["id"] in printed
    assert printed.count("✓") == 4


def test_the_demonstration_shows_an_altered_byte(example: RunningEdition) -> None:
    printed = example.steerco("demo", "tamper", "--service", "finance")
    assert printed.count("✓ finance") == 1
    assert printed.count("✗ finance: the event at position") == 1


def test_a_slice_is_exported_and_verified(example: RunningEdition, exported: Path, tmp_path: Path) -> None:
    event = json.loads((exported / "risk.log.jsonl").read_text().splitlines()[2])
    slice_of = ("--service", "risk", "--subject", event["subject"])
    assert example.steerco("log", "export", str(tmp_path), *slice_of).startswith("risk:")
    assert example.steerco("verify", str(tmp_path)).startswith("✓ risk")


def test_another_edition_goes_on_from_an_export_with_the_same_answers(
    example: RunningEdition, exported: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = tmp_path_factory.mktemp("home")
    try:
        printed = example.steerco("log", "import", str(exported), "--data-dir", str(home / "data"))
        assert printed.count("events, verified") == 5
        other = start(home / "data")
        try:
            for question in (
                ("show", "portfolio", "--scope", "enterprise", "--by", "month", "--over", "--format", "json"),
                ("story", "SUP-01", "--json"),
            ):
                answers = [json.loads(each.steerco(*question)) for each in (example, other)]
                assert without_instants(answers[0]) == without_instants(answers[1])
            status = json.loads(other.steerco("log", "status", "--format", "json"))
            assert {len(state["generations"]) for state in status} == {2}
            assert [state["position"] for state in status] == [
                state["position"] for state in json.loads(example.steerco("log", "status", "--format", "json"))
            ]
            assert other.steerco("verify").count("✓") == 5
            other.steerco("log", "export", str(home / "again"))
            assert example.steerco("verify", str(home / "again")).count("✓") == 5
        finally:
            other.stop()
    finally:
        remove(home)


def test_what_can_not_be_taken_over_is_said_and_nothing_is_left(
    example: RunningEdition, exported: Path, tmp_path: Path
) -> None:
    copy = copy_of(exported, tmp_path)
    (copy / "intake.log.jsonl").unlink()
    example.steerco("log", "import", str(copy), "--data-dir", str(tmp_path / "new"), expect=1)
    shutil.copy(exported / "risk.log.jsonl", copy / "intake.log.jsonl")
    example.steerco("log", "import", str(copy), "--data-dir", str(tmp_path / "new"), expect=1)
    assert not (tmp_path / "new" / "postgres").exists()
    example.steerco("log", "import", str(exported), "--data-dir", str(example.data_dir), expect=1)
