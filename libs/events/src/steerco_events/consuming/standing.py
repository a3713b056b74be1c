"""How a consumer stands in a shard of a log: how far behind it is, and since when it has got no further.

Whoever runs the process may start it again when a consumer has stalled. So none has that says itself why it does not
get on, or that waits for its database or its broker: another process would wait for them just as well.
"""

from collections.abc import Callable, Sequence
from time import monotonic
from weakref import WeakSet

from steerco_events.metrics import CONSUMER_EVENTS, CONSUMER_LAG, CONSUMER_RESTARTS, CONSUMER_STOPPED
from steerco_events.ports import Cursor, Shard
from steerco_events.positions import Head

STALLED_SECONDS = 300.0
"""So long a consumer may have something to apply and get no further; a step that hangs is cut off after a minute."""


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
        self._is_ours = False
        self._is_applying = False
        self._stuck_since: float | None = None
        _standings.add(self)

    def begins(self) -> None:
        """The shard is ours."""
        self._is_ours = True
        CONSUMER_RESTARTS.add(*self._consumer, amount=0)
        CONSUMER_EVENTS.add(*self._consumer, amount=0)
        CONSUMER_STOPPED.add(0, *self._labels)

    def applies(self) -> None:
        """There are events, which are being applied."""
        self._is_applying = True
        if self._stuck_since is None:
            self._stuck_since = self._now()

    def stands(self, cursor: Cursor, head: Head | None, applied: int) -> None:
        """A step is done: where it ends, the end of the log if that is known, and how many events it has applied."""
        self._is_applying = False
        self._head = head or self._head
        lag = self._lag(cursor)
        if applied or not lag:
            self._stuck_since = None
        if lag and self._stuck_since is None:
            self._stuck_since = self._now()
        if self._is_ours:
            CONSUMER_EVENTS.add(*self._consumer, amount=applied)
            CONSUMER_STOPPED.set(0, *self._labels)
            if self._head:
                CONSUMER_LAG.set(lag, *self._labels)

    def _lag(self, cursor: Cursor) -> int:
        if self._head is None:
            return 0
        return max(max(0, self._head.positions[n] - cursor.positions[n]) for n in self._partitions)

    def hangs(self) -> None:
        """The watchdog starts it again. Where it hung while it applied, it may have stalled."""
        CONSUMER_RESTARTS.add(*self._consumer)
        if not self._is_applying:
            self._stuck_since = None
        self._is_applying = False

    def stops(self) -> None:
        """It goes on only once somebody has seen to it."""
        CONSUMER_STOPPED.set(1, *self._labels)
        self.fails()

    def fails(self) -> None:
        """An error says why it does not get on."""
        self._is_applying, self._stuck_since = False, None

    def leaves(self) -> None:
        """The shard is another's, or nobody's."""
        if self._is_ours:
            CONSUMER_LAG.forget(*self._labels)
            CONSUMER_STOPPED.forget(*self._labels)
        self._is_ours, self._is_applying, self._stuck_since = False, False, None

    def has_stalled(self, seconds: float) -> bool:
        """Whether for so long it had something to apply, got no further, and nothing said why."""
        return self._stuck_since is not None and self._now() - self._stuck_since >= seconds


_standings: WeakSet[Standing] = WeakSet()


def stalled_now(seconds: float = STALLED_SECONDS) -> Sequence[str]:
    """The consumers of this process that have stalled."""
    return sorted(each.name for each in _standings if each.has_stalled(seconds))
