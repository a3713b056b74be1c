"""What deciders say about time, purely: which timers stand after their events, and what a due one leads to."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from steerco_events.ids import derived_id
from steerco_events.testkit.alarms import (
    AlarmLost,
    AlarmRang,
    AlarmSet,
    AlarmStopped,
    IsMuted,
    Muted,
    SetAlarm,
    alarms,
    timers,
)
from steerco_events.testkit.spec import spec
from steerco_events.testkit.tally import Counted, tally
from steerco_events.timers import Timer, Timing, timer_changes
from steerco_events.timing.timetable import TimedDecider, Timetable

alarm = spec(alarms)

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
LATER, HOUR = NOON + timedelta(minutes=5), timedelta(hours=1)
SET = AlarmSet(name="tea", at=NOON)
MOVED = AlarmSet(name="tea", at=LATER)
HOURLY = AlarmSet(name="bell", at=NOON, every_seconds=3600)
FIRST, SECOND = (derived_id("event", n) for n in range(2))


def test_an_event_starts_moves_and_ends_the_timer_of_a_name() -> None:
    alarm.given().then_due({})
    alarm.given(SET).then_due({"tea": NOON})
    alarm.given(SET, HOURLY).then_due({"tea": NOON, "bell": NOON})
    alarm.given(SET, MOVED).then_due({"tea": LATER})
    alarm.given(SET, HOURLY, AlarmStopped(name="tea")).then_due({"bell": NOON})
    alarm.given(SET, AlarmStopped(name="tea"), MOVED).then_due({"tea": LATER})
    spec(tally).given(Counted(by=1)).then_due({})


def test_a_due_timer_gives_its_command_and_its_event_ends_it() -> None:
    rang = AlarmRang(name="tea", at=NOON, next_at=None)
    alarm.given(SET).when_due("tea").then(rang)
    alarm.given(SET, rang).then_due({})


def test_a_schedule_is_a_timer_whose_firing_sets_the_next_one() -> None:
    rang = AlarmRang(name="bell", at=NOON, next_at=NOON + HOUR)
    alarm.given(HOURLY).when_due("bell").then(rang)
    alarm.given(HOURLY, rang).then_due({"bell": NOON + HOUR})
    alarm.given(HOURLY, rang).when_due("bell").then(AlarmRang(name="bell", at=NOON + HOUR, next_at=NOON + 2 * HOUR))


def test_a_due_timer_may_be_refused_or_find_nothing_to_do() -> None:
    alarm.given(SET, Muted()).when_due("tea").then_refused(IsMuted)
    alarm.given(SET, AlarmLost(name="tea")).when_due("tea").then_nothing()
    alarm.given(SET).when(SetAlarm("tea", NOON)).then_nothing()


def test_a_timer_is_named_by_the_event_that_set_it() -> None:
    timing = Timing(timers, lambda *_: None)
    changes = timer_changes(timing, "desk", [(FIRST, SET), (SECOND, MOVED)])
    assert changes == {("desk", "tea"): Timer("desk", "tea", LATER, SECOND)}
    first, again, other = (
        Timer("desk", "tea", NOON, FIRST).id,
        Timer("desk", "tea", LATER, FIRST).id,
        Timer("desk", "tea", NOON, SECOND).id,
    )
    assert first == again == derived_id("timer", "desk", "tea", FIRST)
    assert first != other


@pytest.mark.parametrize(
    ("stream", "is_owned"),
    [
        (f"project-{FIRST}", True),
        (f"project-{FIRST}".upper(), False),
        ("project", True),
        ("project-code-P-1", False),
        (f"project-code-{FIRST}", False),
        (f"project-project-{FIRST}", False),
        (f"projects-{FIRST}", False),
        (f"a-project-{FIRST}", False),
        ("project-", False),
        (f"project-{UUID(int=0).hex}", False),
    ],
)
def test_a_timed_decider_owns_the_streams_of_its_category_and_an_id(stream: str, is_owned: bool) -> None:
    timed = TimedDecider("project", alarms)
    assert timed.owns(stream) is is_owned
    assert Timetable([timed]).decider_of(stream) == (alarms if is_owned else None)


def test_a_decider_that_says_nothing_about_timers_has_no_place_in_a_timetable() -> None:
    with pytest.raises(ValueError, match="tally"):
        Timetable([TimedDecider("alarm", alarms), TimedDecider("tally", tally)])


def test_the_rules_of_a_timetable_are_others_when_a_version_or_a_category_is() -> None:
    first = Timetable([TimedDecider("alarm", alarms), TimedDecider("bell", alarms)])
    assert first.rules == Timetable([TimedDecider("bell", alarms), TimedDecider("alarm", alarms)]).rules
    others = [[TimedDecider("alarm", alarms)], [TimedDecider("alarm", alarms, 2), TimedDecider("bell", alarms)]]
    assert len({first.rules, *(Timetable(other).rules for other in others)}) == 3
