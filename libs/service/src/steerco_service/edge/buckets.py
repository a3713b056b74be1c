"""Token buckets in memory: how many requests a client may send over time, and how many at once."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from itertools import islice

MOST_KEPT = 100_000
"""Buckets; beyond that, the one that was used longest ago is forgotten."""


@dataclass(frozen=True, slots=True)
class Rate:
    """So many a second over time, and so many at once."""

    per_second: float = 200.0
    at_once: int = 2000


class Buckets[Key: Hashable]:
    """A bucket for each key, full at first. One that is full again is forgotten."""

    def __init__(self, rate: Rate, now: Callable[[], float]) -> None:
        self._rate = rate
        self._now = now
        self._kept: dict[Key, tuple[float, float]] = {}
        """What was in it, and when; the one used last is last."""

    def __len__(self) -> int:
        return len(self._kept)

    def take(self, key: Key) -> float:
        """Take one out: 0 if there was one, else in how many seconds there will be."""
        now = self._now()
        level = self._level(key, now)
        is_new = self._kept.pop(key, None) is None
        if level < 1.0:
            self._kept[key] = (level, now)
            return (1.0 - level) / self._rate.per_second
        self._kept[key] = (level - 1.0, now)
        if is_new:
            self._forget(now)
        return 0.0

    def give_back(self, key: Key) -> None:
        """Put one back that was taken."""
        if key in self._kept:
            level, at = self._kept[key]
            self._kept[key] = (level + 1.0, at)

    def _level(self, key: Key, now: float) -> float:
        if key not in self._kept:
            return self._rate.at_once
        level, at = self._kept[key]
        return min(self._rate.at_once, level + (now - at) * self._rate.per_second)

    def _forget(self, now: float) -> None:
        """Two at a time go faster than one at a time comes."""
        for key in list(islice(self._kept, 2)):
            if self._level(key, now) >= self._rate.at_once or len(self._kept) > MOST_KEPT:
                del self._kept[key]
