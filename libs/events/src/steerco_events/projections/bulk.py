"""Folding much at once, in bounded memory: chunks of a log, and the current rows of a build that is being made.

A row's current state is mostly still at hand; of what is not, the table is asked, once for a chunk. It is asked
neither for the rows of a journal nor for those of a stream's first event: a chunk holds only events that the build
does not have, so these can't be there.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import batched
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from steerco_events.envelope import Recorded
from steerco_events.ports import Batch, Cursor, EventFeed
from steerco_events.positions import Head
from steerco_events.projections.builds import Build
from steerco_events.projections.fold import Changed, Concerned, Current, concerned, enter, fold
from steerco_events.projections.model import Interval, Projection
from steerco_events.projections.tables import Form
from steerco_events.projections.writing import Changes, changes, open_rows, raw_connection, write

CHUNK = 6000
"""Events of one transaction."""

READ = 2000
"""Events of one read: what stands between two looks at whatever else the process does."""

SLICE = 250
"""Events that are folded between two such looks."""

KEPT_ROWS = 6000
"""Current rows of one projection that are kept at hand."""

PATIENCE = 0.2
"""Seconds to wait for a feed that is on its way to more."""

LOOKS = 5
"""How often a feed is asked again that gives nothing and is not at the end of its log."""

WATERMARK_STEP = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Events of one log that a build does not have, between the cursors `seen` and `cursor`."""

    service: str
    seen: Cursor
    cursor: Cursor
    events: Sequence[Recorded]

    @property
    def is_worth_keeping(self) -> bool:
        """Whether the cursor has moved, be it only to say that nothing happened for a second."""
        if self.cursor.place != self.seen.place or self.cursor.watermark is None:
            return self.cursor.place != self.seen.place
        return self.seen.watermark is None or self.cursor.watermark >= self.seen.watermark + WATERMARK_STEP


class Source:
    """One log, read chunk by chunk from a cursor on. `at_head` when the last chunk reached its end."""

    def __init__(self, feed: EventFeed, cursor: Cursor, read: int = READ) -> None:
        self.feed = feed
        self.cursor = cursor
        self._most = read
        self.head: Head | None = None
        self.at_head = False
        self._ahead: Batch | None = None

    async def look_ahead(self) -> None:
        """Learn where the log ends, if it can be learned soon."""
        for _ in range(LOOKS):
            self._ahead = await self._read()
            if self.head or self._ahead.events:
                break
            await self.feed.wait(PATIENCE)

    async def _read(self) -> Batch:
        batch, self._ahead = self._ahead or await self.feed.read(self.cursor, self._most), None
        self.head = batch.head or self.head
        return batch

    async def chunk(self, most: int) -> Chunk:
        """What comes next, of some `most` events; less at the end of the log, or when there is no more for now."""
        seen, events, looks = self.cursor, list[Recorded](), LOOKS
        while len(events) < most and looks:
            batch = await self._read()
            events.extend(_new(batch.events, self.cursor))
            self.cursor, self.at_head = batch.cursor, batch.cursor.watermark is not None
            if self.at_head:
                break
            if not batch.events:
                await self.feed.wait(PATIENCE)
                looks -= 1
        return Chunk(self.feed.service, seen, self.cursor, events)

    @property
    def way(self) -> tuple[int, int]:
        """How many positions are behind us, of how many; of a log that comes in partitions, their common share."""
        if self.head is None:
            return max(self.cursor.positions), max(self.cursor.positions)
        goal, all_of_it = max(self.head.positions), sum(self.head.positions)
        have = sum(min(at, end) for at, end in zip(self.cursor.positions, self.head.positions, strict=True))
        return (goal * have // all_of_it, goal) if all_of_it else (0, 0)


def _new(events: Sequence[Recorded], cursor: Cursor) -> Iterator[Recorded]:
    return (event for event in events if event.position > cursor.positions[event.partition])


type Folded = Sequence[tuple[Form[Any], Changes]]
"""What a chunk changes, table by table."""


class Folding:
    """Folds chunk after chunk into one build, which nobody else writes.

    After an error what is at hand may not be what the tables hold: begin anew.
    """

    def __init__(self, engine: AsyncEngine, build: Build, kept_rows: int = KEPT_ROWS) -> None:
        self._engine = engine
        self._projections = build.view.projections
        self._forms = {each.name: build.form(each) for each in self._projections}
        self._current: dict[str, OrderedDict[str, Interval[Any]]]
        self._current = {each.name: OrderedDict() for each in self._projections}
        self._used: dict[str, int] = {}
        self._kept_rows = kept_rows

    async def fold(self, events: Sequence[Recorded], tx: AsyncConnection | None = None) -> Folded:
        """What the events change; rows that are not at hand are looked up in `tx`, else by a connection of its own."""
        found: list[list[Concerned]] = [[] for _ in self._projections]
        for part in batched(events, SLICE):
            for concerns, projection in zip(found, self._projections, strict=True):
                concerns.extend(concerned(projection, part))
            await asyncio.sleep(0)
        self._used = {}
        folded = []
        for concerns, projection in zip(found, self._projections, strict=True):
            if concerns:
                folded.append((self._forms[projection.name], await self._fold(projection, concerns, tx)))
        return folded

    async def _fold(
        self, projection: Projection[Any], concerns: Sequence[Concerned], tx: AsyncConnection | None
    ) -> Changes:
        form = self._forms[projection.name]
        if projection.is_journal:
            entered: dict[str, Interval[Any]] = {}
            for part in batched(concerns, SLICE):
                enter(projection, part, entered)
                await asyncio.sleep(0)
            return changes(form, list(entered.values()))
        current = await self._at_hand(projection.name, concerns, tx)
        changed: Changed[Any] = {}
        for part in batched(concerns, SLICE):
            fold(projection, current, part, changed)
            await asyncio.sleep(0)
        return changes(form, list(changed.values()))

    async def _at_hand(self, name: str, concerns: Sequence[Concerned], tx: AsyncConnection | None) -> Current[Any]:
        """The current rows, among them all that are concerned; those come last."""
        current = self._current[name]
        begun: dict[str, int] = {}
        for key, event in concerns:
            begun.setdefault(key, event.stream_version)
        self._used[name] = len(begun)
        unknown = []
        for key, stream_version in begun.items():
            if key in current:
                current.move_to_end(key)
            elif stream_version > 1:
                unknown.append(key)
        if unknown:
            current.update(await self._look_up(self._forms[name], unknown, tx))
        return current

    async def _look_up(self, form: Form[Any], keys: Sequence[str], tx: AsyncConnection | None) -> Current[Any]:
        if tx is not None:
            return await open_rows(await raw_connection(tx), form, keys)
        async with self._engine.connect() as connection:
            return await open_rows(await raw_connection(connection), form, keys)

    @property
    def rows_at_hand(self) -> int:
        """How many rows are kept in memory."""
        return sum(map(len, self._current.values()))

    def forget_some(self) -> None:
        """Keep the rows last used. Call it when all is committed but the changes of the last chunk."""
        for name, current in self._current.items():
            kept = max(self._kept_rows, self._used.get(name, 0))
            while len(current) > kept:
                current.popitem(last=False)


async def write_all(tx: AsyncConnection, folded: Folded) -> None:
    """Make the changes of a chunk."""
    raw = await raw_connection(tx)
    for form, found in folded:
        await write(raw, form, found)
