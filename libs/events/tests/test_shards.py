"""Work is divided into shards, divided anew, shared by workers and taken over; no two have an effect."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from steerco_events.consuming import consumer
from steerco_events.consuming.consumer import Consumers, run_shards
from steerco_events.ports import WHOLE, Batch, Cursor, EventFeed, OpenFeed, Shard
from steerco_events.positions import PARTITIONS, partition_of
from steerco_events.postgres.checkpoints import CheckpointMoved, DivisionUnsettled
from steerco_events.postgres.lease import Lease
from steerco_events.postgres.lease_keeper import Claim, LeaseKeeper
from steerco_events.postgres.wakeups import LEASES, listen
from steerco_events.retrying import failing_now, retrying
from steerco_events.signals import Signal
from steerco_events.testkit.eaters import Eater, ReactionEater, Scripted, ViewEater, counts, told
from steerco_events.testkit.logs import PATIENCE, Log, running, until
from steerco_events.testkit.recorded import log_of
from steerco_events.testkit.tally import Counted

STREAMS = 20
BRIEF = timedelta(seconds=1.5)
"""How long the leases last, some of which are to run out."""

LONG = timedelta(hours=1)
"""How long those last that no test waits for."""


@pytest.fixture
async def eater(log: Log) -> Eater:
    return await ViewEater.of(log)


@dataclass(slots=True)
class Stalling:
    """A feed that stands still with a batch in its hands, until it is let go on."""

    source: EventFeed
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def service(self) -> str:
        return self.source.service

    async def read(self, after: Cursor, limit: int) -> Batch:
        batch = await self.source.read(after, limit)
        if batch.events:
            self.reached.set()
            await self.released.wait()
        return batch

    async def wait(self, seconds: float) -> None:
        await self.source.wait(seconds)

    async def close(self) -> None:
        await self.source.close()


def divided(shards: int) -> list[Shard]:
    return [Shard(number, shards) for number in range(shards)]


def of_all(*ns: int) -> Mapping[str, object]:
    """What came of these events of every stream."""
    return {f"tally-{stream}": counts(stream, *ns) for stream in range(STREAMS)}


@pytest.mark.parametrize("shards", [1, 2, 5, 12])
def test_every_partition_is_in_one_shard(shards: int) -> None:
    partitions = [partition for shard in divided(shards) for partition in shard.partitions]
    assert sorted(partitions) == list(range(PARTITIONS))


@pytest.mark.parametrize("shards", [2, 5, 12])
async def test_shards_together_do_all_of_the_work(eater: Eater, shards: int) -> None:
    await told(eater.log, STREAMS, 1, 2)
    for shard in divided(shards):
        await eater.eat(shard)
    assert await eater.digested() == of_all(1, 2)
    whole = (await eater.log.feed().read(Cursor(), 1000)).cursor
    assert await eater.checkpoint() == whole


async def test_who_asks_how_far_the_work_is_sees_what_all_shards_have(eater: Eater) -> None:
    await told(eater.log, STREAMS, 1)
    first, second = divided(2)
    await eater.eat(first)
    halfway = await eater.checkpoint()
    assert (halfway.generation, halfway.watermark) == (1, None)
    assert all((halfway.positions[n] > 0) == (n in first.partitions) for n in range(PARTITIONS))
    await eater.eat(second)
    assert min((await eater.checkpoint()).positions) > 0


async def test_work_that_is_divided_anew_goes_on_where_each_shard_was(eater: Eater) -> None:
    for n, shards in enumerate((3, 1, 4, 12, 2), 1):
        await told(eater.log, STREAMS, n)
        for shard in divided(shards)[: max(1, shards - 1)]:
            await eater.eat(shard)
    await eater.eat()
    assert await eater.digested() == of_all(1, 2, 3, 4, 5)


async def test_who_works_by_an_old_division_changes_nothing(eater: Eater) -> None:
    zombies = [(eater.consumer(shard), eater.log.feed(shard)) for shard in divided(3)]
    await told(eater.log, STREAMS, 1)
    for zombie, feed in zombies:
        await zombie.step(feed)
    for shard in divided(2):
        await eater.eat(shard)
    await told(eater.log, STREAMS, 2)
    for zombie, feed in zombies:
        with pytest.raises(CheckpointMoved):
            await zombie.step(feed)
    assert await eater.digested() == of_all(1)
    for shard in divided(2):
        await eater.eat(shard)
    assert await eater.digested() == of_all(1, 2)


async def test_a_shard_of_an_old_division_stands_where_none_of_the_new_one_does(eater: Eater) -> None:
    names = [name for n in range(200) if partition_of(name := f"tally-{n}") == 0]
    events = log_of([[(name, Counted(by=n))] for n, name in enumerate(names)], eater.service)
    zombie, old = eater.consumer(Shard(0, 3)), Shard(0, 3)
    await zombie.step(Scripted(eater.service, events[:1], shard=old))
    await eater.consumer(Shard(0, 2)).step(Scripted(eater.service, events[:1], shard=Shard(0, 2)))
    with pytest.raises(CheckpointMoved):
        await zombie.step(Scripted(eater.service, events, shard=old))


async def test_a_shard_that_had_not_begun_by_an_old_division_begins_no_more(eater: Eater) -> None:
    await told(eater.log, STREAMS, 1)
    late = Shard(2, 3)
    zombie, feed = eater.consumer(late), Stalling(eater.log.feed(late))
    stepping = asyncio.create_task(zombie.step(feed))
    async with asyncio.timeout(PATIENCE):
        await feed.reached.wait()
    await eater.eat()
    feed.released.set()
    with pytest.raises(CheckpointMoved):
        await stepping
    assert await eater.digested() == of_all(1)


async def test_shards_that_divide_at_the_same_time_divide_once(eater: Eater) -> None:
    await told(eater.log, STREAMS, 1)
    await eater.eat()
    await told(eater.log, STREAMS, 2)
    await asyncio.gather(*(eater.eat(shard) for shard in divided(4)))
    assert await eater.digested() == of_all(1, 2)


async def test_shards_in_several_generations_are_not_divided_anew(eater: Eater) -> None:
    await told(eater.log, STREAMS, 1)
    for shard in divided(2):
        await eater.eat(shard)
    async with eater.log.engine.begin() as tx:
        await tx.execute(text("UPDATE log.checkpoints SET generation = 2 WHERE shard = 1"))
    with pytest.raises(DivisionUnsettled, match="run it with 2 shards until they are in one"):
        await eater.eat()


class Worker:
    """A process that shares in the work; it can be cut off from the database, as if it were killed."""

    def __init__(self, log: Log, lasts: timedelta = BRIEF) -> None:
        self.engine = create_async_engine(log.urls.app_url, poolclass=NullPool)
        self._hears = Signal()
        self.leases = LeaseKeeper(self.engine, lasts, self._hears)
        self.is_cut_off = False
        event.listen(self.engine.sync_engine, "do_connect", self._refuse)

    def _refuse(self, *_: object) -> None:
        if self.is_cut_off:
            raise ConnectionError("cut off")

    @asynccontextmanager
    async def working(self, eater: Eater, shards: int, open_feed: OpenFeed | None = None) -> AsyncIterator["Worker"]:
        """Inside, it does its share."""
        log = eater.log
        consumers = Consumers(self.engine, self.leases, log.clock, Signal(), shards)
        follow = partial(run_shards, consumers, eater.role(), log.service, open_feed or log.feed)
        hearing = partial(listen, log.urls.app_url, {LEASES: self._hears})
        try:
            async with running(partial(retrying, self.leases.run, "leases"), follow, hearing):
                yield self
        finally:
            await self.engine.dispose()

    async def has(self, shards: int) -> bool:
        """Whether it holds the leases of so many shards."""
        return len(await self.held()) == shards

    async def held(self) -> Mapping[str, int]:
        """The leases of shards that it holds, each with its epoch."""
        query = text(
            "SELECT name, epoch FROM log.leases"
            " WHERE name LIKE 'consumer %' AND holder = :holder AND expires_at > clock_timestamp()"
        )
        async with create_async_engine(self.engine.url, poolclass=NullPool).connect() as connection:
            rows = await connection.execute(query, {"holder": self.leases.holder})
            return {name: epoch for name, epoch in rows}


async def has_come_to(eater: Eater, *ns: int) -> bool:
    return await eater.digested() == of_all(*ns)


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


async def test_a_worker_that_stood_still_past_its_lease_changes_nothing_when_it_goes_on(eater: Eater) -> None:
    log, stalled = eater.log, list[Stalling]()

    def stall(shard: Shard) -> EventFeed:
        stalled.append(Stalling(log.feed(shard)))
        return stalled[-1]

    zombie = eater.consumer()
    feed = stall(WHOLE)
    await told(log, STREAMS, 1)
    stepping = asyncio.create_task(zombie.step(feed))
    async with asyncio.timeout(PATIENCE):
        await stalled[0].reached.wait()
    async with Worker(log).working(eater, 1):
        await until(partial(has_come_to, eater, 1), "another worker did the work")
        await told(log, STREAMS, 2)
        await until(partial(has_come_to, eater, 1, 2), "another worker went on")
        stalled[0].released.set()
        with pytest.raises(CheckpointMoved):
            await stepping
    assert await has_come_to(eater, 1, 2)


async def test_who_loses_a_lease_is_cut_off_and_waits_for_it_again(eater: Eater) -> None:
    log, stalled = eater.log, list[Stalling]()

    def stall_first(shard: Shard) -> EventFeed:
        stalled.append(Stalling(log.feed(shard)))
        if len(stalled) > 1:
            stalled[-1].released.set()
        return stalled[-1]

    await told(log, STREAMS, 1)
    async with Worker(log).working(eater, 1, stall_first):
        async with asyncio.timeout(PATIENCE):
            while not stalled:
                await asyncio.sleep(0.005)
            await stalled[0].reached.wait()
        thief = Lease(f"consumer {eater.role().name} in the log of {log.service}, shard 0", BRIEF)
        async with log.engine.begin() as tx:
            await tx.execute(
                text("UPDATE log.leases SET expires_at = clock_timestamp() WHERE name = :n"), {"n": thief.name}
            )
            assert await thief.acquire(tx)
        await until(partial(has_come_to, eater, 1), "it has it again, and did the work")
    assert len(stalled) > 1


async def test_a_step_that_hangs_is_ended_and_the_consumer_starts_again(
    eater: Eater, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer, "STEP_SECONDS", 0.3)
    log, stalled = eater.log, list[Stalling]()

    def stall_first(shard: Shard) -> EventFeed:
        stalled.append(Stalling(log.feed(shard)))
        if len(stalled) > 1:
            stalled[-1].released.set()
        return stalled[-1]

    await told(log, STREAMS, 1)
    async with Worker(log).working(eater, 1, stall_first):
        await until(partial(has_come_to, eater, 1), "the work was done")
    name = eater.consumer().name
    assert failing_now()[name] == f"Hangs: {name} came to no end in 0 s"
