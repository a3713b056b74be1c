"""Where streams stood after the last commands on them, so that one in steady use is not read for every command.

What is kept is never trusted: an append proves it by the stream's version, or the stream is read after all.
"""

import time
from collections.abc import Iterable, Mapping
from typing import Any

from steerco_events.commands.planning import Handling, Situation

MOST = 4096
KEPT_SECONDS = 5.0
"""Longer than this, and another process may well have written to the stream."""


class Situations:
    """The situations of the streams that one process wrote to lately."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[float, Situation]] = {}

    def assumed(self, handlings: Iterable[Handling[Any, Any]]) -> dict[str, Situation]:
        """For which streams their situation may be assumed: it was kept, or nothing can be there yet."""
        assumed: dict[str, Situation] = {}
        unknown: set[str] = set()
        for each in handlings:
            found = assumed.get(each.stream) or self._find(each)
            if found and found.decider is each.decider:
                assumed[each.stream] = found
            else:
                unknown.add(each.stream)
        return {stream: found for stream, found in assumed.items() if stream not in unknown}

    def _find(self, handling: Handling[Any, Any]) -> Situation | None:
        if handling.is_new:
            return Situation(handling.decider, handling.decider.initial, 0, ())
        until, situation = self._kept.get(handling.stream, (0.0, None))
        return situation if time.monotonic() < until else None

    def keep(self, situations: Mapping[str, Situation]) -> None:
        """Know where these streams stand, once that is committed."""
        until = time.monotonic() + KEPT_SECONDS
        for stream, situation in situations.items():
            self._kept.pop(stream, None)
            self._kept[stream] = until, situation
        while len(self._kept) > MOST:
            del self._kept[next(iter(self._kept))]

    def forget(self, streams: Iterable[str]) -> None:
        """Read these streams again."""
        for stream in streams:
            self._kept.pop(stream, None)

    def forget_all(self) -> None:
        """Read every stream again."""
        self._kept.clear()
