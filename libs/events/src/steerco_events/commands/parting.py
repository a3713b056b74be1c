"""Two things that are not for the same person to do: who did the one in a stream may not do the other there.

Whoever really acted counts, and on whose behalf. What was done is read in the transaction that decides, after the
stream: the append proves by the stream's version that nothing came between.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from uuid import UUID

import msgspec

from steerco_events.envelope import Context
from steerco_events.postgres.statements import Transaction
from steerco_events.postgres.store import Append, EventStore

type Deed = tuple[str, str, UUID]
"""The stream and the type of an event, and a person who did it or for whom it was done."""


class Parting(msgspec.Struct, frozen=True):
    """Who did one of the events of these types is judged by the units that the thing concerns.

    `judge` raises `Forbidden` where the two must be apart.
    """

    events: frozenset[str]
    judge: Callable[[Sequence[UUID]], None]

    def check(self, stream: str, context: Context, units: Sequence[UUID], deeds: set[Deed]) -> None:
        """Judge who acts now, if they did one of these in the stream."""
        if any((stream, event, person) in deeds for event in self.events for person in context.people):
            self.judge(units)


async def deeds_of(tx: Transaction, store: EventStore, parted: Iterable[tuple[str, Parting]]) -> set[Deed] | None:
    """What was done in streams of which somebody must know it; `None` where nobody must."""
    sought = [(stream, parting.events) for stream, parting in parted]
    if not sought:
        return None
    types = frozenset[str]().union(*(events for _, events in sought))
    rows = await store.who_did(tx, {stream for stream, _ in sought}, types)
    return {(stream, event, person) for stream, event, *people in rows for person in people if person}


def deeds_in(append: Append) -> Iterator[Deed]:
    """What an append adds to that."""
    events = (event_type.name for event_type, _ in append.encoded)
    streams = (write.stream for write in append.writes for _ in write.events)
    for stream, event in zip(streams, events, strict=True):
        yield from ((stream, event, person) for person in append.context.people)
