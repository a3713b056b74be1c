"""Workers share the shards of the work, at once when one comes or goes; those of one that was killed are taken over."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial

import pytest

from steerco_events.postgres.lease import Lease
from steerco_events.postgres.lease_keeper import Claim
from steerco_events.testkit.eaters import Eater, ReactionEater, ViewEater, told
from steerco_events.testkit.logs import Log, until
from steerco_events.testkit.workers import STREAMS, Worker, divided, has_come_to

LONG = timedelta(hours=1)
"""How long those leases last that no test waits for."""


@pytest.fixture
async def eater(log: Log) -> Eater:
    return await ViewEater.of(log)


async def test_workers_share_the_shards_and_take_over_those_of_one_that_ends(eater: Eater) -> None:
    log = eater.log
    async with Worker(log).working(eater, 4) as first:
        await until(lambda: first.has(4), "the first worker has all shards")
        async with Worker(log).working(eater, 4) as second:
            await until(lambda: first.has(2), "the first worker has left half of them")
            await until(lambda: second.has(2), "the second worker has half of them")
            await told(log, STREAMS, 1)
            await until(partial(has_come_to, eater, 1), "all was done")
        assert await second.has(0)
        await until(lambda: first.has(4), "the first worker has all shards again")
        await told(log, STREAMS, 2)
        await until(partial(has_come_to, eater, 1, 2), "all was done")


async def spread(eater: Eater, workers: Sequence[Worker], shards: int = 4) -> bool:
    """Whether each shard has the one of the workers that all take for its first choice, so that nothing moves on."""
    ids, group = [each.leases.holder for each in workers], f"consumer {eater.role().name} in the log of {eater.service}"
    for worker in workers:
        claims = [Claim(Lease(group), group, shard, 0.0) for shard in divided(shards)]
        its_own = {f"{group}, shard {n}" for n in range(shards) if claims[n].first_choice(ids) == worker.leases.holder}
        if set(await worker.held()) != its_own:
            return False
    return True


@pytest.mark.parametrize("eaters", [ViewEater, ReactionEater])
async def test_workers_that_come_and_go_have_their_share_at_once_and_nothing_moves_in_between(
    log: Log, eaters: type[ViewEater | ReactionEater]
) -> None:
    eater, workers = await eaters.of(log), [Worker(log, LONG) for _ in range(3)]
    first, second, third = workers

    async def shares(*there: Worker) -> Sequence[int]:
        await until(partial(spread, eater, there), "each has its share, long before any lease is renewed")
        return sorted([len(await worker.held()) for worker in there])

    async with first.working(eater, 4):
        assert await shares(first) == [4]
        async with second.working(eater, 4):
            assert await shares(first, second) == [2, 2]
            async with third.working(eater, 4):
                assert await shares(first, second, third) == [1, 1, 2]
                held = [await worker.held() for worker in workers]
                await told(log, STREAMS, 1)
                await until(partial(has_come_to, eater, 1), "all was done")
                assert [await worker.held() for worker in workers] == held
            assert await shares(first, second) == [2, 2]
            await told(log, STREAMS, 2)
            await until(partial(has_come_to, eater, 1, 2), "all was done")
        assert await shares(first) == [4]


async def test_three_workers_share_what_there_is(eater: Eater) -> None:
    workers = [Worker(eater.log) for _ in range(3)]
    async with AsyncExitStack() as stack:
        for worker in workers:
            await stack.enter_async_context(worker.working(eater, 12))
        for worker in workers:
            await until(partial(worker.has, 4), "each has four of twelve shards")
        await told(eater.log, STREAMS, 1)
        await until(partial(has_come_to, eater, 1), "all was done")


async def test_the_shards_of_a_worker_that_was_killed_are_taken_over_when_its_leases_run_out(eater: Eater) -> None:
    log = eater.log
    async with Worker(log).working(eater, 4) as first, Worker(log).working(eater, 4) as killed:
        await until(lambda: killed.has(2), "the second worker has half of the shards")
        killed.is_cut_off = True
        await told(log, STREAMS, 1)
        await until(lambda: first.has(4), "the first worker has all shards")
        await until(partial(has_come_to, eater, 1), "all was done")
        assert await killed.has(0)
