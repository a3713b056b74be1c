"""How a consumer stands in a shard of a log: how far behind it is, and since when it has got no further.

Whoever runs the process may start it again when a consumer has stalled. So none has that says itself why it does not
get on, or that waits for its broker or for a lock of its database: another process would wait for them just as well.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import assert_never
from weakref import WeakSet

from steerco_events.metrics import CONSUMER_EVENTS, CONSUMER_LAG, CONSUMER_RESTARTS, CONSUMER_STOPPED
from steerco_events.ports import Cursor, Shard
from steerco_events.positions import Head

STALLED_SECONDS = 300.0
"""So long a consumer may have something to apply and get no further; a step that hangs is cut off after a minute."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """The shard is another's, or nobody's."""


@dataclass(frozen=True, slots=True)
class Idle:
    """Nothing is known that it could apply; or it does not get on, and an error says why."""


@dataclass(frozen=True, slots=True)
class Applying:
    """There are events, which are being applied; it got no further `since` then."""

    since: float


@dataclass(frozen=True, slots=True)
class Stuck:
    """There is something to apply, which is not being applied; it got no further `since` then."""

    since: float


type Situation = Waiting | Idle | Applying | Stuck


class Standing:
    """How one consumer stands in one shard of one log."""

    def __init__(
        self,
        name: str,
        service: str,
        known_as: str,
        source: str,
        shard: Shard,
        now: Callable[[], float] = monotonic,
    ) -> None:
        self.name = name
        self._consumer = (service, known_as, source)
        self._labels = (*self._consumer, str(shard.number))
        self._partitions = shard.partitions
        self._head: Head | None = None
        self._now = now
        self._situation: Situation = Waiting()
        _standings.add(self)

    def begins(self) -> None:
        """The shard is ours, for the first time or again."""
        if isinstance(self._situation, Waiting):
            self._situation = Idle()
        CONSUMER_RESTARTS.add(*self._consumer, amount=0)
        CONSUMER_EVENTS.add(*self._consumer, amount=0)
        CONSUMER_STOPPED.add(*self._labels, amount=0)

    def applies(self) -> None:
        """There are events, which are being applied."""
        match self._situation:
            case Waiting():
                pass
            case Idle():
                self._situation = Applying(self._now())
            case Applying(since) | Stuck(since):
                self._situation = Applying(since)
            case _:
                assert_never(self._situation)

    def stands(self, cursor: Cursor, head: Head | None, applied: int) -> None:
        """A step is done: where it ends, the end of the log if that is known, and how many events it has applied."""
        self._head = head or self._head
        if isinstance(self._situation, Waiting):
            return
        lag = self._lag(cursor)
        self._situation = self._after(lag, applied)
        CONSUMER_EVENTS.add(*self._consumer, amount=applied)
        CONSUMER_STOPPED.set(0, *self._labels)
        if self._head:
            CONSUMER_LAG.set(lag, *self._labels)

    def _after(self, lag: int, applied: int) -> Situation:
        if not lag:
            return Idle()
        if isinstance(self._situation, (Applying, Stuck)) and not applied:
            return Stuck(self._situation.since)
        return Stuck(self._now())

    def _lag(self, cursor: Cursor) -> int:
        if self._head is None:
            return 0
        return max(max(0, self._head.positions[n] - cursor.positions[n]) for n in self._partitions)

    def hangs(self) -> None:
        """The watchdog starts it again. Where it hung while it applied, it may have stalled."""
        CONSUMER_RESTARTS.add(*self._consumer)
        match self._situation:
            case Waiting():
                pass
            case Applying(since):
                self._situation = Stuck(since)
            case Idle() | Stuck():
                self._situation = Idle()
            case _:
                assert_never(self._situation)

    def stops(self) -> None:
        """It goes on only once somebody has seen to it."""
        CONSUMER_STOPPED.set(1, *self._labels)
        self.fails()

    def fails(self) -> None:
        """An error says why it does not get on. What is known of the shard stays so, until another has it."""
        if not isinstance(self._situation, Waiting):
            self._situation = Idle()

    def leaves(self) -> None:
        """The shard is another's, or nobody's: that one tells of it."""
        if not isinstance(self._situation, Waiting):
            CONSUMER_LAG.forget(*self._labels)
            CONSUMER_STOPPED.forget(*self._labels)
        self._situation = Waiting()

    def has_stalled(self, seconds: float) -> bool:
        """Whether for so long it had something to apply, got no further, and nothing said why."""
        match self._situation:
            case Applying(since) | Stuck(since):
                return self._now() - since >= seconds
            case Waiting() | Idle():
                return False
            case _:
                assert_never(self._situation)


_standings: WeakSet[Standing] = WeakSet()


def stalled_now(seconds: float = STALLED_SECONDS) -> Sequence[str]:
    """The consumers of this process that have stalled."""
    return sorted(each.name for each in _standings if each.has_stalled(seconds))
