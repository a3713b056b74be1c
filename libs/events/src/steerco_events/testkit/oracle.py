"""An event store in memory, as simple as one can be: what a test's history must have led to in the real one."""

import itertools
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from steerco_events.envelope import Recorded
from steerco_events.positions import PARTITIONS, Token, partition_of
from steerco_events.postgres.store import Write
from steerco_events.testkit.tally import Counted

type Plan = Mapping[str, tuple[int, int]]
"""Of each stream: how many events, and how far beside the right version the append expects it."""


def numbers_of(write: Write) -> list[int]:
    """What a write counts."""
    return [event.by for event in write.events if isinstance(event, Counted)]


@dataclass(slots=True)
class OpenTransaction:
    """What a transaction has appended so far, which streams it has to itself, and for whose end it waits."""

    appends: list[tuple[Token, Sequence[Write]]] = field(default_factory=list)
    locked: set[str] = field(default_factory=set)
    waits_for: int | None = None

    def length(self, stream: str) -> int:
        """Events that it has put at the end of a stream."""
        return sum(len(each.events) for _, writes in self.appends for each in writes if each.stream == stream)


class Oracle:
    """Streams of numbers, and transactions in numbered slots. Every event counts a number that no other counts."""

    def __init__(self) -> None:
        self.committed: dict[str, list[int]] = defaultdict(list)
        self.accepted: list[tuple[Token, Sequence[Write]]] = []
        self.open: dict[int, OpenTransaction] = {}
        self._last = 0

    def blockers(self, slot: int, streams: Iterable[str]) -> set[int]:
        """The other transactions that have one of the streams to themselves."""
        wanted = set(streams)
        return {other for other, held in self.open.items() if other != slot and held.locked & wanted}

    def can_append(self, slot: int, streams: Iterable[str]) -> bool:
        """Whether an append of this transaction ends, at once or when the only one that it waits for has ended.

        Nobody waits for one that waits, and only one for each: so there is no ring, and no choice of who is next.
        """
        blockers = self.blockers(slot, streams)
        waiting = {other for other, held in self.open.items() if held.waits_for is not None}
        awaited = {held.waits_for for held in self.open.values()}
        free = slot not in waiting and not blockers & (waiting | awaited)
        return free and (not blockers or (len(blockers) == 1 and slot not in awaited))

    def writes(self, slot: int, plan: Plan) -> Sequence[Write]:
        """The writes of a plan, of numbers not yet counted."""
        writes = []
        for stream, (count, beside) in plan.items():
            expected = max(0, self.version(slot, stream) + beside)
            writes.append(Write(stream, expected, [Counted(by=self._last + n) for n in range(1, count + 1)]))
            self._last += count
        return writes

    def version(self, slot: int, stream: str) -> int:
        """The version of a stream as a transaction sees it."""
        return len(self.committed[stream]) + self.open[slot].length(stream)

    def fits(self, slot: int, writes: Sequence[Write]) -> bool:
        """Whether every stream is at the version that its write expects."""
        return all(self.version(slot, each.stream) == each.expected for each in writes)

    def append(self, slot: int, writes: Sequence[Write], token: Token) -> None:
        """Put the writes into a transaction."""
        held = self.open[slot]
        held.appends.append((token, writes))
        held.locked |= {each.stream for each in writes}

    def end(self, slot: int, *, committed: bool) -> Sequence[int]:
        """End a transaction; those that waited for it."""
        held = self.open.pop(slot)
        if committed:
            self.accepted += held.appends
            for write in (write for _, writes in held.appends for write in writes):
                self.committed[write.stream] += numbers_of(write)
        return [other for other, each in self.open.items() if each.waits_for == slot]

    def wrong_in(self, events: Sequence[Recorded]) -> Sequence[str]:
        """What is wrong with sealed events in the order of the log, however far it is sealed."""
        found: list[str] = []
        told: dict[str, list[int]] = defaultdict(list)
        for event in events:
            assert isinstance(event.payload, Counted)
            told[event.stream].append(event.payload.by)
            if event.stream_version != len(told[event.stream]):
                found.append(f"{event.stream} has version {event.stream_version} after {len(told[event.stream]) - 1}")
        for stream, numbers in told.items():
            if numbers != self.committed[stream][: len(numbers)]:
                found.append(f"{stream} tells {numbers}, committed was {self.committed[stream]}")
        positions = [event.position for event in events]
        if positions != sorted(set(positions)):
            found.append(f"the positions are {positions}")
        return [*found, *self._torn_in(events)]

    def _torn_in(self, events: Sequence[Recorded]) -> Sequence[str]:
        """The appends of which there is a part only, or that were sealed at two instants, or that a token misses."""
        by_number = {event.payload.by: event for event in events if isinstance(event.payload, Counted)}
        found = []
        for token, writes in self.accepted:
            numbers = [number for write in writes for number in numbers_of(write)]
            there = [by_number[number] for number in numbers if number in by_number]
            if there and (len(there) < len(numbers) or len({event.sealed_at for event in there}) > 1):
                found.append(f"of the append of {numbers} there are {[event.position for event in there]}")
            if there and token != Token.of(there[0].service, there[0].generation, _last_positions(there)):
                found.append(f"the token of the append of {numbers} is not that of its last positions")
        return found

    def missing_in(self, events: Sequence[Recorded]) -> Sequence[int]:
        """The committed numbers that do not come among the events."""
        told = {event.payload.by for event in events if isinstance(event.payload, Counted)}
        return sorted({number for numbers in self.committed.values() for number in numbers} - told)


def _last_positions(events: Iterable[Recorded]) -> Mapping[str, int]:
    return {event.stream: event.position for event in events}


def names_in_partitions(prefix: str) -> list[str]:
    """A new name for a stream of each partition: a history that is told again finds them where they were."""
    return [
        next(name for n in itertools.count() if partition_of(name := f"{prefix}-{n}") == partition)
        for partition in range(PARTITIONS)
    ]
