"""How the doctor judges what services answer: fine, to look at, or failing, and what to run next."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from steerco.doctor.findings import (
    Finding,
    clocks,
    reacting,
    readiness,
    relaying,
    sealing,
    signing,
    viewing,
    worst,
)

NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)
HOUR_AGO = (NOW - timedelta(hours=1)).isoformat()


def log(**other: Any) -> dict[str, Any]:
    signed = {"position": 100, "watermark": NOW.isoformat()}
    return {
        "service": "intake",
        "position": 100,
        "generations": [{"generation": 1, "from_position": 0}],
        "watermark": NOW.isoformat(),
        "unsealed": 0,
        "open_since": None,
        "signed": signed,
        "relay": {"position": 100, "behind": 0},
        "reactions": [],
    } | other


RESTORED = log(position=70, generations=[*log()["generations"], {"generation": 2, "from_position": 60}])


def reaction(position: int, generation: int = 1) -> dict[str, Any]:
    at = {"reaction": "charter", "service": "intake", "generation": generation, "positions": [0, position]}
    return log(service="portfolio", reactions=[at])


def view(**at: Any) -> dict[str, Any]:
    read = {"service": "intake", "generation": 1, "position": 100, "watermark": NOW.isoformat()} | at
    build = {"build": 3, "state": "live", "progress": [read], "way": None}
    return {"view": "portfolio_register", "version": 6, "builds": [build]}


def one(found: Sequence[Finding]) -> tuple[str, str | None]:
    (finding,) = found
    return finding.grade, finding.then


def test_what_is_well_is_fine() -> None:
    found = [
        *clocks(NOW, NOW),
        *readiness("intake", {"ready": True, "degraded": {}}),
        *sealing(log(), NOW),
        *signing(log()),
        *relaying(log()),
        *reacting(reaction(100), {"intake": log()}),
        *viewing("reporting", view(), {"intake": log()}),
    ]
    assert [each.grade for each in found] == ["fine"] * 7
    assert worst(found) == "fine"


def test_clocks_that_differ_are_to_be_looked_at() -> None:
    assert one(list(clocks(NOW + timedelta(seconds=9), NOW))) == ("look", "timedatectl")
    assert list(clocks(None, NOW)) == []


@pytest.mark.parametrize(
    ("name", "error", "then"),
    [
        ("portfolio_register_v6_b1 in the log of intake", "LogRewound", "steerco rebuild portfolio_register"),
        ("charter in the log of intake", "LogRewound", "steerco log accept-loss reporting charter --reason WHY"),
        ("parked for charter", "streams: 1", "steerco log parked list"),
        ("timers deadline of training", "failing: 2", "steerco log timers list --failing"),
        ("reporting relay", "KafkaError", "look into the log of reporting's worker"),
    ],
)
def test_what_fails_behind_a_service_is_failing_with_its_way_out(name: str, error: str, then: str) -> None:
    assert one(list(readiness("reporting", {"ready": True, "degraded": {name: error}}))) == ("failing", then)


def test_what_fails_in_a_worker_has_the_way_out_of_its_service() -> None:
    said = {"ready": True, "degraded": {"charter in the log of intake": "LogRewound"}}
    then = "steerco log accept-loss portfolio charter --reason WHY"
    assert one(list(readiness("portfolio worker", said))) == ("failing", then)


def test_a_service_that_is_not_ready_fails() -> None:
    (found,) = readiness("intake", {"detail": "the database is not migrated"})
    assert (found.grade, found.said) == ("failing", "the database is not migrated")


def test_a_log_that_nobody_seals_or_an_append_holds_up_fails() -> None:
    assert one(list(sealing(log(watermark=HOUR_AGO), NOW))) == ("failing", "start intake's worker")
    (held,) = sealing(log(watermark=HOUR_AGO, unsealed=3, open_since=HOUR_AGO), NOW)
    assert "an append is open since 11:00:00" in held.said


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
    assert one(list(reacting(reaction(61), logs))) == ("failing", then)
    assert one(list(reacting(reaction(60), logs))) == ("fine", None)
    assert one(list(reacting(reaction(65, generation=2), logs))) == ("fine", None)
    rebuilt = "steerco rebuild portfolio_register"
    assert one(list(viewing("reporting", view(position=65), logs))) == ("failing", rebuilt)


def test_a_view_that_is_late_is_to_be_looked_at() -> None:
    (late,) = viewing("reporting", view(watermark=HOUR_AGO), {"intake": log()})
    assert (late.grade, late.said) == ("look", "0 positions and 3,600 s behind")
    (behind,) = viewing("reporting", view(), {"intake": log(position=2000)})
    assert behind.grade == "look"


def test_a_view_that_is_not_there_or_waits_for_a_decision_fails() -> None:
    way = {"waits_for": "streams are parked for it"}
    state = view() | {"builds": [{"build": 4, "state": "building", "progress": [], "way": way}]}
    found = list(viewing("reporting", state, {}))
    assert [each.grade for each in found] == ["failing", "failing"]
    assert {each.then for each in found} == {"steerco rebuild portfolio_register"}
    assert worst([*found, Finding("fine", "a", "b")]) == "failing"
