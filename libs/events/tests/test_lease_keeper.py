"""A process keeps all its leases by one statement, and processes leave to each other what is theirs."""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event, text

from steerco_events.ids import new_id
from steerco_events.ports import WHOLE, Shard
from steerco_events.postgres.lease import Lease, LeaseLost
from steerco_events.postgres.lease_keeper import Claim, LeaseKeeper
from steerco_events.testkit.logs import Log, running, until

BRIEF = timedelta(seconds=1.5)
"""How long those last of which one is to run out, or to be waited for."""

FEW = timedelta(seconds=4.5)
"""How long those last that are to be renewed, and not to run out however busy the machine is."""

LONG = timedelta(hours=1)


class Holding:
    """Work under a lease: how often it began, and whether it goes on."""

    def __init__(self, keeper: LeaseKeeper, group: str, shard: Shard = WHOLE) -> None:
        self._keeper = keeper
        self._group = group
        self._shard = shard
        self.leases: list[Lease] = []
        self.is_on = False

    async def run(self) -> None:
        """Hold it, again when it was lost, until cancelled."""
        while True:
            try:
                async with self._keeper.hold(self._group, self._shard) as lease:
                    self.leases.append(lease)
                    self.is_on = True
                    await asyncio.Event().wait()
            except LeaseLost:
                pass
            finally:
                self.is_on = False

    async def goes_on(self) -> bool:
        return self.is_on


def group() -> str:
    return f"work {new_id()}"


class Sent(list[str]):
    """The statements that were sent to the database."""

    async def more_than(self, number: int) -> bool:
        return len(self) > number


@asynccontextmanager
async def statements(log: Log) -> AsyncIterator[Sent]:
    """The statements that are sent to the database inside."""
    sent = Sent()

    def note(*arguments: Any) -> None:
        sent.append(arguments[2])

    event.listen(log.engine.sync_engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(log.engine.sync_engine, "before_cursor_execute", note)


async def is_known(log: Log, worker: LeaseKeeper) -> bool:
    """Whether the others see that it is there."""
    query = text("SELECT 1 FROM log.leases WHERE holder = :holder AND expires_at > clock_timestamp()")
    async with log.engine.connect() as connection:
        return (await connection.execute(query, {"holder": worker.holder})).first() is not None


async def test_all_leases_of_a_process_are_taken_by_one_statement_and_renewed_by_another(shared_log: Log) -> None:
    keeper, name = LeaseKeeper(shared_log.engine, FEW), group()
    holdings = [Holding(keeper, name, Shard(n, 30)) for n in range(30)]
    async with statements(shared_log) as sent, running(*(each.run for each in holdings), keeper.run):
        for each in holdings:
            await until(each.goes_on, "all are held")
        sweep, *introducing, taking = sent
        assert (sweep.split()[0], len(introducing)) == ("DELETE", 2)
        await until(partial(sent.more_than, 5), "they are renewed again and again")
        assert set(sent[4:]) == {taking}
    assert [len(each.leases) for each in holdings] == [1] * 30


async def test_who_holds_a_lease_is_fenced_by_it_as_by_any_other(shared_log: Log) -> None:
    keeper, name = LeaseKeeper(shared_log.engine), group()
    holding = Holding(keeper, name)
    async with running(holding.run, keeper.run):
        await until(holding.goes_on, "it is held")
        async with shared_log.engine.begin() as tx:
            await holding.leases[0].hold(tx)
            assert not await Lease(holding.leases[0].name, LONG).acquire(tx)
    async with shared_log.engine.begin() as tx:
        with pytest.raises(LeaseLost):
            await holding.leases[0].hold(tx)


async def test_a_keeper_that_ends_leaves_its_leases_to_the_next(shared_log: Log) -> None:
    first, second, name = LeaseKeeper(shared_log.engine, LONG), LeaseKeeper(shared_log.engine), group()
    holding = Holding(first, name)
    async with running(holding.run, first.run):
        await until(holding.goes_on, "it is held")
    next_one = Holding(second, name)
    async with running(next_one.run, second.run):
        await until(next_one.goes_on, "it is held by the next")
    assert next_one.leases[0].epoch == holding.leases[0].epoch + 1


async def test_a_lease_that_is_left_goes_to_whoever_wants_it(shared_log: Log) -> None:
    first, second, name = LeaseKeeper(shared_log.engine, BRIEF), LeaseKeeper(shared_log.engine, BRIEF), group()
    async with running(first.run, second.run):
        async with running((holding := Holding(first, name)).run):
            await until(holding.goes_on, "it is held")
        async with running((holding := Holding(second, name)).run):
            await until(holding.goes_on, "it is held by the other")


async def test_what_its_first_choice_does_not_want_is_taken_by_another(shared_log: Log) -> None:
    idle, keeper = LeaseKeeper(shared_log.engine, FEW), LeaseKeeper(shared_log.engine, FEW)
    holdings = [Holding(keeper, group()) for _ in range(8)]
    async with running(idle.run):
        await until(partial(is_known, shared_log, idle), "the first is there")
        async with running(keeper.run, *(each.run for each in holdings)), statements(shared_log) as sent:
            for each in holdings:
                await until(each.goes_on, "it is held, whosever first choice it is")
            await until(partial(sent.more_than, len(sent) + 4), "time goes by")
            assert all(each.is_on for each in holdings)
            assert [len(each.leases) for each in holdings] == [1] * 8


async def test_what_a_dead_worker_had_is_taken_when_its_time_is_over(shared_log: Log) -> None:
    dead, keeper = new_id(), LeaseKeeper(shared_log.engine, LONG)
    workers = {dead, keeper.holder}
    names = [name for name in (group() for _ in range(20)) if first_choice(name, workers) == dead]
    async with shared_log.engine.begin() as tx:
        for name in (f"worker {dead}", *(f"{name}, shard 0" for name in names)):
            assert await Lease(name, FEW, dead).acquire(tx)
    holdings = [Holding(keeper, name) for name in names]
    async with running(keeper.run, *(each.run for each in holdings)):
        for each in holdings:
            await until(each.goes_on, "it is taken, long before a third of the other's own time")


def first_choice(name: str, workers: Collection[UUID]) -> UUID:
    return Claim(Lease(name), name, WHOLE, 0.0).first_choice(workers)


async def test_a_new_worker_takes_no_more_than_its_share(shared_log: Log) -> None:
    there, new, name = LeaseKeeper(shared_log.engine, LONG), LeaseKeeper(shared_log.engine, LONG), group()
    holdings = [Holding(new, name, Shard(n, 4)) for n in range(4)]

    async def has_its_share() -> bool:
        return sum(each.is_on for each in holdings) == 2

    async with running(there.run):
        await until(partial(is_known, shared_log, there), "the first is there")
        async with running(new.run, *(each.run for each in holdings)):
            await until(has_its_share, "the new one has half of the shards")
    assert sorted(len(each.leases) for each in holdings) == [0, 0, 1, 1]


def choices(shards: int, workers: int, groups: int) -> Sequence[Sequence[int]]:
    """Which worker is the first choice for each shard, group by group."""
    ids = [new_id() for _ in range(workers)]
    found = []
    for name in (group() for _ in range(groups)):
        claims = [Claim(Lease(name), name, Shard(n, shards), 0.0) for n in range(shards)]
        found.append([ids.index(claim.first_choice(ids)) for claim in claims])
    return found


@pytest.mark.parametrize(("shards", "workers"), [(1, 3), (4, 2), (12, 5), (3, 12)])
def test_the_shards_of_one_thing_are_spread_evenly_over_the_workers(shards: int, workers: int) -> None:
    for chosen in choices(shards, workers, 20):
        per_worker = [chosen.count(worker) for worker in range(workers)]
        assert max(per_worker) - min(per_worker) <= 1


def test_different_things_have_different_workers_as_their_first_choice() -> None:
    assert {chosen[0] for chosen in choices(1, 3, 100)} == {0, 1, 2}
