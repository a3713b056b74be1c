"""Builds beside the live one: switched to, given up, rolled back to; of one version or of two."""

import asyncio
import logging

import pytest
from sqlalchemy import text

from steerco_events.projections.builds import NoRebuild, NothingKept, RebuildUnderWay
from steerco_events.projections.keeping import cancel
from steerco_events.projections.making import Making
from steerco_events.testkit.logs import Log
from steerco_events.testkit.rebuilding import Worker, kept
from steerco_events.testkit.tallies import tally_view
from steerco_events.testkit.tally import Counted


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


async def test_a_build_that_is_given_up_while_it_is_made_is_no_failure(
    log: Log, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    to_the_ends = Making._to_the_ends
    given_up: list[int] = []

    async def given_up_once(making: Making) -> None:
        if not given_up:
            async with log.engine.begin() as tx:
                given_up.append((await cancel(tx, making._build.view)).number)
            async with log.engine.connect() as connection:
                await connection.execute(text(f"SELECT 1 FROM {making._build.table('tallies').fullname}"))
        await to_the_ends(making)

    async with kept(log) as worker:
        monkeypatch.setattr(Making, "_to_the_ends", given_up_once)
        with caplog.at_level(logging.WARNING):
            await worker.asked(lambda builds: builds.begin, log.clock.now())
            while not given_up:
                await asyncio.sleep(0.01)
            assert await worker.rebuilt() == 3
        assert (given_up, "failed" in caplog.text) == ([2], False)


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
