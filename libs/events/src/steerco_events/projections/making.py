"""Makes one build from the logs: chunk by chunk up to their ends, then its indexes, then in the live one's place.

The checkpoint moves with the rows: after an error or a crash another attempt goes on from there.
"""

import asyncio
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic

from sqlalchemy import Table
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.schema import CreateIndex

from steerco_events.clock import Clock
from steerco_events.consuming.poison import is_poison
from steerco_events.envelope import Recorded
from steerco_events.postgres.parking import Aside, Parking
from steerco_events.projections.builds import Build, Builds
from steerco_events.projections.bulk import CHUNK, KEPT_ROWS, Chunk, Folded, Folding, Source, write_all
from steerco_events.projections.garbage import rarely_collected
from steerco_events.projections.pace import Pace
from steerco_events.projections.switching import (
    NotStandingStill,
    lacks_what_is_in,
    lacks_what_is_parked,
    stand_still,
)
from steerco_events.projections.tables import SCHEMA

AT_END_SECONDS = 0.2
"""How long to rest at the end of the logs before looking again."""

AT_ONCE = 2
"""Tables whose indexes are made at the same time."""

STAND_STILL_SECONDS = 2.0
"""So long the live build may stand still while another catches up to take its place; else it is tried again."""

SWITCH_SECONDS = 5.0
"""How long the live build stands still at most, whatever hangs; then the attempt begins anew."""

TOLD_SECONDS = 1.0
"""Between two words on how far a build has come."""

STEP_SECONDS = 120.0
"""After so long a step hangs, and another attempt begins."""


class NotFolded(Exception):
    """Some event of a log is to blame; others need not wait for it."""

    def __init__(self, service: str) -> None:
        super().__init__(f"an event of the log of {service} can't be folded")
        self.service = service


@dataclass(frozen=True, slots=True)
class Digested:
    """A chunk, what it changes, and the events that are put aside since their streams are parked."""

    chunk: Chunk
    folded: Folded
    aside: Sequence[Recorded]


class Making:
    """One attempt at one build, from where its checkpoints stand. Nobody else may write its tables meanwhile."""

    def __init__(
        self,
        engine: AsyncEngine,
        clock: Clock,
        build: Build,
        sources: Sequence[Source],
        chunk: int = CHUNK,
        kept_rows: int = KEPT_ROWS,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._build = build
        self._builds = Builds(build.view)
        self._sources = sources
        self._chunk = chunk
        self._turn = deque(sources)
        self._folding = Folding(engine, build, kept_rows)
        self._pace = Pace()
        self._told_at = 0.0

    async def run(self) -> None:
        """Return when the build is live. Raises `NotFolded`, `BuildGivenUp`, `CheckpointMoved`, what a feed raises."""
        await self._begin()
        with rarely_collected():
            await self._to_the_ends()
        await self._say("makes the indexes")
        await self._complete()
        while not await self._go_live():
            await asyncio.sleep(AT_END_SECONDS)
            await self._follow(None)

    async def _begin(self) -> None:
        await asyncio.gather(*(source.look_ahead() for source in self._sources))
        async with self._engine.begin() as tx:
            await self._builds.hold(tx, self._build)
            await self._tell(tx)

    async def _to_the_ends(self) -> None:
        """One chunk is written while the next is folded and the one after that is read."""
        reading = asyncio.create_task(self._next())
        writing = asyncio.create_task(_nothing())
        try:
            while chunk := await reading:
                reading = asyncio.create_task(self._next())
                digested = await self._fold(chunk, None)
                await writing
                self._folding.forget_some()
                writing = asyncio.create_task(self._write(digested))
            await writing
        finally:
            for task in (reading, writing):
                task.cancel()
            await asyncio.gather(reading, writing, return_exceptions=True)

    async def _next(self) -> Chunk | None:
        """A chunk of a log that has more, of each in turn; `None` when all were read to their ends."""
        while waiting := [source for source in self._turn if not source.at_head]:
            self._turn.remove(waiting[0])
            self._turn.append(waiting[0])
            chunk = await self._read(waiting[0])
            if chunk.is_worth_keeping:
                return chunk
        return None

    async def _read(self, source: Source) -> Chunk:
        async with asyncio.timeout(STEP_SECONDS):
            return await source.chunk(self._chunk)

    async def _fold(self, chunk: Chunk, tx: AsyncConnection | None) -> Digested:
        events, aside = (await self._aside(chunk, tx)).part(chunk.events)
        with _blaming(chunk.service):
            return Digested(chunk, await self._folding.fold(events, tx), aside)

    async def _aside(self, chunk: Chunk, tx: AsyncConnection | None) -> Aside:
        parking = Parking(self._build.checkpoints.consumer, chunk.service)
        if tx is not None:
            return await parking.aside(tx, chunk.events)
        async with self._engine.connect() as connection:
            return await parking.aside(connection, chunk.events)

    async def _write(self, digested: Digested) -> None:
        async with asyncio.timeout(STEP_SECONDS), self._engine.begin() as tx:
            await self._write_in(tx, digested)

    async def _write_in(self, tx: AsyncConnection, digested: Digested) -> None:
        """First the checkpoint: who is a zombie learns it there, before it writes."""
        chunk = digested.chunk
        await self._builds.hold(tx, self._build)
        await self._build.checkpoints.advance(tx, chunk.service, chunk.seen, chunk.cursor)
        await Parking(self._build.checkpoints.consumer, chunk.service).keep(tx, digested.aside)
        with _blaming(chunk.service):
            await write_all(tx, digested.folded)
        if self._is_due():
            await self._tell(tx)

    def _is_due(self) -> bool:
        return monotonic() >= self._told_at + TOLD_SECONDS

    async def _tell(self, tx: AsyncConnection, doing: str | None = None, waits_for: str | None = None) -> None:
        ways = [source.way for source in self._sources]
        applied, goal = sum(at for at, _ in ways), sum(end for _, end in ways)
        rate = self._pace.rate(applied)
        now = self._clock.now()
        await self._builds.progress(
            tx, self._build, now, applied=applied, goal=goal, rate=rate, doing=doing, waits_for=waits_for
        )
        self._told_at = monotonic()

    async def _say(self, doing: str) -> None:
        async with self._engine.begin() as tx:
            await self._tell(tx, doing)

    async def _complete(self) -> None:
        """What only readers need: the other indexes, which are faster made at once, and the planner's statistics."""
        tables = iter(sorted(self._build.tables, key=lambda table: len(table.indexes), reverse=True))
        await asyncio.gather(*(self._complete_all(tables) for _ in range(AT_ONCE)))

    async def _complete_all(self, tables: Iterator[Table]) -> None:
        for table in tables:
            for index in sorted(table.indexes, key=lambda index: str(index.name)):
                async with self._engine.begin() as tx:
                    await self._builds.hold(tx, self._build)
                    await tx.execute(CreateIndex(index, if_not_exists=True))
            async with self._engine.begin() as tx:
                await tx.exec_driver_sql(f'ANALYZE "{SCHEMA}"."{table.name}"')

    async def _follow(self, tx: AsyncConnection | None) -> None:
        """Take what came in every log meanwhile."""
        for source in self._sources:
            chunk = await self._read(source)
            if chunk.is_worth_keeping:
                digested = await self._fold(chunk, tx)
                await (self._write_in(tx, digested) if tx else self._write(digested))
                self._folding.forget_some()

    async def _go_live(self) -> bool:
        """Take the live build's place; false if that has to wait."""
        if not all(source.at_head for source in self._sources) or await self._must_be_decided():
            return False
        try:
            async with asyncio.timeout(SWITCH_SECONDS), self._engine.begin() as tx:
                await self._builds.hold(tx, self._build)
                return await self._take_the_place(tx)
        except NotStandingStill:
            return False

    async def _must_be_decided(self) -> bool:
        async with self._engine.begin() as tx:
            await self._builds.hold(tx, self._build)
            lacks = await lacks_what_is_parked(tx, self._build)
            if lacks and self._is_due():
                await self._tell(tx, waits_for=lacks)
        return lacks is not None

    async def _take_the_place(self, tx: AsyncConnection) -> bool:
        """The live build stands still, and so does every consumer, until the transaction ends."""
        for live in await self._builds.in_state(tx, "live"):
            await stand_still(tx, live)
            deadline = monotonic() + STAND_STILL_SECONDS
            while await lacks_what_is_in(tx, live, {each.feed.service: each.cursor for each in self._sources}):
                if monotonic() > deadline:
                    return False
                await self._follow(tx)
            if await lacks_what_is_parked(tx, self._build):
                return False
        await self._builds.go_live(tx, self._build, self._clock.now())
        return True


async def _nothing() -> None:
    """No chunk was written yet."""


@contextmanager
def _blaming(service: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if is_poison(error):
            raise NotFolded(service) from error
        raise
