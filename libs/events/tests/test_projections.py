"""Rows and checkpoint move together or not at all; a rebuild happens beside the build that is read."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import inspect, select, text

from steerco_events.consuming.consumer import Consumer
from steerco_events.envelope import Recorded
from steerco_events.ports import Batch, Cursor, EventFeed, OpenFeed
from steerco_events.postgres.checkpoints import CheckpointMoved
from steerco_events.postgres.lease_keeper import LeaseKeeper
from steerco_events.projections.builds import Build, Builds, ViewNotBuilt
from steerco_events.projections.keeping import KEEPING, Keeping
from steerco_events.projections.model import Projection, View
from steerco_events.projections.runner import ViewRunner, following
from steerco_events.projections.tables import SCHEMA, known_at, row_of
from steerco_events.signals import Signal
from steerco_events.testkit.feeds import count_up
from steerco_events.testkit.logs import Log, read_on, running, until
from steerco_events.testkit.tallies import TallyRow, evolve, key, tallies, tally_view
from steerco_events.testkit.tally import Closed, Counted, Labeled


class Broken(ConnectionError):
    """Something that is mended later, and no event's fault."""


@dataclass
class Repeating:
    """A feed that gives every event it ever gave once more, as a topic with duplicates may."""

    source: EventFeed

    @property
    def service(self) -> str:
        return self.source.service

    async def read(self, after: Cursor, limit: int) -> Batch:
        new = await self.source.read(after, limit)
        end = max((event.position for event in new.events), default=0)
        everything = await self.source.read(Cursor(), 1000)
        return Batch([event for event in everything.events if event.position <= end], new.cursor)

    async def wait(self, seconds: float) -> None:
        await self.source.wait(seconds)

    async def close(self) -> None:
        await self.source.close()


@dataclass
class Giving:
    """A feed that gives this batch."""

    source: EventFeed
    batch: Batch

    @property
    def service(self) -> str:
        return self.source.service

    async def read(self, after: Cursor, limit: int) -> Batch:
        return self.batch

    async def wait(self, seconds: float) -> None:
        await self.source.wait(seconds)

    async def close(self) -> None:
        await self.source.close()


@dataclass
class HeldBack:
    """A feed that gives nothing to a reader at the start of the log, until it is let go."""

    source: EventFeed
    let_go: asyncio.Event

    @property
    def service(self) -> str:
        return self.source.service

    async def read(self, after: Cursor, limit: int) -> Batch:
        if after.generation == 0:
            await self.let_go.wait()
        return await self.source.read(after, limit)

    async def wait(self, seconds: float) -> None:
        await self.source.wait(seconds)

    async def close(self) -> None:
        await self.source.close()


async def begin(log: Log, view: View) -> Build:
    async with log.engine.begin() as tx:
        return await Builds(view).begin(tx, log.clock.now())


def runner(log: Log, build: Build, batch: int = 100) -> Consumer:
    return Consumer(log.consumers(), following(build, batch), log.service)


async def rows(log: Log, build: Build) -> dict[str, TallyRow]:
    """What the build says now."""
    table = build.table("tallies")
    async with log.engine.connect() as connection:
        found = await connection.execute(select(table).where(known_at(table, None)))
        return {each["key"]: row_of(tallies, each) for each in found.mappings()}


async def checkpoint(log: Log, build: Build) -> Cursor:
    async with log.engine.connect() as connection:
        return await build.checkpoints.load(connection, log.service)


def amount_to(events: Sequence[Recorded]) -> dict[str, TallyRow]:
    """What events amount to, folded one by one."""
    found: dict[str, TallyRow] = {}
    for event in events:
        name = key(event)
        if name is not None:
            found[name] = evolve(found.get(name), event) or found[name]
    return found


async def story(log: Log) -> Sequence[Recorded]:
    """Some tallies' life, in seven seals."""
    for n in range(1, 4):
        await count_up(log, streams=3, times=1)
        await log.seal()
        await log.append("tally-1", Labeled(label=f"label {n}"), Counted(by=n))
        await log.append(f"label-{n}", Labeled(label="of no tally"))
        await log.seal()
    await log.append("tally-2", Closed())
    await log.seal()
    events, _ = await read_on(log.feed(), Cursor(), 19)
    return events


@pytest.mark.parametrize("batch", [1, 2, 7, 100])
async def test_batches_of_any_size_give_what_the_events_amount_to(log: Log, batch: int) -> None:
    events, build = await story(log), await begin(log, tally_view(log.service))
    worker, feed = runner(log, build, batch), log.feed()
    while await worker.step(feed):
        pass
    assert await rows(log, build) == amount_to(events)
    assert await checkpoint(log, build) == (await feed.read(Cursor(), 1000)).cursor


async def test_the_rows_of_an_instant_are_what_the_events_sealed_by_then_amount_to(log: Log) -> None:
    events, build = await story(log), await begin(log, tally_view(log.service))
    await runner(log, build).step(log.feed())
    table = build.table("tallies")
    for at in {event.sealed_at for event in events}:
        async with log.engine.connect() as connection:
            found = (await connection.execute(select(table).where(known_at(table, at)))).mappings()
            known = {each["key"]: row_of(tallies, each) for each in found}
        assert known == amount_to([event for event in events if event.sealed_at <= at])


async def test_events_that_come_again_count_once(log: Log) -> None:
    events, build = await story(log), await begin(log, tally_view(log.service))
    worker, feed = runner(log, build, batch=4), Repeating(log.feed())
    while await worker.step(feed):
        pass
    assert await rows(log, build) == amount_to(events)


async def test_a_crash_while_rows_are_written_leaves_neither_rows_nor_checkpoint(log: Log) -> None:
    broken = True

    def fragile(row: TallyRow | None, event: Recorded) -> TallyRow | None:
        if broken and event.stream_version == 3:
            raise Broken
        return evolve(row, event)

    events = await story(log)
    second = Projection("seconds", TallyRow, key, fragile)
    build = await begin(log, View("tally", 1, (log.service,), (tallies, second)))
    worker = runner(log, build)
    with pytest.raises(Broken):
        await worker.step(log.feed())
    assert (await rows(log, build), await checkpoint(log, build)) == ({}, Cursor())

    broken = False
    await worker.step(log.feed())
    assert await rows(log, build) == amount_to(events)


async def test_a_worker_that_others_overtook_changes_nothing_and_goes_on_from_what_it_finds(log: Log) -> None:
    build = await begin(log, tally_view(log.service))
    zombie, worker, feed = runner(log, build), runner(log, build), log.feed()
    for each in (zombie, worker):
        assert await each.step(feed) == 0
    events = await story(log)
    assert await worker.step(feed) == len(events)
    with pytest.raises(CheckpointMoved):
        await zombie.step(feed)
    assert await rows(log, build) == amount_to(events)

    await log.append("tally-1", Counted(by=5))
    await log.seal()
    assert await zombie.step(feed) == 1
    assert (await rows(log, build))["1"].counts[-1] == 5
    with pytest.raises(CheckpointMoved):
        await worker.step(feed)


async def test_a_build_that_is_asked_for_twice_is_one(log: Log) -> None:
    view = tally_view(log.service)
    first, second = await asyncio.gather(begin(log, view), begin(log, view))
    assert first == second


async def test_a_build_that_two_workers_make_live_is_live(log: Log) -> None:
    view = tally_view(log.service)
    build = await begin(log, view)
    for _ in range(2):
        async with log.engine.begin() as tx:
            await Builds(view).go_live(tx, build, log.clock.now())
    assert await live(log, view) == build


async def test_where_a_batch_of_nothing_new_ends_is_kept(log: Log) -> None:
    build = await begin(log, tally_view(log.service))
    worker = runner(log, build)
    await worker.step(log.feed())
    seen = await checkpoint(log, build)
    moved = replace(seen, offsets=(3,) * len(seen.offsets))
    await worker.step(Giving(log.feed(), Batch((), moved)))
    assert await checkpoint(log, build) == moved


@asynccontextmanager
async def kept(
    log: Log, view: View, open_feed: OpenFeed | None = None, keeping: Keeping = KEEPING
) -> AsyncIterator[Signal]:
    """Inside, the view is kept; the signal asks for a look at what is requested."""
    requested, leases = Signal(), LeaseKeeper(log.engine)
    keeper = ViewRunner(view, log.consumers(leases), {log.service: open_feed or log.feed}, requested, keeping)
    async with running(leases.run, keeper.run):
        yield requested


async def live(log: Log, view: View) -> Build:
    async with log.engine.connect() as connection:
        return await Builds(view).live(connection)


async def is_live(log: Log, view: View, number: int) -> bool:
    try:
        return (await live(log, view)).number == number
    except ViewNotBuilt:
        return False


async def shows(log: Log, build: Build, total: int) -> bool:
    return sum(row.total for row in (await rows(log, build)).values()) == total


async def shows_all(log: Log, view: View, total: int) -> bool:
    return await shows(log, await live(log, view), total)


async def test_a_view_is_not_read_before_its_first_build_has_caught_up(log: Log) -> None:
    view, let_go = tally_view(log.service), asyncio.Event()
    await count_up(log, streams=2, times=2)
    async with log.sealing(), kept(log, view, lambda shard: HeldBack(log.feed(shard), let_go)):
        await log.append("tally-0", Counted(by=10))
        with pytest.raises(ViewNotBuilt):
            await live(log, view)
        let_go.set()
        await until(lambda: is_live(log, view, 1), "the first build is live")
        await until(lambda: shows_all(log, view, 16), "the live build has all events")


async def test_a_rebuild_catches_up_beside_the_live_build_which_answers_and_moves_on_meanwhile(log: Log) -> None:
    view, let_go = tally_view(log.service), asyncio.Event()
    let_go.set()
    async with log.sealing(), kept(log, view, lambda shard: HeldBack(log.feed(shard), let_go)) as requested:
        await count_up(log, streams=3, times=2)
        await until(lambda: is_live(log, view, 1), "the first build is live")
        first = await live(log, view)

        let_go.clear()
        second = await begin(log, view)
        requested.notify()
        await log.append("tally-0", Counted(by=3))
        await until(lambda: shows(log, first, 12), "the live build moves on")
        assert (await live(log, view), await rows(log, second)) == (first, {})

        let_go.set()
        await until(lambda: is_live(log, view, 2), "the second build is live")
        assert await rows(log, second) == await rows(log, first)
        await log.append("tally-0", Counted(by=4))
        await until(lambda: shows(log, second, 16), "the second build moves on")


async def test_a_view_that_a_restored_log_stopped_is_made_whole_by_a_rebuild(log: Log) -> None:
    view = tally_view(log.service)
    await count_up(log, streams=1, times=3)
    await log.seal()
    stopped = await begin(log, view)
    await runner(log, stopped).step(log.feed())
    async with log.engine.begin() as tx:
        await Builds(view).go_live(tx, stopped, log.clock.now())
        await tx.execute(text("UPDATE log.checkpoints SET positions = array_fill(9::bigint, ARRAY[12])"))
        await tx.execute(
            text("INSERT INTO log.generations SELECT 2, 3, system_identifier, timeline_id FROM log.generations")
        )
    await begin(log, view)
    async with log.sealing(), kept(log, view):
        await until(lambda: is_live(log, view, 2), "the second build is live")
        await until(lambda: shows_all(log, view, 6), "the live build has all events")


async def test_of_the_builds_that_are_read_no_more_the_newest_is_kept(log: Log) -> None:
    view = tally_view(log.service)
    async with log.sealing(), kept(log, view, keeping=Keeping(read_for=timedelta(0))) as requested:
        await log.append("tally-0", Counted(by=1))
        await until(lambda: is_live(log, view, 1), "the first build is live")
        for number in (2, 3):
            await begin(log, view)
            requested.notify()
            await until(partial(is_live, log, view, number), f"build {number} is live")
        await until(lambda: has_tables(log, "tally_tallies_v1_b2", "tally_tallies_v1_b3"), "the first build is gone")
    async with log.engine.connect() as connection:
        assert await Build(view, 1).checkpoints.load(connection, log.service) == Cursor()


async def has_tables(log: Log, *names: str) -> bool:
    async with log.engine.connect() as connection:
        found = await connection.run_sync(lambda sync: inspect(sync).get_table_names(SCHEMA))
    return set(found) == set(names)


async def test_a_new_version_of_a_view_is_built_while_the_old_one_is_read(log: Log) -> None:
    old = tally_view(log.service)
    new = replace(old, version=2)
    async with log.sealing(), kept(log, old):
        await log.append("tally-0", Counted(by=1))
        await until(lambda: is_live(log, old, 1), "the old version is live")
        await until(lambda: shows_all(log, old, 1), "the old version has all events")
        with pytest.raises(ViewNotBuilt):
            await live(log, new)
        async with kept(log, new):
            await until(lambda: is_live(log, new, 1), "the new version is live")
        assert await rows(log, await live(log, new)) == await rows(log, await live(log, old))
