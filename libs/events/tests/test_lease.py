"""One holder at a time, and whoever was one is fenced out."""

import asyncio
from datetime import datetime, timedelta

import pytest
from sqlalchemy import text

from steerco_events.ids import new_id
from steerco_events.ports import Cursor
from steerco_events.positions import PARTITIONS
from steerco_events.postgres.checkpoints import Checkpoints
from steerco_events.postgres.lease import Lease, LeaseLost, turn_of
from steerco_events.testkit.logs import Log, until, waits_for_a_lock

LONG = timedelta(hours=1)
BRIEF = timedelta(milliseconds=100)
SOON = timedelta(seconds=2)
"""Runs out while somebody waits for it, but not before the holder has begun to use it."""


def name() -> str:
    return f"lease {new_id()}"


async def acquire(log: Log, lease: Lease) -> bool:
    async with log.engine.begin() as tx:
        return await lease.acquire(tx)


async def hold(log: Log, lease: Lease) -> None:
    async with log.engine.begin() as tx:
        await lease.hold(tx)


async def release(log: Log, lease: Lease) -> None:
    async with log.engine.begin() as tx:
        await lease.release(tx)


async def somebody_waits(log: Log) -> bool:
    async with log.engine.connect() as connection:
        return await waits_for_a_lock(connection)


async def ran_out(log: Log, lease: Lease) -> bool:
    async with log.engine.connect() as connection:
        query = text("SELECT expires_at <= clock_timestamp() FROM log.leases WHERE name = :name")
        return bool((await connection.execute(query, {"name": lease.name})).scalar_one())


async def end_of(log: Log, lease: Lease) -> datetime:
    async with log.engine.connect() as connection:
        query = text("SELECT expires_at FROM log.leases WHERE name = :name")
        end: datetime = (await connection.execute(query, {"name": lease.name})).scalar_one()
        return end


async def test_of_eight_that_want_a_lease_at_once_one_gets_it(shared_log: Log) -> None:
    wanted = name()
    got = await asyncio.gather(*(acquire(shared_log, Lease(wanted, LONG)) for _ in range(8)))
    assert sorted(got) == [False] * 7 + [True]


async def test_leases_of_other_names_do_not_matter(shared_log: Log) -> None:
    assert await acquire(shared_log, Lease(name(), LONG))
    assert await acquire(shared_log, Lease(name(), LONG))


async def test_the_holder_renews_its_lease_and_stays_in_its_epoch(shared_log: Log) -> None:
    lease = Lease(name(), LONG)
    for _ in range(3):
        assert await acquire(shared_log, lease)
        assert lease.epoch == 1
        await hold(shared_log, lease)


async def test_renewing_puts_the_end_off(shared_log: Log) -> None:
    lease = Lease(name(), LONG)
    await acquire(shared_log, lease)
    first = await end_of(shared_log, lease)
    await acquire(shared_log, lease)
    assert await end_of(shared_log, lease) > first


async def test_a_lease_that_ran_out_goes_to_the_next_and_fences_out_the_last(shared_log: Log) -> None:
    first = Lease(name(), BRIEF)
    second = Lease(first.name, LONG)
    assert await acquire(shared_log, first)
    await until(lambda: acquire(shared_log, second), "the lease runs out")
    assert second.epoch == first.epoch + 1
    await hold(shared_log, second)
    with pytest.raises(LeaseLost):
        await hold(shared_log, first)
    assert not await acquire(shared_log, first)


async def test_a_lease_that_ran_out_is_held_by_nobody(shared_log: Log) -> None:
    lease = Lease(name(), BRIEF)
    await acquire(shared_log, lease)
    await until(lambda: ran_out(shared_log, lease), "the lease runs out")
    with pytest.raises(LeaseLost):
        await hold(shared_log, lease)


async def test_who_takes_back_a_lease_that_ran_out_is_in_another_epoch(shared_log: Log) -> None:
    lease = Lease(name(), BRIEF)
    await acquire(shared_log, lease)
    await until(lambda: ran_out(shared_log, lease), "the lease runs out")
    lease.lasts = LONG
    assert await acquire(shared_log, lease)
    assert lease.epoch == 2
    await hold(shared_log, lease)


async def test_nobody_takes_the_lease_before_a_transaction_that_holds_it_has_ended(shared_log: Log) -> None:
    first = Lease(name(), SOON)
    second = Lease(first.name, LONG)
    await acquire(shared_log, first)
    async with shared_log.engine.begin() as tx:
        await first.hold(tx)
        await until(lambda: ran_out(shared_log, first), "the lease runs out")
        taking = asyncio.create_task(acquire(shared_log, second))
        await until(lambda: somebody_waits(shared_log), "the successor waits")
        assert not taking.done()
    assert await taking


async def test_a_place_is_kept_only_by_who_holds_the_lease(log: Log) -> None:
    places, lease = Checkpoints("relay"), Lease(name(), LONG)
    here, there = Cursor(1, (1,) * PARTITIONS), Cursor(1, (2,) * PARTITIONS)
    await acquire(log, lease)
    async with log.engine.begin() as tx:
        await places.advance(tx, log.service, Cursor(), here)
        await places.advance_as_holder(tx, lease, log.service, here, there)
    async with log.engine.begin() as tx:
        await lease.release(tx)
    async with log.engine.begin() as tx:
        with pytest.raises(LeaseLost):
            await places.advance_as_holder(tx, lease, log.service, there, here)
        assert (await places.load(tx, log.service)).place == there.place


async def test_nobody_takes_the_lease_while_a_place_is_being_kept(log: Log) -> None:
    places, first = Checkpoints("relay"), Lease(name(), SOON)
    second = Lease(first.name, LONG)
    here, there = Cursor(1, (1,) * PARTITIONS), Cursor(1, (2,) * PARTITIONS)
    async with log.engine.begin() as tx:
        await places.advance(tx, log.service, Cursor(), here)
    await acquire(log, first)

    async def keep() -> None:
        async with log.engine.begin() as tx:
            await places.advance_as_holder(tx, first, log.service, here, there)

    async with log.engine.begin() as blocking:
        await blocking.execute(text("SELECT FROM log.checkpoints FOR UPDATE"))
        keeping = asyncio.create_task(keep())
        await until(lambda: somebody_waits(log), "the place is waited for")
        await until(lambda: ran_out(log, first), "the lease runs out")
        taking = asyncio.create_task(acquire(log, second))
        done, _ = await asyncio.wait((taking,), timeout=0.5)
        assert not done
    await keeping
    assert await taking


async def test_a_standby_tries_again_when_the_lease_runs_out(shared_log: Log) -> None:
    dead, standby = Lease("standby", timedelta(seconds=3)), Lease("standby", timedelta(seconds=60))
    async with shared_log.engine.begin() as tx:
        assert await dead.acquire(tx)
    async with shared_log.engine.begin() as tx:
        assert not await standby.acquire(tx)
    async with asyncio.timeout(15):  # a third of its own time is longer
        await turn_of(standby, shared_log.engine)
    async with shared_log.engine.begin() as tx:
        assert await standby.acquire(tx)


async def test_a_released_lease_is_free_at_once(shared_log: Log) -> None:
    first = Lease(name(), LONG)
    second = Lease(first.name, LONG)
    await acquire(shared_log, first)
    await release(shared_log, first)
    assert await acquire(shared_log, second)
    assert second.epoch == 2


async def test_only_the_holder_releases_a_lease(shared_log: Log) -> None:
    first = Lease(name(), LONG)
    second = Lease(first.name, LONG)
    await acquire(shared_log, first)
    second.epoch = first.epoch
    await release(shared_log, second)
    await hold(shared_log, first)
