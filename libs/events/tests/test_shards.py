"""Work is divided into shards, and divided anew; no shard of an old division has an effect."""

import asyncio

import pytest
from sqlalchemy import text

from steerco_events.ports import Cursor, Shard
from steerco_events.positions import PARTITIONS, partition_of
from steerco_events.postgres.checkpoints import CheckpointMoved, DivisionUnsettled
from steerco_events.testkit.eaters import Eater, Scripted, ViewEater, told
from steerco_events.testkit.logs import PATIENCE, Log
from steerco_events.testkit.recorded import log_of
from steerco_events.testkit.tally import Counted
from steerco_events.testkit.workers import STREAMS, Stalling, divided, of_all


@pytest.fixture
async def eater(log: Log) -> Eater:
    return await ViewEater.of(log)


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
