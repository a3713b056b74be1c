"""A rebuild happens beside the build that is read, which gives way once the new one has caught up."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import inspect, text

from steerco_events.consuming.consumer import Consumer
from steerco_events.ports import Batch, Cursor, EventFeed, OpenFeed
from steerco_events.postgres.lease_keeper import LeaseKeeper
from steerco_events.projections.builds import Build, Builds, ViewNotBuilt
from steerco_events.projections.keeping import KEEPING, Keeping
from steerco_events.projections.model import View
from steerco_events.projections.runner import ViewRunner, following
from steerco_events.projections.tables import SCHEMA
from steerco_events.signals import Signal
from steerco_events.testkit.feeds import count_up
from steerco_events.testkit.logs import Log, running, until
from steerco_events.testkit.rebuilding import begin, rows
from steerco_events.testkit.tallies import tally_view
from steerco_events.testkit.tally import Counted


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
    await Consumer(log.consumers(), following(stopped), log.service).step(log.feed())
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
