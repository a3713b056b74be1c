"""Builds beside the live one: switched to, given up, rolled back to, kept for a while and dropped."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import inspect, text

from steerco_events.clock import ManualClock
from steerco_events.consuming.unparking import Unparking
from steerco_events.envelope import Recorded
from steerco_events.ports import Cursor
from steerco_events.postgres.checkpoints import Checkpoints
from steerco_events.postgres.lease_keeper import LeaseKeeper
from steerco_events.postgres.parking import Parking, parked_streams, skipped_events
from steerco_events.projections.builds import Build, Builds, NoRebuild, NothingKept, RebuildUnderWay, ViewNotBuilt
from steerco_events.projections.keeping import KEEPING, Keeping, cancel, drop_old
from steerco_events.projections.model import Projection, View
from steerco_events.projections.runner import ViewRunner, following
from steerco_events.projections.tables import SCHEMA
from steerco_events.signals import Signal
from steerco_events.testkit.eaters import OPERATOR
from steerco_events.testkit.logs import Log, fresh_log, running, until
from steerco_events.testkit.tallies import TallyRow, evolve, key, tally_view
from steerco_events.testkit.tally import Counted, Labeled
from steerco_servers.testing import TemporaryPostgres


@dataclass
class Worker:
    """One worker that keeps the view, and asks of its builds."""

    log: Log
    view: View
    requested: Signal = field(default_factory=Signal)

    @asynccontextmanager
    async def running(self, shards: int = 1) -> AsyncIterator["Worker"]:
        leases = LeaseKeeper(self.log.engine, timedelta(seconds=2))
        consumers = self.log.consumers(leases, shards=shards)
        keeper = ViewRunner(self.view, consumers, {self.log.service: self.log.feed}, self.requested)
        async with running(leases.run, keeper.run):
            yield self

    async def asked[Answer](self, ask: Callable[[Builds], Callable[..., Awaitable[Answer]]], *more: object) -> Answer:
        """What `ask` of the builds answers, in a transaction of its own; the worker hears of it."""
        async with self.log.engine.begin() as tx:
            answer = await ask(Builds(self.view))(tx, *more)
        self.requested.notify()
        return answer

    async def live(self) -> int | None:
        try:
            return (await self.asked(lambda builds: builds.live)).number
        except ViewNotBuilt:
            return None

    async def until_live(self, number: int) -> None:
        async def is_live() -> bool:
            return await self.live() == number

        await until(is_live, f"build {number} is live")

    async def rebuilt(self) -> int:
        build = await self.asked(lambda builds: builds.begin, self.log.clock.now())
        await self.until_live(build.number)
        return build.number

    async def roll_back(self) -> Build:
        return await self.asked(lambda builds: builds.roll_back, self.log.clock.now())

    async def total(self, number: int) -> int:
        """What all tallies of a build amount to."""
        table = Build(self.view, number).table("tallies").fullname
        async with self.log.engine.connect() as connection:
            query = text(f"SELECT coalesce(sum(total), 0) FROM {table} WHERE sealed_to IS NULL")
            return int((await connection.execute(query)).scalar_one())

    async def until_total(self, number: int, total: int) -> None:
        async def comes_to() -> bool:
            return await self.total(number) == total

        await until(comes_to, f"build {number} comes to {total}")


@asynccontextmanager
async def kept(log: Log, view: View | None = None, shards: int = 1) -> AsyncIterator[Worker]:
    """Inside, a worker keeps the view, whose first build is live."""
    async with log.sealing(), Worker(log, view or tally_view(log.service)).running(shards) as worker:
        await worker.until_live(1)
        yield worker


async def test_a_rollback_returns_to_the_build_before_with_all_that_came_since_and_another_goes_forward(
    log: Log,
) -> None:
    async with kept(log) as worker:
        await log.append("tally-1", Counted(by=1))
        assert await worker.rebuilt() == 2
        await log.append("tally-1", Counted(by=10))
        await log.append("tally-2", Counted(by=100))
        await worker.until_total(2, 111)
        for number, total in ((1, 111), (2, 1111), (1, 2111)):
            assert (await worker.roll_back()).number == number
            await worker.until_live(number)
            assert await worker.total(number) >= 111, "it is never behind what was answered before"
            await worker.until_total(number, total)
            await log.append("tally-1", Counted(by=1000))


async def test_the_shards_of_the_live_build_may_be_others_than_when_it_was_kept(log: Log) -> None:
    async with kept(log, shards=3) as worker:
        for n in range(12):
            await log.append(f"tally-{n}", Counted(by=1))
        await worker.until_total(1, 12)
        assert await worker.rebuilt() == 2
        await log.append("tally-5", Counted(by=100))
        await worker.roll_back()
        await worker.until_live(1)
        await worker.until_total(1, 112)
        await log.append("tally-5", Counted(by=1000))
        await worker.until_total(1, 1112)


async def test_there_is_nothing_to_go_back_to_before_a_rebuild_or_while_one_is_under_way(log: Log) -> None:
    worker = Worker(log, tally_view(log.service))
    with pytest.raises(NothingKept, match="no build of tally is kept"):
        await worker.roll_back()
    async with kept(log) as worker:
        await worker.rebuilt()
    await worker.asked(lambda builds: builds.begin, log.clock.now())
    with pytest.raises(RebuildUnderWay, match="build 3 of tally is being made"):
        await worker.roll_back()
    async with log.engine.begin() as tx:
        await cancel(tx, worker.view)
    assert (await worker.roll_back()).number == (await worker.roll_back()).number == 1
    with pytest.raises(RebuildUnderWay, match="build 1 of tally is on its way back"):
        await worker.asked(lambda builds: builds.begin, log.clock.now())


async def test_a_rollback_that_is_given_up_leaves_the_build_as_it_was(log: Log) -> None:
    async with kept(log) as worker:
        await log.append("tally-1", Counted(by=1))
        await worker.rebuilt()
    await worker.roll_back()
    async with log.engine.begin() as tx:
        assert (await cancel(tx, worker.view)).number == 1
    async with log.engine.begin() as tx:
        with pytest.raises(NoRebuild):
            await cancel(tx, worker.view)
    async with log.sealing(), worker.running():
        await worker.roll_back()
        await worker.until_live(1)
        await worker.until_total(1, 1)


async def test_of_two_workers_one_makes_a_build_and_the_other_follows_it_then(log: Log) -> None:
    async with kept(log) as one, Worker(log, one.view).running() as other:
        await log.append("tally-1", Counted(by=1))
        for number in (2, 3):
            assert await one.rebuilt() == number
        await log.append("tally-1", Counted(by=1))
        await one.until_total(3, 2)
    async with log.sealing(), other.running():
        await log.append("tally-1", Counted(by=1))
        await other.until_total(3, 3)


async def test_a_build_goes_live_while_the_log_grows_without_a_pause(log: Log) -> None:
    async with kept(log) as worker:
        is_over = asyncio.Event()
        told = 0

        async def tell(stream: str) -> None:
            nonlocal told
            while not is_over.is_set():
                await log.append(stream, Counted(by=1))
                told += 1

        async with asyncio.TaskGroup() as group:
            for n in range(4):
                group.create_task(tell(f"tally-{n}"))
            for number in (2, 3):
                assert await worker.rebuilt() == number
            await worker.roll_back()
            await worker.until_live(2)
            is_over.set()
        await worker.until_total(2, told)


@dataclass
class Fussy:
    """A fold that can't digest a label while it is fussy."""

    is_fussy: bool = False

    def evolve(self, row: TallyRow | None, event: Recorded) -> TallyRow | None:
        if self.is_fussy and isinstance(event.payload, Labeled):
            raise ValueError("a label")
        return evolve(row, event)

    def view(self, service: str, version: int = 1) -> View:
        return View("tally", version, (service,), (Projection("tallies", TallyRow, key, self.evolve),))


async def test_a_build_that_parks_what_the_live_one_digested_waits_until_that_is_accepted(log: Log) -> None:
    fussy = Fussy()
    async with kept(log, fussy.view(log.service)) as worker:
        for n in range(5):
            await log.append(f"tally-{n}", Counted(by=1))
        await log.append("tally-2", Labeled(label="two"), Counted(by=10))
        await worker.until_total(1, 15)
        fussy.is_fussy = True
        build = await worker.asked(lambda builds: builds.begin, log.clock.now())

        async def waits() -> bool:
            standings = await worker.asked(lambda builds: builds.standings)
            return any("tally-2" in (each.waits_for or "") for each in standings)

        await until(waits, "the build says what it waits for")
        assert await worker.total(2) == 5
        await log.append("tally-2", Counted(by=100))
        await log.append("tally-1", Counted(by=1000))
        await worker.until_total(2, 1005)
        async with log.engine.connect() as connection:
            assert await parked_streams(connection, build.checkpoints.consumer) == {(log.service, "tally-2")}
        assert await worker.live() == 1

        await worker.asked(lambda builds: builds.accept_parked)
        await worker.until_live(2)


async def test_a_build_that_parks_what_the_live_one_has_parked_too_goes_live(log: Log) -> None:
    fussy = Fussy(is_fussy=True)
    async with kept(log, fussy.view(log.service)) as worker:
        await log.append("tally-2", Labeled(label="two"))
        await log.append("tally-1", Counted(by=1))
        await worker.until_total(1, 1)
        assert await worker.rebuilt() == 2
        assert await worker.total(2) == 1


async def skip(log: Log, view: View, number: int) -> None:
    """Have the first event of `tally-2` left out for a build."""
    build = Build(view, number)
    parking = Parking(build.checkpoints.consumer, log.service)

    async def is_parked() -> bool:
        async with log.engine.connect() as connection:
            return await parking.one(connection, "tally-2") is not None

    await until(is_parked, "the stream is parked")
    async with log.engine.begin() as tx:
        assert await parking.ask(tx, "tally-2", "skip", OPERATOR, "sent by a test system")
    await Unparking(log.consumers(), log.registry, lambda: [following(build)], Signal()).step()
    assert not await is_parked()


async def test_what_was_skipped_is_left_out_of_the_next_build_and_parked_again_by_a_new_version(log: Log) -> None:
    fussy = Fussy(is_fussy=True)
    view = fussy.view(log.service)
    async with kept(log, view) as worker:
        await log.append("tally-2", Counted(by=1), Labeled(label="two"), Counted(by=10))
        await skip(log, view, 1)
        await worker.until_total(1, 11)
        assert await worker.rebuilt() == 2
        assert await worker.total(2) == 11
        async with log.engine.connect() as connection:
            assert await parked_streams(connection, Build(view, 2).checkpoints.consumer) == set()
    newer = fussy.view(log.service, 2)
    async with kept(log, newer), log.engine.connect() as connection:
        assert await parked_streams(connection, Build(newer, 1).checkpoints.consumer) == {(log.service, "tally-2")}


async def test_a_build_that_had_parked_what_was_skipped_meanwhile_goes_on_when_it_is_tried_again(log: Log) -> None:
    fussy = Fussy()
    view = fussy.view(log.service)
    async with kept(log, view) as worker:
        await log.append("tally-1", Counted(by=100))
        await worker.until_total(1, 100)
        fussy.is_fussy = True
        await log.append("tally-2", Counted(by=1), Labeled(label="two"), Counted(by=10))
        assert await worker.rebuilt() == 2
        await skip(log, view, 2)
        parking = Parking(Build(view, 1).checkpoints.consumer, log.service)
        async with log.engine.begin() as tx:
            assert await parking.ask(tx, "tally-2", "retry", OPERATOR, None)
        await Unparking(log.consumers(), log.registry, lambda: [following(Build(view, 1))], Signal()).step()
        async with log.engine.connect() as connection:
            assert await parking.one(connection, "tally-2") is None
            assert [each.consumer for each in await skipped_events(connection, 10)] == ["tally_v1_b2"]
        assert await worker.total(1) == 111


async def test_what_is_accepted_is_said_of_a_build_that_is_being_made(log: Log) -> None:
    with pytest.raises(NoRebuild):
        await Worker(log, tally_view(log.service)).asked(lambda builds: builds.accept_parked)


async def tables(log: Log) -> set[str]:
    async with log.engine.connect() as connection:
        return set(await connection.run_sync(lambda sync: inspect(sync).get_table_names(SCHEMA)))


@pytest.fixture
async def dated_log(postgres: TemporaryPostgres) -> AsyncIterator[Log]:
    """A log of a day long ago, under a clock that is set by hand."""
    async with fresh_log(postgres, clock=ManualClock(datetime(2025, 3, 1, 12, tzinfo=UTC))) as log:
        yield log


async def dropped(log: Log, view: View, after: timedelta, keeping: Keeping = KEEPING) -> set[str]:
    """The tables that are left after so long."""
    async with log.engine.begin() as tx:
        await drop_old(tx, view, log.clock.now() + after, keeping)
    return await tables(log)


async def went_live(log: Log, view: View) -> Build:
    """A build that went live, and knows of this instant."""
    async with log.engine.begin() as tx:
        build = await Builds(view).begin(tx, log.clock.now())
        await Builds(view).go_live(tx, build, log.clock.now())
        known = Cursor(generation=1, watermark=log.clock.now())
        await build.checkpoints.advance(tx, log.service, Cursor(), known)
    return build


async def test_a_build_is_kept_until_the_next_switch_or_for_a_week(dated_log: Log) -> None:
    log, view = dated_log, tally_view(dated_log.service)
    first, second = await went_live(log, view), await went_live(log, view)
    names = [build.table("tallies").name for build in (first, second)]
    assert await dropped(log, view, timedelta(days=6)) == set(names)
    third = (await went_live(log, view)).table("tallies").name
    assert await dropped(log, view, timedelta(seconds=30)) == {*names, third}, "somebody may still read the first"
    assert await dropped(log, view, timedelta(minutes=2)) == {names[1], third}
    assert await dropped(log, view, timedelta(days=8)) == {third}
    async with log.engine.connect() as connection:
        assert await first.checkpoints.load(connection, log.service) == Cursor()
        assert [each.build for each in await Builds(view).standings(connection)] == [3]


async def test_after_a_rollback_the_build_that_was_live_last_is_kept(dated_log: Log) -> None:
    log, view = dated_log, tally_view(dated_log.service)
    for _ in range(2):
        await went_live(log, view)
    async with log.engine.begin() as tx:
        back = await Builds(view).roll_back(tx, log.clock.now())
        await Builds(view).go_live(tx, back, log.clock.now())
    assert isinstance(log.clock, ManualClock)
    log.clock.advance(timedelta(hours=1))
    await went_live(log, view)
    left = await dropped(log, view, timedelta(hours=1))
    assert left == {Build(view, number).table("tallies").name for number in (back.number, 3)}


async def test_an_older_version_is_dropped_a_week_after_the_newer_one_went_live_unless_it_is_followed(
    dated_log: Log,
) -> None:
    log, old, new = dated_log, tally_view(dated_log.service), tally_view(dated_log.service, version=2)
    of_old = [await went_live(log, old), await went_live(log, old)]
    of_new = await went_live(log, new)
    names = {build.table("tallies").name for build in of_old}
    name = of_new.table("tallies").name
    assert await dropped(log, new, timedelta(days=6)) == {*names, name}
    assert isinstance(log.clock, ManualClock)
    log.clock.advance(timedelta(days=8))
    async with log.engine.begin() as tx:
        seen = await of_old[1].checkpoints.load(tx, log.service)
        await of_old[1].checkpoints.advance(tx, log.service, seen, replace(seen, watermark=log.clock.now()))
    assert await dropped(log, new, timedelta(0)) == {*names, name}, "old code still runs"
    assert await dropped(log, old, timedelta(days=99)) == {of_old[1].table("tallies").name, name}
    assert await dropped(log, new, timedelta(hours=2)) == {name}
    async with log.engine.connect() as connection:
        assert await Checkpoints(old.consumer(2)).load(connection, log.service) == Cursor()
    assert (await went_live(log, old)).number == 3, "who goes back to old code builds its view anew"


async def test_two_versions_of_a_view_are_kept_side_by_side_and_rebuilt_each_for_itself(log: Log) -> None:
    old, new = tally_view(log.service), tally_view(log.service, version=2)
    async with kept(log, old) as of_old, Worker(log, new).running() as of_new:
        await of_new.until_live(1)
        await log.append("tally-1", Counted(by=1))
        assert set(await asyncio.gather(of_old.rebuilt(), of_new.rebuilt())) == {2}
        await log.append("tally-1", Counted(by=10))
        for worker in (of_old, of_new):
            await worker.until_total(2, 11)
        await of_old.roll_back()
        await of_old.until_live(1)
        await of_old.until_total(1, 11)
        assert await of_new.live() == 2
