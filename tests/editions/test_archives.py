"""The logs of an edition are verified, exported, shown to be altered, and another edition goes on from them."""

import asyncio
import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from steerco_events.ids import derived_id
from tests.editions.registers import asked
from tests.editions.running import RunningEdition, remove, start, wait_until, without_instants
from tests.faults.topic import Topic

LOGS = ("intake", "portfolio", "finance", "risk", "training")
QUESTIONS = (
    ("show", "portfolio", "--scope", "enterprise", "--by", "month", "--over", "--format", "json"),
    ("story", "SUP-01", "--json"),
)
PITCH = derived_id("pitch", "of a later day")


@pytest.fixture(scope="module")
def exported(example: RunningEdition, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("archives") / "new" / "export"
    printed = example.steerco("log", "export", str(folder))
    assert [line.partition(":")[0] for line in printed.splitlines()] == list(LOGS)
    return folder


@pytest.fixture(scope="module")
def known(example: RunningEdition) -> Sequence[Any]:
    """What the edition answers."""
    return answers(example)


def copy_of(exported: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(exported, tmp_path / "copy"))


@contextmanager
def gone_on(example: RunningEdition, exported: Path, home: Path, command: str = "up") -> Iterator[RunningEdition]:
    """An edition that took over an export; stopped and removed at the end."""
    try:
        printed = example.steerco("log", "import", str(exported), "--data-dir", str(home / "data"))
        assert printed.count("events, verified") == 5
        other = start(home / "data", command=command)
        try:
            yield other
        finally:
            other.stop()
    finally:
        remove(home)


def answers(edition: RunningEdition) -> list[Any]:
    return [without_instants(json.loads(edition.steerco(*question))) for question in QUESTIONS]


def states(edition: RunningEdition) -> dict[str, Any]:
    return {service: asked(edition, f"/{service}/log").json() for service in LOGS}


def positions(edition: RunningEdition) -> dict[str, int]:
    return {service: state["position"] for service, state in states(edition).items()}


def all_done(edition: RunningEdition) -> None:
    """Return when every reaction has met the newest generation of the log that it reads, and all is published."""

    def behind() -> list[str]:
        now = states(edition)
        reactions = [each for state in now.values() for each in state["reactions"]]
        assert reactions
        return [
            *(each["reaction"] for each in reactions if each["generation"] < len(now[each["service"]]["generations"])),
            *(name for name, state in now.items() if state["relay"] and state["relay"]["behind"]),
        ]

    wait_until(lambda: not (left := behind()) or f"behind: {left}")


def charter_by_pitch(edition: RunningEdition) -> None:
    """Pitch a project and approve it; return when it is chartered."""
    (unit,) = asked(edition, "/portfolio/units", code="SUP-data").json()
    pitch = {
        "pitch_id": str(PITCH),
        "title": "Reports that are read by machines",
        "unit_id": unit["unit_id"],
        "project_code": "SUP-09",
        "currency": "EUR",
        "fields": {"problem": "They come on paper", "outcome": "They come as data", "sponsor": "Head of data"},
    }
    decision = {"outcome": "approved", "reason": "It pays"}
    for path, body in (("", pitch), (f"/{PITCH}/screening", {}), (f"/{PITCH}/decision", decision)):
        headers = {"Authorization": f"Bearer {edition.run['token']}"}
        httpx.post(f"{edition.run['url']}/intake/pitches{path}", json=body, headers=headers).raise_for_status()
    wait_until(lambda: asked(edition, f"/portfolio/projects/{derived_id('project', PITCH)}").is_success)


def hand_over(edition: RunningEdition) -> None:
    """Somebody else is appointed for the whole enterprise in place of who runs it; return when all know it."""
    appointments, headers = "/portfolio/appointments", {"Authorization": f"Bearer {edition.run['token']}"}
    (before,) = asked(edition, appointments, role="pmo_admin").json()
    other = {"person_id": str(derived_id("person", "other")), "role": "pmo_admin", "from_on": before["from_on"]}
    for path, body in (("", other), (f"/{before['appointment_id']}/end", {"reason": "Others run it"})):
        answer = httpx.post(f"{edition.run['url']}{appointments}{path}", json=body, headers=headers)
        answer.raise_for_status()
        headers["Consistency-Token"] = answer.headers["Consistency-Token"]

    def holders() -> list[str]:
        found = asked(edition, "/reporting/appointments", role="pmo_admin").json()
        return [each["person_id"] for each in found]

    wait_until(lambda: holders() == [other["person_id"]] or "it is not known everywhere")


def events_in(archive: Path) -> list[Any]:
    lines = [json.loads(line) for line in archive.read_text().splitlines()]
    return [line for line in lines if "specversion" in line]


def appoint(edition: RunningEdition) -> None:
    """By the command; return when the drawing of its trace shows what came of it in other processes."""
    (unit,) = asked(edition, "/portfolio/units", code="SUP-data").json()
    edition.steerco("appoint", str(derived_id("person", "viewer")), "viewer", "--at", unit["code"])
    names = "handle MakeAppointment", "send steerco.portfolio.events.v1", "process steerco.portf"

    def drawn() -> bool | str:
        drawing = edition.steerco("trace", "last")
        return all(name in drawing for name in names) or f"not all of {names} are in\n{drawing}"

    wait_until(drawn)


def published(edition: RunningEdition, service: str) -> list[tuple[int, str]]:
    """Position and id of every event in a service's topic, in the order of the log."""
    topic = Topic(service, edition.kafka("reporting"))
    asyncio.run(topic.read_on())
    assert (topic.disorder, topic.repeated) == ([], 0)
    return sorted((position, event) for events in topic.streams.values() for _, position, event, _ in events)


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
    beyond = int(events_in(exported / "risk.log.jsonl")[-1]["sequence"]) + 1
    with file.open("a") as append:
        append.write(json.dumps(last | {"position": beyond}) + "\n")
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


@pytest.fixture(scope="module")
def other(
    example: RunningEdition, exported: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningEdition]:
    """Another edition, which goes on from the export."""
    with gone_on(example, exported, tmp_path_factory.mktemp("home")) as found:
        all_done(found)
        yield found


def test_another_edition_goes_on_from_an_export_with_the_same_answers(
    example: RunningEdition, other: RunningEdition, known: Sequence[Any], tmp_path: Path
) -> None:
    assert answers(other) == known
    assert positions(other) == positions(example)
    assert {len(state["generations"]) for state in states(other).values()} == {2}
    assert other.steerco("verify").count("✓") == 5
    other.steerco("log", "export", str(tmp_path / "again"))
    assert example.steerco("verify", str(tmp_path / "again")).count("✓") == 5


def test_who_runs_an_edition_administers_it_whoever_is_appointed_in_the_logs_that_it_took_over(
    other: RunningEdition,
) -> None:
    hand_over(other)
    assert other.steerco("log", "parked", "list") == "nothing is parked\n"
    assert other.steerco("log", "status").count("\n") > len(LOGS)


@pytest.mark.kafka
def test_services_as_processes_go_on_from_an_export_and_one_process_from_theirs(
    example: RunningEdition, exported: Path, known: Sequence[Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    homes, again = [tmp_path_factory.mktemp("home") for _ in range(2)], tmp_path_factory.mktemp("again")
    with gone_on(example, exported, homes[0], command="run-distributed") as distributed:
        all_done(distributed)
        assert positions(distributed) == positions(example)
        assert answers(distributed) == known
        charter_by_pitch(distributed)
        appoint(distributed)
        hand_over(distributed)
        distributed.steerco("log", "export", str(again))
        assert distributed.steerco("verify").count("✓") == 5
        all_done(distributed)
        archived = {service: events_in(again / f"{service}.log.jsonl") for service in LOGS}
        for service, events in archived.items():
            assert published(distributed, service) == [(int(event["sequence"]), event["id"]) for event in events]
        ended = positions(distributed), answers(distributed)
    chartered = [each for each in archived["portfolio"] if each["type"].endswith(".project-chartered")]
    pitches = [each["data"]["pitch_id"] for each in chartered]
    assert len(pitches) == len(set(pitches))
    assert str(PITCH) in pitches
    with gone_on(example, again, homes[1]) as embedded:
        all_done(embedded)
        assert (positions(embedded), answers(embedded)) == ended
        assert embedded.steerco("verify").count("✓") == 5


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
