"""Noticing that a stream lacks events: each version is the last one plus one."""

from steerco_events.envelope import Recorded

MOST_STREAMS = 100_000
"""Streams that are remembered, some 100 bytes each; of one that was forgotten nothing can be said."""


class StreamVersions:
    """The last version seen of each stream."""

    def __init__(self) -> None:
        self._last: dict[int, int] = {}
        self._has_forgotten = False

    def gap_before(self, event: Recorded, is_whole: bool) -> str | None:
        """What is missing before the event; `None` if nothing is, as far as is known.

        `is_whole`: the partition is read from the first event on, so that no stream began before.
        """
        last = self._last.get(hash(event.stream))
        if last is None:
            if not is_whole or self._has_forgotten:
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
