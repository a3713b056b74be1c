"""How the doctor judges what services answer: fine, to look at, or failing, and what to run next."""

import re
import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
import typer
from typer.core import TyperGroup

from steerco.cli import app
from steerco.doctor.answers import Log, Readiness, View
from steerco.doctor.findings import (
    Finding,
    clocks,
    is_behind,
    parts,
    reacting,
    readiness,
    relaying,
    releases,
    sealing,
    signing,
    silent,
    viewing,
    worst,
)
from steerco.doctor.looking import database, disk
from steerco.edition.services import BY_NAME
from steerco.testkit.backups import tell
from steerco.views import EVERY_SERVICE
from steerco_events.positions import PARTITIONS
from steerco_servers.testing import TemporaryPostgres
from steerco_service.migrations import migrate, revisions_of

PAGES = Path(__file__).parents[3]
WATCHING = "docs/how-to/watch-operations.md"
UPGRADING = "docs/how-to/upgrade-and-scale.md#roll-a-release-out"
WELL = "docs/how-to/back-up-and-restore.md#is-it-well"

NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)
HEADS = [100, *range(50, 50 + PARTITIONS - 1)]
HOUR_AGO = (NOW - timedelta(hours=1)).isoformat()


def log(**other: Any) -> Log:
    signed = {"position": 100, "watermark": NOW.isoformat()}
    told = {
        "service": "intake",
        "position": 100,
        "positions": HEADS,
        "generations": [{"generation": 1, "from_position": 0}],
        "watermark": NOW.isoformat(),
        "unsealed": 0,
        "open_since": None,
        "signed": signed,
        "relay": {"position": 100, "behind": 0},
        "reactions": [],
    }
    return msgspec.convert(told | other, Log)


RESTORED = log(
    position=70,
    positions=[60] * PARTITIONS,
    generations=[{"generation": 1, "from_position": 0}, {"generation": 2, "from_position": 60}],
)


def reaction(positions: Sequence[int], generation: int = 1) -> Log:
    at = {"reaction": "charter", "service": "intake", "generation": generation, "positions": positions}
    return log(service="portfolio", reactions=[at])


def up_to(position: int) -> Sequence[int]:
    """One partition there, the others with all that `RESTORED` kept."""
    return [position, *[60] * (PARTITIONS - 1)]


def is_there(then: str) -> bool:
    """Whether it is a command of ours or of the system, or a page and a heading in it."""
    if then.startswith("docs/"):
        page, _, anchor = then.partition("#")
        headings = re.findall("^#+ (.+)$", (PAGES / page).read_text(), re.MULTILINE)
        return anchor in {re.sub("[^a-z -]", "", each.lower()).replace(" ", "-") for each in headings}
    words = then.split()
    if words[0] != "steerco":
        return shutil.which(words[0]) is not None
    command = typer.main.get_command(app)
    for word in words[1:]:
        if not isinstance(command, TyperGroup):
            break
        if word not in command.commands:
            return False
        command = command.commands[word]
    return not isinstance(command, TyperGroup)


def view(**at: Any) -> View:
    read = {"service": "intake", "generation": 1, "position": 100, "watermark": NOW.isoformat()} | at
    return built({"build": 3, "state": "live", "progress": [read], "way": None})


def built(*builds: Mapping[str, Any]) -> View:
    return msgspec.convert({"view": "portfolio_register", "version": 6, "builds": builds}, View)


def one(found: Sequence[Finding]) -> tuple[str, str | None]:
    (finding,) = found
    return finding.grade, finding.then


def test_what_is_well_is_fine() -> None:
    found = [
        *clocks(NOW, NOW),
        *readiness("intake", Readiness(ready=True, degraded={})),
        *sealing(log(), NOW),
        *signing(log()),
        *relaying(log()),
        *releases("0.2.0", {"intake": "0.2.0"}),
        *reacting(reaction(HEADS), {"intake": log()}),
        *viewing("reporting", view(), {"intake": log()}),
    ]
    assert [each.grade for each in found] == ["fine"] * 8
    assert worst(found) == "fine"


def test_clocks_that_differ_are_to_be_looked_at() -> None:
    assert one(list(clocks(NOW + timedelta(seconds=9), NOW))) == ("look", WELL)
    assert list(clocks(None, NOW)) == []


@pytest.mark.parametrize(
    ("name", "error", "then"),
    [
        ("portfolio_register_v6_b1 in the log of intake", "LogRewound", "steerco rebuild portfolio_register"),
        ("charter in the log of intake", "LogRewound", "steerco log accept-loss reporting charter --reason WHY"),
        ("parked for charter", "streams: 1", "steerco log parked list"),
        ("timers deadline of training", "failing: 2", "steerco log timers list --failing"),
        ("reporting relay", "KafkaError", f"{WATCHING}#workfailing"),
    ],
)
def test_what_fails_behind_a_service_is_failing_with_its_way_out(name: str, error: str, then: str) -> None:
    assert one(list(readiness("reporting", Readiness(ready=True, degraded={name: error})))) == ("failing", then)


def test_what_fails_in_a_worker_has_the_way_out_of_its_service() -> None:
    said = Readiness(ready=True, degraded={"charter in the log of intake": "LogRewound"})
    then = "steerco log accept-loss portfolio charter --reason WHY"
    assert one(list(readiness("portfolio worker", said))) == ("failing", then)


def test_a_service_that_is_not_ready_fails() -> None:
    (found,) = readiness("intake", Readiness(detail="the database is not migrated"))
    assert (found.grade, found.said) == ("failing", "the database is not migrated")
    assert found.then == f"{WATCHING}#errorrate"


def test_services_of_another_release_are_to_be_looked_at() -> None:
    (found,) = releases("0.2.0", {"intake": "0.2.0", "risk": "0.1.0"})
    assert (found.grade, found.then) == ("look", UPGRADING)
    assert "risk of 0.1.0" in found.said
    assert "intake" not in found.said


def test_an_edition_without_some_services_is_to_be_looked_at() -> None:
    every = list(BY_NAME)
    assert list(parts(every, every)) == []
    (found,) = parts(["reporting"], every)
    assert found.grade == "look"
    assert all(service in found.said for service in every if service != "reporting")


def test_a_log_that_nobody_seals_or_an_append_holds_up_fails() -> None:
    assert one(list(sealing(log(watermark=HOUR_AGO), NOW))) == ("failing", f"{WATCHING}#sealerwithoutleader")
    (held,) = sealing(log(watermark=HOUR_AGO, unsealed=3, open_since=HOUR_AGO), NOW)
    assert "an append is open since 11:00:00" in held.said
    assert held.then == f"{WATCHING}#barrierheld"


def test_a_head_that_is_not_signed_or_was_long_ago_is_to_be_looked_at() -> None:
    assert one(list(signing(log(signed=None)))) == ("look", "steerco log key make FILE")
    old = {"position": 50, "watermark": HOUR_AGO}
    assert one(list(signing(log(signed=old)))) == ("look", "steerco verify")
    assert list(signing(log(position=0, signed=None))) == []


def test_a_relay_that_is_far_behind_is_to_be_looked_at() -> None:
    assert one(list(relaying(log(relay={"position": 1, "behind": 5000})))) == ("look", "steerco log status")
    assert list(relaying(log(relay=None))) == []


def test_who_read_more_of_a_restored_log_than_it_kept_fails() -> None:
    logs = {"intake": RESTORED}
    then = "steerco log accept-loss portfolio charter --reason WHY"
    assert one(list(reacting(reaction(up_to(61)), logs))) == ("failing", then)
    assert one(list(reacting(reaction(up_to(60)), logs))) == ("fine", None)
    assert one(list(reacting(reaction(up_to(65), generation=2), logs))) == ("fine", None)
    rebuilt = "steerco rebuild portfolio_register"
    assert one(list(viewing("reporting", view(position=65), logs))) == ("failing", rebuilt)


@pytest.mark.parametrize("stuck", range(PARTITIONS))
def test_a_reaction_that_does_not_come_on_in_one_partition_is_to_be_looked_at(stuck: int) -> None:
    logs: Mapping[str, Log] = {"intake": log()}
    at = reaction([0 if n == stuck else position for n, position in enumerate(HEADS)])
    assert is_behind(at, logs)
    (found,) = reacting(at, logs)
    assert (found.grade, found.then) == ("look", f"{WATCHING}#consumerstuck")
    assert f"{HEADS[stuck]:,} positions behind" in found.said


def test_nobody_waits_for_a_reaction_that_is_stopped_or_has_all() -> None:
    assert not is_behind(reaction([61, *[0] * (PARTITIONS - 1)]), {"intake": RESTORED})
    assert not is_behind(reaction(HEADS), {"intake": log()})
    assert not is_behind(reaction([0] * PARTITIONS), {})


def test_a_view_of_which_nobody_knows_up_to_when_it_has_all_is_to_be_looked_at() -> None:
    assert one(list(viewing("reporting", view(watermark=None), {"intake": log()}))) == ("look", f"{WATCHING}#viewstale")


def test_a_view_that_is_late_is_to_be_looked_at() -> None:
    (late,) = viewing("reporting", view(watermark=HOUR_AGO), {"intake": log()})
    assert (late.grade, late.said) == ("look", "0 positions and 3,600 s behind")
    (behind,) = viewing("reporting", view(), {"intake": log(position=2000)})
    assert behind.grade == "look"


def test_a_view_that_is_not_there_or_waits_for_a_decision_fails() -> None:
    way = {"waits_for": "streams are parked for it"}
    found = list(viewing("reporting", built({"build": 4, "state": "building", "progress": [], "way": way}), {}))
    assert [each.grade for each in found] == ["failing", "failing"]
    assert {each.then for each in found} == {"steerco rebuild portfolio_register"}
    assert worst([*found, Finding("fine", "a", "b")]) == "failing"


def test_what_is_to_be_done_next_is_a_command_that_is_there_or_a_page() -> None:
    degraded = {"charter in the log of intake": "LogRewound", "parked for charter": "1", "timers a of b": "1", "c": "d"}
    held = log(watermark=HOUR_AGO, unsealed=3, open_since=HOUR_AGO)
    old = {"position": 50, "watermark": HOUR_AGO}
    found = [
        *clocks(NOW + timedelta(hours=1), NOW),
        *releases("0.2.0", {"risk": "0.1.0"}),
        *parts(["reporting"], EVERY_SERVICE),
        silent("risk", "does not answer"),
        *readiness("risk", Readiness()),
        *readiness("risk", Readiness(ready=True, degraded=degraded)),
        *sealing(held, NOW),
        *sealing(log(watermark=HOUR_AGO), NOW),
        *signing(log(signed=None)),
        *signing(log(signed=old)),
        *relaying(log(relay={"position": 1, "behind": 5000})),
        *reacting(reaction([0] * PARTITIONS), {"intake": log()}),
        *reacting(reaction(up_to(61)), {"intake": RESTORED}),
        *viewing("reporting", view(watermark=HOUR_AGO), {"intake": log()}),
        *viewing("reporting", view(position=65), {"intake": RESTORED}),
        *viewing("reporting", built(), {}),
    ]
    assert len(found) == 19
    assert [each for each in found if each.then is None or not is_there(each.then)] == []
    assert not any(map(is_there, ("steerco mend", "steerco log", "docs/how-to/operate.md#mend", "no-such-program /")))


def test_a_disk_with_little_room_is_to_be_looked_at_and_one_with_next_to_none_fails(tmp_path: Path) -> None:
    command = f"du -sh {tmp_path}"
    assert one([disk(tmp_path, low=0, lowest=0)]) == ("fine", None)
    assert one([disk(tmp_path, low=1e18, lowest=0)]) == ("look", command)
    assert one([disk(tmp_path, low=1e18, lowest=1e18)]) == ("failing", command)
    assert is_there(command)


async def test_a_database_of_an_older_schema_fails_and_one_that_nobody_seals_is_to_be_looked_at(
    postgres: TemporaryPostgres,
) -> None:
    package = BY_NAME["risk"].migrations
    first, *_, newest = revisions_of(package)
    async with postgres.databases("risk") as databases:
        url = databases["risk"].owner_url
        await migrate(package, url, first)
        (behind,) = await database("risk", url)
        assert (behind.grade, behind.then) == ("failing", UPGRADING)
        assert behind.said == f"schema {first}, and this release has {newest}"
        await migrate(package, url)
        fine, unled = await database("risk", url)
        assert (fine.grade, unled.grade) == ("fine", "look")
        assert f"schema {newest}" in fine.said
        assert unled.then == f"{WATCHING}#sealerwithoutleader"
        await tell(url, "UPDATE public.alembic_version SET version_num = 'of_a_newer_release'")
        newer, _ = await database("risk", url)
        assert (newer.grade, "schema of_a_newer_release" in newer.said) == ("fine", True)
    assert is_there(UPGRADING)
    (gone,) = await database("risk", url)
    assert (gone.grade, gone.then) == ("failing", "steerco up")
