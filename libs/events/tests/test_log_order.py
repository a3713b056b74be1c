"""The order of the log under load: whoever reads it on gets every committed event, once, in its place."""

import asyncio
import random
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from datetime import datetime
from uuid import UUID

import pytest
from sqlalchemy import text

from steerco_events.envelope import Recorded
from steerco_events.ports import Cursor
from steerco_events.postgres.store import VersionConflict, Write
from steerco_events.testkit.logs import PATIENCE, Log, fresh_log
from steerco_events.testkit.tally import Counted
from steerco_servers.testing import TemporaryPostgres

WRITERS = 32
STREAMS = 200
TRANSACTIONS = 60
"""Of each writer."""


@pytest.fixture
async def busy_log(postgres: TemporaryPostgres) -> AsyncIterator[Log]:
    async with fresh_log(postgres, writers=WRITERS + 4) as log:
        yield log


class TurnedBack(Exception):
    """A writer changed its mind."""


class Writers:
    """Transactions over one to three streams, of which some change their mind, and some dawdle before they commit."""

    def __init__(self, log: Log, seed: int) -> None:
        self._log = log
        self._random = random.Random(seed)
        self.committed: Counter[str] = Counter()
        self.turned_back = 0

    async def run(self) -> None:
        await asyncio.gather(*(self._write_on() for _ in range(WRITERS)))

    async def _write_on(self) -> None:
        for _ in range(TRANSACTIONS):
            try:
                await self._write()
            except (TurnedBack, VersionConflict):
                self.turned_back += 1

    async def _write(self) -> None:
        names = [f"tally-{n}" for n in self._random.sample(range(STREAMS), self._random.randint(1, 3))]
        counts = [self._random.randint(1, 3) for _ in names]
        log = self._log
        async with log.engine.begin() as tx:
            versions = [(await log.store.read_stream(tx, name)).version for name in names]
            writes = [
                Write(name, version, [Counted(by=version + n + 1) for n in range(count)])
                for name, version, count in zip(names, versions, counts, strict=True)
            ]
            await log.store.append(tx, writes, log.context())
            await asyncio.sleep(self._random.choice((0, 0, 0.002, 0.03)))
            if self._random.random() < 0.2:
                raise TurnedBack
        log.appended.notify()
        self.committed.update(dict(zip(names, counts, strict=True)))


async def follow(log: Log, written: asyncio.Event, batch: int) -> list[Recorded]:
    """Read while others write, until nothing is left after the last of them."""
    feed, cursor, found = log.feed(), Cursor(), list[Recorded]()
    while True:
        over = written.is_set()
        read = await feed.read(cursor, batch)
        found.extend(read.events)
        cursor = read.cursor
        if not read.events:
            if over:
                return found
            await feed.wait(0.05)


async def sealed_completely(log: Log) -> None:
    async with asyncio.timeout(PATIENCE), log.engine.connect() as connection:
        query = text("SELECT (SELECT max(position) FROM log.events) <= (SELECT position FROM log.head)")
        while not (await connection.execute(query)).scalar_one():
            await connection.rollback()
            await asyncio.sleep(0.01)


def assert_is_the_log(events: list[Recorded], committed: Counter[str]) -> None:
    """Nothing missed, nothing twice, positions and instants in order, each stream's versions one after another.

    And what was appended together has one instant.
    """
    streams = defaultdict(list)
    instants: defaultdict[UUID, set[datetime]] = defaultdict(set)
    for event in events:
        assert event.payload == Counted(by=event.stream_version)
        streams[event.stream].append(event.stream_version)
        instants[event.correlation_id].add(event.sealed_at)
    assert streams == {stream: list(range(1, count + 1)) for stream, count in committed.items()}
    assert all(len(each) == 1 for each in instants.values())
    positions = [event.position for event in events]
    assert positions == sorted(set(positions))
    sealed = [event.sealed_at for event in events]
    assert sealed == sorted(sealed)


async def test_readers_miss_nothing_that_32_writers_commit_and_get_all_of_it_in_order_and_once(
    busy_log: Log, postgres: TemporaryPostgres
) -> None:
    writers, written = Writers(busy_log, seed=2024), asyncio.Event()
    async with (
        fresh_log(postgres) as elsewhere,
        elsewhere.engine.begin() as appends_elsewhere,
        busy_log.engine.begin() as appends_nothing,
        busy_log.sealing(),
    ):
        slow = Write("tally-slow", 0, [Counted(by=1)])
        await elsewhere.store.append(appends_elsewhere, [slow], elsewhere.context())
        await appends_nothing.execute(text("SELECT pg_current_xact_id()"))
        readers = [asyncio.create_task(follow(busy_log, written, batch)) for batch in (7, 500)]
        await writers.run()
        await sealed_completely(busy_log)
        written.set()
        logs = await asyncio.gather(*readers)
    assert writers.turned_back > 200
    assert writers.committed.total() > 1000
    for events in logs:
        assert_is_the_log(events, writers.committed)
