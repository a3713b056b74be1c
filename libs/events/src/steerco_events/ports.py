"""What the runtime needs from the outside, as protocols; PostgreSQL and Kafka adapters implement them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from steerco_events.envelope import Recorded
from steerco_events.positions import PARTITIONS, START, Head, Positions

type Offsets = tuple[int, ...]
"""Where the transport resumes, per partition: a hint; positions are the truth."""


@dataclass(frozen=True, slots=True)
class Shard:
    """One of the parts that a consumer's work in a log is divided into: the partitions p with p mod `of` = `number`."""

    number: int = 0
    of: int = 1

    @property
    def partitions(self) -> tuple[int, ...]:
        """The partitions that belong to it."""
        return tuple(range(self.number, PARTITIONS, self.of))

    def __str__(self) -> str:
        return f"shard {self.number} of {self.of}"


WHOLE = Shard()
"""Work that is not divided."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a consumer has come in one log; of one shard, only the positions of its partitions count.

    `began` says after which position each generation began, as far as the consumer has learned it.
    """

    generation: int = 0
    positions: Positions = START
    offsets: Offsets = START
    watermark: datetime | None = None
    began: tuple[int, ...] = ()

    @property
    def place(self) -> tuple[int, Positions, Offsets]:
        """Where it stands; the watermark moves on there too."""
        return self.generation, self.positions, self.offsets


@dataclass(frozen=True, slots=True)
class Batch:
    """Events in an order that keeps each stream's, and the cursor after them.

    Events may come twice; a consumer passes over those at or below its position of their partition.
    An empty batch may still move the cursor's watermark. `head` is the end of the log, if the feed knows it. `system`
    is what they were read from.
    """

    events: Sequence[Recorded]
    cursor: Cursor
    head: Head | None = None
    system: str = "postgresql"


class EventFeed(Protocol):
    """Reads one service's sealed events, or those of one shard. One reader per instance."""

    @property
    def service(self) -> str:
        """Whose log it is."""
        ...

    async def read(self, after: Cursor, limit: int) -> Batch:
        """At most `limit` events after the cursor; at once, empty if there are none.

        Raises `LogRewound` if the cursor stands beyond the start of a later generation.
        """
        ...

    async def wait(self, seconds: float) -> None:
        """Return when there may be more to read, or after `seconds`."""
        ...

    async def close(self) -> None:
        """Free the connection; the feed can't be used any more."""
        ...


type OpenFeed = Callable[[Shard], EventFeed]
"""Opens a new feed on one shard of one service's log."""


class Publisher(Protocol):
    """Carries sealed events and the head of one log to its readers."""

    async def prepare(self) -> bool:
        """Make what is missing to publish into; whether nothing that was published before is there any more."""
        ...

    async def is_same(self) -> bool:
        """Whether what `prepare` has found is still there; if not, prepare again."""
        ...

    async def publish(self, events: Sequence[Recorded]) -> None:
        """Return when every event is safely taken, in order; raise if any is not (all may then be sent again)."""
        ...

    async def publish_head(self, head: Head) -> None:
        """Tell the readers how far the log is complete."""
        ...

    async def close(self) -> None:
        """Free the connection."""
        ...


class FeedStalled(Exception):
    """There is more in the log than the feed gives, and another reader did not help."""


class LogRewound(Exception):
    """The log was restored to a point before what this consumer has already applied.

    `began` says after which position each of its generations began.
    """

    def __init__(self, message: str, began: tuple[int, ...] = ()) -> None:
        super().__init__(message)
        self.began = began


def check_not_rewound(service: str, head: Head, after: Cursor) -> None:
    """Raise `LogRewound` if a later generation began before where the cursor stands.

    A cursor beyond the head, in its generation, is none that lost something: a consumer may have taken events from a
    topic before their head comes on its own, or now ask a replica that is behind the database which it read before.
    """
    kept = head.kept_of(after.generation) if after.generation else None
    if kept is not None and max(after.positions) > kept:
        raise LogRewound(
            f"{service}: the log was restored and goes on after position {kept} in generation {head.generation},"
            f" this consumer is at {max(after.positions)} of generation {after.generation}",
            head.began,
        )
