"""A worker that stands still is cut off, its work done by another or begun anew; it changes nothing when it goes on."""

import asyncio
from functools import partial

import pytest
from sqlalchemy import text

from steerco_events.consuming import consumer
from steerco_events.postgres.checkpoints import CheckpointMoved
from steerco_events.postgres.lease import Lease
from steerco_events.retrying import failing_now
from steerco_events.testkit.eaters import Eater, ViewEater, told
from steerco_events.testkit.logs import PATIENCE, Log, until
from steerco_events.testkit.workers import BRIEF, STREAMS, FirstStalls, Stalling, Worker, has_come_to


@pytest.fixture
async def eater(log: Log) -> Eater:
    return await ViewEater.of(log)


async def test_a_worker_that_stood_still_past_its_lease_changes_nothing_when_it_goes_on(eater: Eater) -> None:
    log, zombie = eater.log, eater.consumer()
    feed = Stalling(log.feed())
    await told(log, STREAMS, 1)
    stepping = asyncio.create_task(zombie.step(feed))
    async with asyncio.timeout(PATIENCE):
        await feed.reached.wait()
    async with Worker(log).working(eater, 1):
        await until(partial(has_come_to, eater, 1), "another worker did the work")
        await told(log, STREAMS, 2)
        await until(partial(has_come_to, eater, 1, 2), "another worker went on")
        feed.released.set()
        with pytest.raises(CheckpointMoved):
            await stepping
    assert await has_come_to(eater, 1, 2)


async def test_who_loses_a_lease_is_cut_off_and_waits_for_it_again(eater: Eater) -> None:
    log, feeds = eater.log, FirstStalls(eater.log)
    await told(log, STREAMS, 1)
    async with Worker(log).working(eater, 1, feeds.feed):
        await feeds.has_stalled()
        thief = Lease(f"consumer {eater.role().name} in the log of {log.service}, shard 0", BRIEF)
        async with log.engine.begin() as tx:
            await tx.execute(
                text("UPDATE log.leases SET expires_at = clock_timestamp() WHERE name = :n"), {"n": thief.name}
            )
            assert await thief.acquire(tx)
        await until(partial(has_come_to, eater, 1), "it has it again, and did the work")


async def test_a_step_that_hangs_is_ended_and_the_consumer_starts_again(
    eater: Eater, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, feeds, name = eater.log, FirstStalls(eater.log), eater.consumer().name
    await told(log, STREAMS, 1)

    async def cut_off() -> bool:
        return failing_now().get(name, "").startswith(f"Hangs: {name} came to no end in ")

    monkeypatch.setattr(consumer, "STEP_SECONDS", 0.3)
    async with Worker(log).working(eater, 1, feeds.feed):
        await feeds.has_stalled()
        monkeypatch.undo()
        await until(cut_off, "the step was ended")
        await until(partial(has_come_to, eater, 1), "the work was done")
