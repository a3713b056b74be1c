"""A broker in memory that breaks when it is told to, and relays of a log to it."""

from collections.abc import Sequence
from datetime import timedelta

from steerco_events.envelope import Recorded
from steerco_events.ports import Cursor
from steerco_events.positions import Head
from steerco_events.postgres.checkpoints import Checkpoints
from steerco_events.relay import CONSUMER, Relay
from steerco_events.testkit.logs import Log

LONG = timedelta(hours=1)
"""A lease that does not run out in a test."""


class BrokerDown(Exception):
    """The broker is not there."""


class Wire:
    """A `Publisher` that keeps what reaches the readers; told to, it breaks after so many events."""

    def __init__(self) -> None:
        self.events: list[Recorded] = []
        self.heads: list[Head] = []
        self.breaks: list[int] = []
        self.is_new = False

    async def prepare(self) -> bool:
        was_new, self.is_new = self.is_new, False
        return was_new

    async def is_same(self) -> bool:
        return not self.is_new

    async def publish(self, events: Sequence[Recorded]) -> None:
        if self.breaks:
            self.events.extend(events[: self.breaks.pop(0)])
            raise BrokerDown
        self.events.extend(events)

    async def publish_head(self, head: Head) -> None:
        self.heads.append(head)

    async def close(self) -> None:
        """Nothing to free."""

    @property
    def positions(self) -> Sequence[int]:
        """Those of the events, in the order in which they came."""
        return [event.position for event in self.events]

    async def has_events(self, events: int) -> bool:
        """Whether so many came; one that came twice counts twice."""
        return len(self.events) >= events

    async def has_head(self) -> bool:
        """Whether a head came."""
        return bool(self.heads)


def relay(log: Log, wire: Wire, lasts: timedelta = LONG) -> Relay:
    """A relay whose lease lasts so long."""
    return Relay(log.engine, log.feed(), wire, lasts)


async def relayed(log: Log) -> Cursor:
    """The checkpoint of a log's relays."""
    async with log.engine.connect() as connection:
        return await Checkpoints(CONSUMER).load(connection, log.service)


async def has_relayed(log: Log, position: int) -> bool:
    """Whether all up to a position was taken by the broker."""
    return min((await relayed(log)).positions) >= position
