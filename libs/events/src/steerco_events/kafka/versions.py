"""Noticing that a topic lacks events: in a stream that is read whole, each version is the last one plus one."""

from collections.abc import Collection

from steerco_events.envelope import Recorded

MOST_STREAMS = 100_000
"""Streams that are remembered, some 100 bytes each; of one that was forgotten nothing can be said."""


class StreamVersions:
    """The last version seen of each stream."""

    def __init__(self, whole: Collection[int]) -> None:
        """`whole` are the partitions that are read from the first event on: no stream of them has begun yet."""
        self._whole = frozenset(whole)
        self._last: dict[int, int] = {}
        self._has_forgotten = False

    def gap_before(self, event: Recorded) -> str | None:
        """What is missing before the event; `None` if nothing is, as far as is known."""
        last = self._last.get(hash(event.stream))
        if last is None:
            if event.partition not in self._whole or self._has_forgotten:
                return None
            last = 0
        if event.stream_version <= last + 1:
            return None
        return f"{event.stream} goes on from version {last} to {event.stream_version}"

    def learn(self, event: Recorded) -> None:
        """The event was there."""
        key = hash(event.stream)
        self._last[key] = max(event.stream_version, self._last.get(key, 0))
        if len(self._last) > MOST_STREAMS:
            del self._last[next(iter(self._last))]
            self._has_forgotten = True
