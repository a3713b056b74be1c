"""Feeds that give again what they gave before, in one way or another, or just what a test wants."""

from dataclasses import dataclass

from steerco_events.ports import Batch, Cursor, EventFeed


@dataclass
class _Over:
    """A feed over another."""

    source: EventFeed

    @property
    def service(self) -> str:
        """Of the same log."""
        return self.source.service

    async def wait(self, seconds: float) -> None:
        """As the other waits."""
        await self.source.wait(seconds)

    async def close(self) -> None:
        """The other with it."""
        await self.source.close()


@dataclass
class Repeating(_Over):
    """A feed that gives every event it ever gave once more, as a topic with duplicates may."""

    async def read(self, after: Cursor, limit: int) -> Batch:
        """All up to where the new events end."""
        new = await self.source.read(after, limit)
        end = max((event.position for event in new.events), default=0)
        everything = await self.source.read(Cursor(), 1000)
        return Batch([event for event in everything.events if event.position <= end], new.cursor)


@dataclass
class Doubling(_Over):
    """A feed that gives all events from the first on, and all of them twice, when there is something new."""

    async def read(self, after: Cursor, limit: int) -> Batch:
        """All, and all again."""
        new = await self.source.read(after, limit)
        if new.cursor.positions == after.positions:
            return new
        everything = await self.source.read(Cursor(), limit)
        return Batch([*everything.events, *everything.events], new.cursor)


@dataclass
class Stammering(_Over):
    """A feed that gives what it gave before once more, and each event twice."""

    async def read(self, after: Cursor, limit: int) -> Batch:
        """What came before, and each of the new events twice."""
        new = await self.source.read(after, limit)
        before = (await self.source.read(Cursor(), 1000)).events if after.generation else ()
        known = [event for event in before if event.position <= max(after.positions)]
        return Batch([*known, *(event for each in new.events for event in (each, each))], new.cursor, new.head)


@dataclass
class Giving(_Over):
    """A feed that gives this batch."""

    batch: Batch

    async def read(self, after: Cursor, limit: int) -> Batch:
        """Always the same."""
        return self.batch
