"""Rows and checkpoint of a view move together or not at all."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from sqlalchemy import select

from steerco_events.consuming.consumer import Consumer
from steerco_events.envelope import Recorded
from steerco_events.ports import Batch, Cursor
from steerco_events.postgres.checkpoints import CheckpointMoved
from steerco_events.projections.builds import Build
from steerco_events.projections.model import Projection, View
from steerco_events.projections.runner import following
from steerco_events.projections.tables import known_at, row_of
from steerco_events.testkit.feeds import count_up
from steerco_events.testkit.logs import Log, read_on
from steerco_events.testkit.rebuilding import begin, rows
from steerco_events.testkit.repeating import Giving, Repeating
from steerco_events.testkit.tallies import TallyRow, evolve, key, tallies, tally_view
from steerco_events.testkit.tally import Closed, Counted, Labeled


class Broken(ConnectionError):
    """Something that is mended later, and no event's fault."""


def runner(log: Log, build: Build, batch: int = 100) -> Consumer:
    return Consumer(log.consumers(), following(build, batch), log.service)


async def checkpoint(log: Log, build: Build) -> Cursor:
    async with log.engine.connect() as connection:
        return await build.checkpoints.load(connection, log.service)


def amount_to(events: Sequence[Recorded]) -> dict[str, TallyRow]:
    """What events amount to, folded one by one."""
    found: dict[str, TallyRow] = {}
    for event in events:
        name = key(event)
        if name is not None:
            found[name] = evolve(found.get(name), event) or found[name]
    return found


async def story(log: Log) -> Sequence[Recorded]:
    """Some tallies' life, in seven seals."""
    for n in range(1, 4):
        await count_up(log, streams=3, times=1)
        await log.seal()
        await log.append("tally-1", Labeled(label=f"label {n}"), Counted(by=n))
        await log.append(f"label-{n}", Labeled(label="of no tally"))
        await log.seal()
    await log.append("tally-2", Closed())
    await log.seal()
    events, _ = await read_on(log.feed(), Cursor(), 19)
    return events


@pytest.mark.parametrize("batch", [1, 2, 7, 100])
async def test_batches_of_any_size_give_what_the_events_amount_to(log: Log, batch: int) -> None:
    events, build = await story(log), await begin(log, tally_view(log.service))
    worker, feed = runner(log, build, batch), log.feed()
    while await worker.step(feed):
        pass
    assert await rows(log, build) == amount_to(events)
    assert await checkpoint(log, build) == (await feed.read(Cursor(), 1000)).cursor


async def test_the_rows_of_an_instant_are_what_the_events_sealed_by_then_amount_to(log: Log) -> None:
    events, build = await story(log), await begin(log, tally_view(log.service))
    await runner(log, build).step(log.feed())
    table = build.table("tallies")
    for at in {event.sealed_at for event in events}:
        async with log.engine.connect() as connection:
            found = (await connection.execute(select(table).where(known_at(table, at)))).mappings()
            known = {each["key"]: row_of(tallies, each) for each in found}
        assert known == amount_to([event for event in events if event.sealed_at <= at])


async def test_events_that_come_again_count_once(log: Log) -> None:
    events, build = await story(log), await begin(log, tally_view(log.service))
    worker, feed = runner(log, build, batch=4), Repeating(log.feed())
    while await worker.step(feed):
        pass
    assert await rows(log, build) == amount_to(events)


async def test_a_crash_while_rows_are_written_leaves_neither_rows_nor_checkpoint(log: Log) -> None:
    broken = True

    def fragile(row: TallyRow | None, event: Recorded) -> TallyRow | None:
        if broken and event.stream_version == 3:
            raise Broken
        return evolve(row, event)

    events = await story(log)
    second = Projection("seconds", TallyRow, key, fragile)
    build = await begin(log, View("tally", 1, (log.service,), (tallies, second)))
    worker = runner(log, build)
    with pytest.raises(Broken):
        await worker.step(log.feed())
    assert (await rows(log, build), await checkpoint(log, build)) == ({}, Cursor())

    broken = False
    await worker.step(log.feed())
    assert await rows(log, build) == amount_to(events)


async def test_a_worker_that_others_overtook_changes_nothing_and_goes_on_from_what_it_finds(log: Log) -> None:
    build = await begin(log, tally_view(log.service))
    zombie, worker, feed = runner(log, build), runner(log, build), log.feed()
    for each in (zombie, worker):
        assert await each.step(feed) == 0
    events = await story(log)
    assert await worker.step(feed) == len(events)
    with pytest.raises(CheckpointMoved):
        await zombie.step(feed)
    assert await rows(log, build) == amount_to(events)

    await log.append("tally-1", Counted(by=5))
    await log.seal()
    assert await zombie.step(feed) == 1
    assert (await rows(log, build))["1"].counts[-1] == 5
    with pytest.raises(CheckpointMoved):
        await worker.step(feed)


async def test_where_a_batch_of_nothing_new_ends_is_kept(log: Log) -> None:
    build = await begin(log, tally_view(log.service))
    worker = runner(log, build)
    await worker.step(log.feed())
    seen = await checkpoint(log, build)
    moved = replace(seen, offsets=(3,) * len(seen.offsets))
    await worker.step(Giving(log.feed(), Batch((), moved)))
    assert await checkpoint(log, build) == moved
