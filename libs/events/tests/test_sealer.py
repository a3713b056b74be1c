"""What is sealed is settled: nothing appears below it any more, and it has its instant."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from steerco_events.clock import ManualClock
from steerco_events.envelope import Recorded
from steerco_events.ports import Cursor
from steerco_events.positions import Head
from steerco_events.postgres.lease import Lease, LeaseLost
from steerco_events.postgres.sealer import TICK, Sealed, Sealer, Superseded
from steerco_events.postgres.store import Write
from steerco_events.sealing import Sealing
from steerco_events.signals import Signal
from steerco_events.testkit.logs import Log, fresh_log, read_on, running, until, waits_for_a_lock
from steerco_events.testkit.tally import Counted
from steerco_servers.testing import TemporaryPostgres

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
ONE = Counted(by=1)


async def sealed(log: Log) -> list[Recorded]:
    return list((await log.feed().read(Cursor(), 1000)).events)


async def positions(log: Log) -> list[int]:
    return [event.position for event in await sealed(log)]


async def head(log: Log) -> Head:
    return await log.feed().head()


async def lose_lease(log: Log) -> None:
    async with log.engine.begin() as tx:
        await tx.execute(text("UPDATE log.leases SET expires_at = clock_timestamp()"))


async def somebody_waits(log: Log) -> bool:
    async with log.engine.connect() as connection:
        return await waits_for_a_lock(connection)


async def restore(log: Log) -> None:
    """Make the server look like another one than that which the log was written on."""
    owner = create_async_engine(log.urls.owner_url, poolclass=NullPool)
    async with owner.begin() as tx:
        await tx.execute(text("UPDATE log.generations SET timeline_id = timeline_id - 1"))


async def test_a_late_committer_is_not_overtaken(log: Log) -> None:
    await log.append("tally-1", ONE)
    await log.seal()
    async with log.engine.begin() as late:
        await log.store.append(late, [Write("tally-late", 0, [ONE])], log.context())
        for n in range(3):
            await log.append(f"tally-fast-{n}", ONE)
            assert await log.sealer.scan() == Sealed(0, pending=True)
        assert await positions(log) == [1]
    assert await log.sealer.scan() == Sealed(4, pending=False)
    assert await positions(log) == [1, 2, 3, 4, 5]


async def test_what_was_settled_before_a_late_committer_began_is_sealed(log: Log) -> None:
    await log.sealer.start()
    async with log.engine.begin() as first:
        await log.store.append(first, [Write("tally-1", 0, [ONE])], log.context())
        await log.sealer.scan()
        async with log.engine.begin() as second:
            await log.store.append(second, [Write("tally-2", 0, [ONE])], log.context())
            await first.commit()
            assert await log.sealer.scan() == Sealed(1, pending=True)
            assert await positions(log) == [1]
    assert await log.sealer.scan() == Sealed(1, pending=False)


async def test_a_position_that_was_rolled_back_is_passed_over(log: Log) -> None:
    async with log.engine.connect() as tx:
        await log.store.append(tx, [Write("tally-1", 0, [ONE])], log.context())
        await tx.rollback()
    await log.append("tally-2", ONE)
    await log.seal()
    assert await positions(log) == [2]
    assert await log.sealer.scan() == Sealed(0, pending=False)


async def test_positions_that_were_all_rolled_back_hold_nothing_up(log: Log) -> None:
    async with log.engine.connect() as tx:
        await log.store.append(tx, [Write("tally-1", 0, [ONE])], log.context())
        await tx.rollback()
    await log.seal()
    assert await log.sealer.scan() == Sealed(0, pending=False)
    assert await positions(log) == []


async def test_an_append_in_another_database_holds_nothing_up(log: Log, postgres: TemporaryPostgres) -> None:
    async with fresh_log(postgres) as elsewhere, elsewhere.engine.begin() as slow:
        await elsewhere.store.append(slow, [Write("tally-1", 0, [ONE])], elsewhere.context())
        await log.append("tally-1", ONE)
        await log.sealer.start()
        assert await log.sealer.scan() == Sealed(1, pending=False)


async def test_a_reader_does_not_wait_for_an_append_under_way(log: Log) -> None:
    await log.append("tally-1", ONE)
    await log.seal()
    async with log.engine.begin() as slow:
        await log.store.append(slow, [Write("tally-1", 1, [ONE])], log.context())
        assert await positions(log) == [1]


async def test_no_two_seals_share_an_instant_even_if_the_clock_stands_still_or_goes_back(
    postgres: TemporaryPostgres,
) -> None:
    clock = ManualClock(NOON)
    async with fresh_log(postgres, clock=clock) as log:
        for at in (NOON, NOON, NOON - timedelta(hours=1), NOON + timedelta(hours=1)):
            clock.set(at)
            await log.append("tally-1", *([ONE, ONE] if at > NOON else [ONE]))
            await log.seal()
        instants = [event.sealed_at for event in await sealed(log)]
    late = NOON + timedelta(hours=1)
    assert instants == [NOON, NOON + TICK, NOON + 2 * TICK, late, late]


async def test_a_beat_moves_the_watermark_of_a_quiet_log(postgres: TemporaryPostgres) -> None:
    clock = ManualClock(NOON)
    async with fresh_log(postgres, clock=clock) as log:
        await log.append("tally-1", ONE)
        await log.seal()
        clock.advance(timedelta(minutes=5))
        assert await log.sealer.beat()
        assert (await head(log)).watermark == NOON + timedelta(minutes=5)
        clock.set(NOON)
        assert await log.sealer.beat()
        assert (await head(log)).watermark == NOON + timedelta(minutes=5)


async def test_a_beat_claims_nothing_while_something_is_not_sealed(postgres: TemporaryPostgres) -> None:
    clock = ManualClock(NOON)
    async with fresh_log(postgres, clock=clock) as log:
        await log.append("tally-1", ONE)
        await log.seal()
        await log.append("tally-1", ONE)
        clock.advance(timedelta(minutes=5))
        assert not await log.sealer.beat()
        assert (await head(log)).watermark == NOON


async def test_what_is_sealed_after_a_beat_is_later_than_its_watermark(postgres: TemporaryPostgres) -> None:
    clock = ManualClock(NOON)
    async with fresh_log(postgres, clock=clock) as log:
        await log.sealer.start()
        await log.sealer.beat()
        await log.append("tally-1", ONE)
        await log.seal()
        (event,) = await sealed(log)
    assert event.sealed_at == NOON + TICK


async def test_a_beat_keeps_the_lease(log: Log) -> None:
    async def expiry() -> datetime:
        async with log.engine.connect() as connection:
            at: datetime = (await connection.execute(text("SELECT expires_at FROM log.leases"))).scalar_one()
        return at

    await log.sealer.start()
    before = await expiry()
    await log.sealer.beat()
    assert await expiry() > before
    await lose_lease(log)
    with pytest.raises(LeaseLost):
        await log.sealer.beat()
    assert await Sealer(log.engine, log.clock, Lease("sealer")).start()


async def test_a_second_sealer_stands_by(log: Log) -> None:
    assert await log.sealer.start()
    assert not await Sealer(log.engine, log.clock, Lease("sealer")).start()


async def test_a_fenced_out_sealer_seals_nothing_and_moves_no_watermark(log: Log) -> None:
    await log.sealer.start()
    await lose_lease(log)
    successor = Sealer(log.engine, log.clock, Lease("sealer"))
    assert await successor.start()
    before = await head(log)
    with pytest.raises(LeaseLost):
        await log.sealer.beat()
    await log.append("tally-1", ONE)
    with pytest.raises(LeaseLost):
        await log.sealer.scan()
    assert await head(log) == before
    assert await successor.scan() == Sealed(1, pending=False)


async def test_a_successor_seals_nothing_that_an_append_under_way_could_still_come_before(log: Log) -> None:
    await log.append("tally-1", ONE)
    await log.seal()
    async with log.engine.begin() as late:
        await log.store.append(late, [Write("tally-late", 0, [ONE])], log.context())
        await log.append("tally-fast", ONE)
        await lose_lease(log)
        successor = Sealer(log.engine, log.clock, Lease("sealer"))
        assert await successor.start()
        assert await successor.scan() == Sealed(0, pending=True)
    assert await successor.scan() == Sealed(2, pending=False)


async def test_a_sealer_under_whose_hands_the_head_moves_seals_nothing(log: Log) -> None:
    await log.append("tally-1", ONE)
    await log.sealer.start()
    async with log.engine.begin() as other:
        await other.execute(text("UPDATE log.head SET watermark = watermark + interval '1 second'"))
        scanning = asyncio.create_task(log.sealer.scan())
        await until(lambda: somebody_waits(log), "the scan waits for the head")
    with pytest.raises(Superseded):
        await scanning
    assert await positions(log) == []
    assert await log.sealer.scan() == Sealed(1, pending=False)


async def test_a_restored_server_opens_a_generation_from_where_the_log_is_sealed(log: Log) -> None:
    await log.append("tally-1", ONE, ONE)
    await log.seal()
    await restore(log)
    await lose_lease(log)
    await log.seal()
    after = await head(log)
    assert after.began == (0, 2)
    token = await log.append("tally-1", ONE)
    await log.seal()
    assert [event.generation for event in await sealed(log)] == [1, 1, 2]
    assert token.target(log.service)[0] == 2


async def test_taking_the_lease_over_on_the_same_server_opens_no_generation(log: Log) -> None:
    await log.append("tally-1", ONE)
    await log.seal()
    await lose_lease(log)
    assert await Sealer(log.engine, log.clock, Lease("sealer")).start()
    assert (await head(log)).generation == 1


async def test_a_server_that_failed_over_under_the_lease_opens_a_generation_when_sealing_starts_again(log: Log) -> None:
    await log.append("tally-1", ONE)
    await log.seal()
    await restore(log)
    assert await log.sealer.start()
    assert (await head(log)).generation == 2


async def test_positions_that_a_crash_of_the_server_made_undone_are_not_taken_for_settled(log: Log) -> None:
    await log.append("tally-1", ONE)
    await log.seal()
    async with log.engine.connect() as lost:
        await log.store.append(lost, [Write("tally-lost", 0, [ONE])], log.context())
        assert await log.sealer.scan() == Sealed(0, pending=True)
        await lost.rollback()
    owner = create_async_engine(log.urls.owner_url, poolclass=NullPool)
    async with owner.begin() as tx:
        await tx.execute(text("SELECT setval('log.positions', 1)"))
    await log.sealer.start()
    async with log.engine.begin() as late:
        await log.store.append(late, [Write("tally-late", 0, [ONE])], log.context())
        assert await log.sealer.scan() == Sealed(0, pending=True)
    assert await log.sealer.scan() == Sealed(1, pending=False)


async def test_a_lease_that_was_lost_for_a_moment_is_not_simply_renewed(log: Log) -> None:
    await log.sealer.start()
    assert await log.sealer.renew()
    await lose_lease(log)
    assert not await log.sealer.renew()


async def test_a_sealer_that_ends_leaves_the_lease_to_the_next(log: Log) -> None:
    async with log.sealing():
        await log.append("tally-1", ONE)
        await read_on(log.feed(), Cursor(), 1)
    assert await Sealer(log.engine, log.clock, Lease("sealer")).start()


async def test_a_standby_goes_on_sealing_when_the_leader_is_gone(log: Log) -> None:
    short = timedelta(seconds=1)
    standby = Sealer(log.engine, log.clock, Lease("sealer", short))
    leader = Sealer(log.engine, log.clock, Lease("sealer", short))
    async with running(Sealing(leader, log.appended, Signal(), short).run):
        await log.append("tally-1", ONE)
        await read_on(log.feed(), Cursor(), 1)
    async with running(Sealing(standby, log.appended, Signal(), short).run):
        await log.append("tally-1", ONE)
        events, _ = await read_on(log.feed(), Cursor(), 2)
    assert [event.position for event in events] == [1, 2]
