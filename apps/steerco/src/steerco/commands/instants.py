"""Instants as people type them."""

import re
from datetime import UTC, date, datetime, time, timedelta

from steerco.client import CommandFailed

_AGO = re.compile(r"-([0-9]{1,5})([dw])", re.ASCII)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def instant_of(text: str, now: datetime) -> datetime:
    """The instant of `2026-03-31T12:00:00Z`, of `2026-03-31` (its end, UTC) or of `-90d`, `-12w`.

    Raises `CommandFailed` for other text, an instant without a zone, and the future.
    """
    at = _parsed("--as-of", text, now, time.max)
    if at > now:
        end = f" ({text} means its end in UTC)" if _DAY.fullmatch(text) else ""
        raise CommandFailed(f"--as-of {text} is in the future{end}; leave it out for now")
    return at


def beginning_of(option: str, text: str, now: datetime) -> datetime:
    """From when something is asked for: the same, also in the future, but a day is its beginning."""
    return _parsed(option, text, now, time.min)


def end_of(option: str, text: str, now: datetime) -> datetime:
    """Until when something is asked for: the same, also in the future; a day is its end."""
    return _parsed(option, text, now, time.max)


def _parsed(option: str, text: str, now: datetime, of_day: time) -> datetime:
    try:
        if ago := _AGO.fullmatch(text):
            return now - timedelta(days=int(ago[1]) * (7 if ago[2] == "w" else 1))
        if _DAY.fullmatch(text):
            return datetime.combine(date.fromisoformat(text), of_day, UTC)
        at = datetime.fromisoformat(text)
        if at.tzinfo is not None:
            return at.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise CommandFailed(
            f"{option} {text!r} is no instant; write 2026-03-31, 2026-03-31T12:00:00Z or -90d"
        ) from error
    raise CommandFailed(f"{option} {text} has no zone; write {text}Z for UTC")


def shown(text: str) -> str:
    """An instant of an answer, to the minute, UTC."""
    return datetime.fromisoformat(text).astimezone(UTC).strftime("%Y-%m-%d %H:%M")


def day_of(text: str) -> str:
    """The day of an instant of an answer, UTC."""
    return datetime.fromisoformat(text).astimezone(UTC).strftime("%Y-%m-%d")


def to_the_second(instant: str) -> str:
    """An instant of an answer, as tables show it (UTC)."""
    return instant[:19].replace("T", " ")
