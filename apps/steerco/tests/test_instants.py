"""Instants as people type them."""

from datetime import UTC, datetime, timedelta

import pytest

from steerco.client import CommandFailed
from steerco.commands.instants import beginning_of, end_of, instant_of

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2026-03-31", datetime(2026, 3, 31, 23, 59, 59, 999999, tzinfo=UTC)),
        ("2026-03-31T12:00:00Z", datetime(2026, 3, 31, 12, tzinfo=UTC)),
        ("2026-03-31T12:00:00+02:00", datetime(2026, 3, 31, 10, tzinfo=UTC)),
        ("-90d", NOW - timedelta(days=90)),
        ("-12w", NOW - timedelta(weeks=12)),
    ],
)
def test_an_instant_a_day_and_a_duration_are_understood(text: str, meant: datetime) -> None:
    assert instant_of(text, NOW) == meant


@pytest.mark.parametrize(
    "text",
    ["2026-11-24", "2027-01-01", "2026-11-24T12:00:01Z", "2026-02-30", "2026-03-31T12:00", "yesterday", "-d", ""],
)
def test_the_future_and_what_is_no_instant_are_refused_by_name(text: str) -> None:
    with pytest.raises(CommandFailed, match="--as-of"):
        instant_of(text, NOW)


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_an_instant_that_has_no_utc_is_refused_by_name(text: str) -> None:
    with pytest.raises(CommandFailed, match="is no instant"):
        instant_of(text, NOW)


def test_a_day_begins_or_ends_what_is_asked_for_also_in_the_future() -> None:
    assert beginning_of("--from", "2027-03-31", NOW) == datetime(2027, 3, 31, tzinfo=UTC)
    assert end_of("--until", "2027-03-31", NOW) == datetime(2027, 3, 31, 23, 59, 59, 999999, tzinfo=UTC)
    assert beginning_of("--from", "-2d", NOW) == end_of("--until", "-2d", NOW) == NOW - timedelta(days=2)


def test_what_is_neither_is_refused_by_the_option_s_name() -> None:
    with pytest.raises(CommandFailed, match="--from 'soon' is no instant"):
        beginning_of("--from", "soon", NOW)
    with pytest.raises(CommandFailed, match="--until 2026-03-31T12:00 has no zone"):
        end_of("--until", "2026-03-31T12:00", NOW)
