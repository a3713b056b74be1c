"""The one place that reads the time."""

from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Tells the time; injected wherever time matters."""

    def now(self) -> datetime:
        """The present instant, UTC, never naive."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class ManualClock:
    """Stands still until it is told otherwise."""

    def __init__(self, at: datetime) -> None:
        self._at = at

    def now(self) -> datetime:
        return self._at

    def set(self, at: datetime) -> None:
        """Jump to an instant, also backwards."""
        self._at = at

    def advance(self, by: timedelta) -> None:
        """Move on by a duration."""
        self._at += by


class ShiftedClock:
    """Goes like another clock, but at an instant that it is set to: for a history told from the past."""

    def __init__(self, source: Clock) -> None:
        self._source = source
        self._shift = timedelta()

    def now(self) -> datetime:
        return self._source.now() + self._shift

    def set(self, at: datetime) -> None:
        """Go on from an instant."""
        self._shift = at - self._source.now()


class SwitchableClock:
    """A clock that follows another one, which may be exchanged while it is in use."""

    def __init__(self, source: Clock) -> None:
        self._source = source

    def now(self) -> datetime:
        return self._source.now()

    def follow(self, source: Clock) -> None:
        """From now on tell the time of `source`."""
        self._source = source
