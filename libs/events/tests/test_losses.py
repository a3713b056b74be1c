"""A reaction that a restored log stopped goes on with what is left of it, and who accepted that is kept."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest

from steerco_events.consuming.consumer import Consumer
from steerco_events.ports import Cursor, LogRewound, Shard
from steerco_events.positions import PARTITIONS, partition_of
from steerco_events.postgres.checkpoints import CheckpointMoved, Checkpoints
from steerco_events.postgres.generations import open_generation
from steerco_events.postgres.losses import AcceptedLoss, NothingLost, accept_loss, accepted_losses
from steerco_events.testkit.eaters import OPERATOR, ReactionEater, Scripted
from steerco_events.testkit.logs import Log, fresh_log, read_on
from steerco_events.testkit.tally import Counted
from steerco_servers.testing import TemporaryPostgres


@pytest.fixture
async def source(postgres: TemporaryPostgres) -> AsyncIterator[Log]:
    """The log of another service, with two tallies of three counts each, in turn."""
    async with fresh_log(postgres) as source:
        for n in (1, 2, 3):
            for stream in ("tally-1", "tally-2"):
                await source.append(stream, Counted(by=n))
        await source.seal()
        yield source


async def restored(source: Log, kept: int, generation: int = 2) -> None:
    """The log goes on after a position in a new generation."""
    async with source.engine.begin() as tx:
        await open_generation(tx, generation, kept)


def consumers(eater: ReactionEater, shards: int = 1) -> Sequence[tuple[Consumer, Shard]]:
    parts = [Shard(number, shards) for number in range(shards)]
    return [(Consumer(eater.log.consumers(shards=shards), eater.role(), eater.service, part), part) for part in parts]


async def read(source: Log, eater: ReactionEater, shards: int = 1) -> None:
    """Let the reaction take all that there is."""
    for consumer, part in consumers(eater, shards):
        feed = source.feed(part)
        while await consumer.step(feed):
            pass


async def stopped(source: Log, eater: ReactionEater, shards: int = 1) -> None:
    """Let it meet that the log was restored."""
    for consumer, part in consumers(eater, shards):
        with pytest.raises(LogRewound):
            await consumer.step(source.feed(part))


async def accept(log: Log, eater: ReactionEater, reason: str = "Lost with the disk") -> AcceptedLoss:
    async with log.engine.begin() as tx:
        return await accept_loss(tx, eater.role().name, eater.service, OPERATOR, reason, log.clock.now())


@pytest.fixture
async def eater(log: Log, source: Log) -> ReactionEater:
    """A reaction that has not begun."""
    return await ReactionEater.of(log, source.service)


@pytest.mark.parametrize("shards", [1, 3])
async def test_it_goes_on_after_what_is_left(log: Log, source: Log, eater: ReactionEater, shards: int) -> None:
    await read(source, eater, shards)
    async with log.engine.begin() as tx:
        for _, part in consumers(eater, shards):
            checkpoints = Checkpoints(eater.role().name)
            cursor = await checkpoints.load_shard(tx, source.service, part)
            lost = replace(cursor, positions=tuple(position + 9 for position in cursor.positions))
            await checkpoints.advance(tx, source.service, cursor, lost, part)
    await restored(source, kept=6)
    await stopped(source, eater, shards)
    await source.append("tally-1", Counted(by=4))
    await source.append("tally-2", Counted(by=4))
    await source.seal()
    await accept(log, eater)
    cursor = await eater.checkpoint()
    assert (cursor.generation, cursor.positions, cursor.began) == (2, (6,) * PARTITIONS, (0, 6))
    await read(source, eater, shards)
    assert await eater.digested() == {"tally-1": [1, 2, 3, 4], "tally-2": [1, 2, 3, 4]}


async def test_who_accepted_it_why_and_from_where_is_kept(log: Log, source: Log, eater: ReactionEater) -> None:
    await read(source, eater)
    await restored(source, kept=4)
    await stopped(source, eater)
    loss = await accept(log, eater)
    expected = AcceptedLoss(
        consumer=eater.role().name,
        service=source.service,
        from_generation=1,
        from_positions=(6,) * PARTITIONS,
        generation=2,
        kept=4,
        accepted_at=loss.accepted_at,
        accepted_by=OPERATOR,
        reason="Lost with the disk",
    )
    async with log.engine.connect() as tx:
        assert await accepted_losses(tx, eater.role().name, source.service) == [loss] == [expected]


async def test_accepted_twice_or_by_two_at_once_it_is_accepted_once(
    log: Log, source: Log, eater: ReactionEater
) -> None:
    await read(source, eater)
    await restored(source, kept=4)
    await stopped(source, eater)
    first, second = await asyncio.gather(accept(log, eater, "One"), accept(log, eater, "Two"))
    assert first == second
    await read(source, eater)
    assert await accept(log, eater, "Three") == first


async def test_each_restore_is_accepted_for_itself(log: Log, source: Log, eater: ReactionEater) -> None:
    for generation, kept in ((2, 4), (3, 1)):
        await read(source, eater)
        await restored(source, kept, generation)
        await stopped(source, eater)
        assert (await accept(log, eater)).generation == generation
    async with log.engine.connect() as tx:
        losses = await accepted_losses(tx, eater.role().name, source.service)
    assert [(loss.generation, loss.kept) for loss in losses] == [(3, 1), (2, 4)]


async def test_a_shard_that_lost_nothing_goes_on_in_the_new_generation_too_and_takes_nothing_of_what_is_lost(
    log: Log, source: Log, eater: ReactionEater
) -> None:
    told, _ = await read_on(source.feed(), Cursor(), 6)
    (ahead, one), (lagging, other) = consumers(eater, shards=2)
    await ahead.step(source.feed(one))
    await lagging.step(Scripted(source.service, told[:2], shard=other))
    await restored(source, kept=2)
    with pytest.raises(LogRewound):
        await ahead.step(source.feed(one))
    loss = await accept(log, eater)
    with pytest.raises(CheckpointMoved):
        await lagging.step(Scripted(source.service, told, shard=other))
    assert await eater.digested() == {"tally-1": [1], "tally-2": [1, 2, 3]}
    cursor = await eater.checkpoint()
    assert (cursor.generation, cursor.positions[partition_of("tally-1")], max(cursor.positions)) == (2, 1, 2)
    assert await accept(log, eater) == loss


async def test_what_a_shard_lost_that_began_later_is_accepted_with_the_first(
    log: Log, source: Log, eater: ReactionEater
) -> None:
    told, _ = await read_on(source.feed(), Cursor(), 6)
    (ahead, one), (late, other) = consumers(eater, shards=2)
    await ahead.step(source.feed(one))
    await restored(source, kept=2)
    with pytest.raises(LogRewound):
        await ahead.step(source.feed(one))
    loss = await accept(log, eater, "The first")
    await late.step(Scripted(source.service, told, shard=other))
    with pytest.raises(LogRewound):
        await late.step(source.feed(other))
    assert await accept(log, eater, "The second") == loss
    cursor = await eater.checkpoint()
    assert (cursor.generation, max(cursor.positions)) == (2, 2)
    await read(source, eater, shards=2)


async def test_a_reaction_that_did_not_stop_for_a_restore_stays_where_it_is(
    log: Log, source: Log, eater: ReactionEater
) -> None:
    with pytest.raises(NothingLost):
        await accept(log, eater)
    await read(source, eater)
    with pytest.raises(NothingLost):
        await accept(log, eater)
    await restored(source, kept=6)
    await read(source, eater)
    with pytest.raises(NothingLost):
        await accept(log, eater)


async def test_what_it_had_parked_of_what_is_lost_is_parked_no_more(
    log: Log, source: Log, eater: ReactionEater
) -> None:
    eater.appetite.poison.add(1)
    await read(source, eater)
    assert {each.stream: each.events for each in await eater.parked()} == {"tally-1": 3, "tally-2": 3}
    await restored(source, kept=1)
    await stopped(source, eater)
    await accept(log, eater)
    (left,) = await eater.parked()
    assert (left.stream, left.first, left.last) == ("tally-1", 1, 1)
