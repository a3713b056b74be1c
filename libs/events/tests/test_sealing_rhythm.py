"""When a sealer scans, when a beat takes the place of a scan, and when it renews its lease."""

from steerco_events.postgres.sealer import Sealed
from steerco_events.sealing import (
    BEAT_SECONDS,
    GATHER_SECONDS,
    GROWTH,
    LONGEST_GATHER_SECONDS,
    STARVED_SECONDS,
    Rhythm,
)

RENEW_SECONDS = 10.0

QUIET = Sealed(0, pending=False)
SEALED = Sealed(3, pending=True)
HELD_UP = Sealed(0, pending=True)


def began() -> Rhythm:
    """One that beat at 0 s."""
    return Rhythm(RENEW_SECONDS, 0.0)


def test_a_log_that_rests_beats_soon_after_its_last_beat() -> None:
    rhythm = began()
    rhythm.scans(QUIET)
    rhythm.rests(is_woken=False)
    assert not rhythm.is_beat_due(BEAT_SECONDS - 0.1)
    assert rhythm.is_beat_due(BEAT_SECONDS)
    rhythm.beats(BEAT_SECONDS, is_quiet=True)
    rhythm.rests(is_woken=False)
    assert not rhythm.is_beat_due(2 * BEAT_SECONDS - 0.1)
    assert rhythm.is_beat_due(2 * BEAT_SECONDS)


def test_a_quiet_log_that_is_woken_all_the_time_beats_later() -> None:
    rhythm = began()
    rhythm.scans(QUIET)
    rhythm.rests(is_woken=True)
    assert not rhythm.is_beat_due(STARVED_SECONDS - 0.1)
    assert rhythm.is_beat_due(STARVED_SECONDS)


def test_a_log_that_goes_on_does_not_beat() -> None:
    rhythm = began()
    assert not rhythm.is_beat_due(1e9)
    for scan in (SEALED, HELD_UP):
        rhythm.scans(QUIET)
        rhythm.rests(is_woken=True)
        rhythm.scans(scan)
        assert not rhythm.is_quiet
        assert not rhythm.is_beat_due(1e9)


def test_a_beat_that_finds_something_to_seal_is_followed_by_scans() -> None:
    rhythm = began()
    rhythm.scans(QUIET)
    rhythm.rests(is_woken=False)
    rhythm.beats(BEAT_SECONDS, is_quiet=False)
    assert not rhythm.is_quiet
    assert not rhythm.is_beat_due(1e9)


def test_a_lease_is_renewed_by_itself_only_where_no_beat_kept_it() -> None:
    rhythm = began()
    assert not rhythm.is_renewal_due(RENEW_SECONDS)
    assert rhythm.is_renewal_due(RENEW_SECONDS + 0.1)
    rhythm.renews(20.0)
    assert not rhythm.is_renewal_due(20.0 + RENEW_SECONDS)
    rhythm.beats(25.0, is_quiet=True)
    assert not rhythm.is_renewal_due(25.0 + RENEW_SECONDS)


def test_scans_come_less_often_little_by_little_while_nothing_can_be_sealed() -> None:
    rhythm = began()
    gathers = [rhythm.gather]
    for _ in range(100):
        rhythm.scans(HELD_UP)
        gathers.append(rhythm.gather)
    assert gathers[:2] == [GATHER_SECONDS, GATHER_SECONDS * GROWTH]
    assert gathers == sorted(gathers)
    assert gathers[-1] == LONGEST_GATHER_SECONDS
    rhythm.scans(SEALED)
    assert rhythm.gather == GATHER_SECONDS
    rhythm.scans(HELD_UP)
    rhythm.rests(is_woken=True)
    assert rhythm.gather == GATHER_SECONDS
