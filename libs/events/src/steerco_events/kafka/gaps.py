"""Noticing that a topic lacks events, and that they came after all."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from steerco_events.envelope import Recorded
from steerco_events.kafka.versions import StreamVersions
from steerco_events.positions import Positions


class EventsMissing(Exception):
    """The topic lacks events: it has to be published anew."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Something that is missing. Because of it the events from position `first` up to `last` were left, for now."""

    first: int
    last: int
    what: str


class Gaps:
    """What the partitions of a topic lack, as far as they were read.

    Where something is missing, what comes next is left: whoever publishes the log anew may be about to bring it again,
    behind what was missing. A partition that was cut is not read on: nobody knows what was in it, nor whether what is
    missing came again; its topic has to be made anew.
    """

    def __init__(self, from_start: AbstractSet[int], cut: AbstractSet[int]) -> None:
        """`from_start` are the partitions that are read from their first record on; `cut` those that had one before.

        Both may grow.
        """
        self._from_start = from_start
        self._cut = cut
        self._versions = StreamVersions()
        self._open: dict[int, Gap] = {}
        self._left: dict[int, int] = {}

    def __contains__(self, partition: int) -> bool:
        """Whether the partition lacks something, and waits for it."""
        return partition in self._open

    def before(self, event: Recorded, position: int) -> str | None:
        """What is missing between a position of the partition and an event beyond it; `None` if nothing is."""
        n = event.partition
        if n in self._cut:
            return f"partition {n} was cut, up to position {event.position} or beyond, and is read up to {position}"
        if event.position > self._left.get(n, 0) > position:
            return f"partition {n} goes on from position {position} to {event.position}"
        return self._versions.gap_before(event, n in self._from_start)

    def passes(self, event: Recorded, position: int) -> bool:
        """Whether the event is one to give to who has all up to the position: new, and nothing before it is missing."""
        n = event.partition
        gap = self._open.get(n)
        if gap and event.position < gap.first and n not in self._cut:
            self._left[n] = gap.last
            del self._open[n]
            gap = None
        if event.position > position and (what := gap.what if gap else self.before(event, position)):
            first, last = (gap.first, gap.last) if gap else (event.position, self._left.get(n, 0))
            self._open[n] = Gap(min(first, event.position), max(last, event.position), what)
            return False
        self._versions.learn(event)
        return event.position > position

    def told(self, head: Positions, positions: Positions) -> Sequence[str]:
        """What is missing where all was read, up to these positions, and the log is published up to the head's."""
        emptied = [n for n in sorted(self._cut) if n not in self._open and head[n] > positions[n]]
        return [
            *(gap.what for gap in self._open.values()),
            *(f"partition {n} was cut, up to position {head[n]}, and is read up to {positions[n]}" for n in emptied),
        ]
