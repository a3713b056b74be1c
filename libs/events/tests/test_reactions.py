"""A reaction's command takes effect exactly once, whatever comes again, breaks or competes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from sqlalchemy import event, text

from steerco_events.consuming.consumer import Consumer, run_shards
from steerco_events.consuming.reactions import Order, Reaction, Sight, reacting
from steerco_events.decider import Refusal
from steerco_events.envelope import Recorded
from steerco_events.ids import derived_id
from steerco_events.ports import Batch, Cursor
from steerco_events.positions import START
from steerco_events.postgres.checkpoints import CheckpointMoved, Checkpoints
from steerco_events.postgres.lease_keeper import LeaseKeeper
from steerco_events.testkit.logs import Log, fresh_log, running, until
from steerco_events.testkit.repeating import Doubling, Giving
from steerco_events.testkit.tally import Close, Closed, Count, Counted, Label, Labeled, tally
from steerco_servers.testing import TemporaryPostgres

MIRROR = "tally-mirror"

type React = Callable[[Sight, Recorded], Awaitable[Sequence[Order]]]


class Broken(ConnectionError):
    """Something that is mended later, and no event's fault."""


@pytest.fixture
async def source(postgres: TemporaryPostgres) -> AsyncIterator[Log]:
    """The log of another service."""
    async with fresh_log(postgres) as source:
        yield source


async def mirror(_: Sight, event: Recorded) -> Sequence[Order]:
    """What is counted there is counted here."""
    match event.payload:
        case Counted(by=by):
            return [Order(tally, MIRROR, Count(by), refused=None)]
        case _:
            return []


def reaction(source: Log, react: React = mirror) -> Reaction:
    return Reaction("mirror_counts", source.service, react)


def runner(log: Log, source: Log, react: React = mirror) -> Consumer:
    role = reacting(reaction(source, react), log.store, log.clock, log.appended)
    return Consumer(log.consumers(), role, source.service)


async def checkpoint(log: Log, source: Log) -> Cursor:
    async with log.engine.connect() as connection:
        return await Checkpoints("mirror_counts").load(connection, source.service)


async def happened(source: Log, *counts: int) -> None:
    for by in counts:
        await source.append("tally-1", Counted(by=by))
    await source.seal()


async def test_an_event_leads_to_a_command_that_bears_its_cause(log: Log, source: Log) -> None:
    await happened(source, 1)
    assert await runner(log, source).step(source.feed()) == 1
    (cause,) = (await source.feed().read(Cursor(), 10)).events
    async with log.engine.connect() as connection:
        (effect,) = await log.store.read_events(connection, MIRROR)
    assert effect.payload == Counted(by=1)
    assert (effect.causation_id, effect.correlation_id) == (cause.id, cause.correlation_id)
    assert effect.id == derived_id(derived_id("mirror_counts", cause.id, 0), 0)
    assert effect.actor == reaction(source).actor


async def test_a_reaction_goes_on_where_it_was_when_it_starts_again(log: Log, source: Log) -> None:
    await happened(source, 1, 2)
    await runner(log, source).step(source.feed())
    await happened(source, 3)
    assert await runner(log, source).step(source.feed()) == 1
    assert await log.payloads(MIRROR) == [Counted(by=1), Counted(by=2), Counted(by=3)]


async def test_an_event_that_comes_again_leads_to_nothing_more(log: Log, source: Log) -> None:
    reacting, feed = runner(log, source), Doubling(source.feed())
    await happened(source, 1, 2)
    await reacting.step(feed)
    await happened(source, 3)
    await reacting.step(feed)
    assert await log.payloads(MIRROR) == [Counted(by=1), Counted(by=2), Counted(by=3)]


async def test_a_crash_amid_a_batch_leaves_neither_effects_nor_checkpoint(log: Log, source: Log) -> None:
    broken = True

    async def fragile(sight: Sight, event: Recorded) -> Sequence[Order]:
        if broken and event.stream_version == 3:
            raise Broken
        return await mirror(sight, event)

    await happened(source, 1, 2, 3)
    reacting = runner(log, source, fragile)
    with pytest.raises(Broken):
        await reacting.step(source.feed())
    assert (await log.payloads(MIRROR), await checkpoint(log, source)) == ([], Cursor())

    broken = False
    assert await reacting.step(source.feed()) == 3
    assert await log.payloads(MIRROR) == [Counted(by=1), Counted(by=2), Counted(by=3)]


async def test_a_worker_that_others_overtook_doubles_nothing_and_goes_on_from_what_it_finds(
    log: Log, source: Log
) -> None:
    zombie, worker, feed = runner(log, source), runner(log, source), source.feed()
    for each in (zombie, worker):
        assert await each.step(feed) == 0
    await happened(source, 1, 2)
    assert await worker.step(feed) == 2
    with pytest.raises(CheckpointMoved):
        await zombie.step(feed)
    await happened(source, 3)
    assert await zombie.step(feed) == 1
    assert await log.payloads(MIRROR) == [Counted(by=1), Counted(by=2), Counted(by=3)]


async def test_of_two_workers_at_once_one_takes_effect(log: Log, source: Log) -> None:
    await happened(source, *range(1, 11))
    racing = [runner(log, source).step(source.feed()) for _ in range(2)]
    outcomes = await asyncio.gather(*racing, return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["CheckpointMoved", "int"]
    assert await log.payloads(MIRROR) == [Counted(by=n) for n in range(1, 11)]


async def test_events_that_lead_to_nothing_are_passed_over_for_good(log: Log, source: Log) -> None:
    await source.append("tally-1", Labeled(label="none of our business"))
    await source.seal()
    await runner(log, source).step(source.feed())
    assert await log.payloads(MIRROR) == []
    assert (await checkpoint(log, source)).positions > START


async def test_a_refusal_that_may_be_passed_over_stops_nothing(log: Log, source: Log) -> None:
    await log.append(MIRROR, Closed())
    await happened(source, 1, 2)
    assert await runner(log, source).step(source.feed()) == 2
    assert await log.payloads(MIRROR) == [Closed()]
    assert min((await checkpoint(log, source)).positions) == 2


async def test_a_refusal_is_answered_by_the_command_that_records_it(log: Log, source: Log) -> None:
    async def record(_: Sight, event: Recorded) -> Sequence[Order]:
        def refused(refusal: Refusal) -> Label:
            return Label(f"{type(refusal).__name__} of {event.stream}")

        return [Order(tally, f"tally-of-{event.stream}", Label("wanted by all"), refused)]

    await log.handle(tally, "tally-first", Label("wanted by all"))
    await happened(source, 1)
    assert await runner(log, source, record).step(source.feed()) == 1
    assert await log.payloads("tally-of-tally-1") == [Labeled(label="LabelInUse of tally-1")]


async def test_several_orders_of_one_event_take_effect_together(log: Log, source: Log) -> None:
    async def both(_: Sight, __: Recorded) -> Sequence[Order]:
        return [Order(tally, MIRROR, command, refused=None) for command in (Count(1), Count(1), Close())]

    await happened(source, 1)
    await runner(log, source, both).step(source.feed())
    assert await log.payloads(MIRROR) == [Counted(by=1), Counted(by=1), Closed()]


async def test_a_reaction_sees_what_its_own_service_decided_before(log: Log, source: Log) -> None:
    async def up_to_two(sight: Sight, event: Recorded) -> Sequence[Order]:
        if (await sight.fold(tally, MIRROR)).total == 2:
            return []
        return await mirror(sight, event)

    await happened(source, 1, 1, 1, 1)
    await runner(log, source, up_to_two).step(source.feed())
    assert await log.payloads(MIRROR) == [Counted(by=1), Counted(by=1)]


async def test_what_others_wrote_between_two_events_of_a_batch_is_seen(log: Log, source: Log) -> None:
    seen: list[int] = []

    async def look(sight: Sight, _: Recorded) -> Sequence[Order]:
        seen.append((await sight.fold(tally, MIRROR)).total)
        await log.append(MIRROR, Counted(by=5))
        return []

    await happened(source, 1, 1, 1)
    await runner(log, source, look).step(source.feed())
    assert seen == [0, 5, 10]


async def test_each_decider_has_its_own_situation_of_a_stream(log: Log, source: Log) -> None:
    twice = replace(tally, evolve=lambda state, event: replace(state, total=state.total + 2))
    seen: list[int] = []

    async def look(sight: Sight, _: Recorded) -> Sequence[Order]:
        seen.extend([(await sight.fold(each, MIRROR)).total for each in (tally, twice, tally)])
        return []

    await log.append(MIRROR, Counted(by=1))
    await happened(source, 1)
    await runner(log, source, look).step(source.feed())
    assert seen == [1, 2, 1]


async def test_the_orders_of_a_batch_are_appended_by_one_statement(log: Log, source: Log) -> None:
    inserts: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        inserts.extend([statement] if statement.startswith("INSERT INTO log.events") else [])

    await happened(source, 1, 1, 1, 1)
    event.listen(log.engine.sync_engine, "before_cursor_execute", note)
    await runner(log, source).step(source.feed())
    assert len(inserts) == 1
    assert await log.payloads(MIRROR) == [Counted(by=1)] * 4


async def test_an_order_is_decided_after_what_was_made_of_a_refusal_before_it(log: Log, source: Log) -> None:
    async def name(_: Sight, event: Recorded) -> Sequence[Order]:
        taken = Order(tally, MIRROR, Label("wanted by all"), lambda _: Label(f"of {event.stream}"))
        return [taken, Order(tally, "tally-of-all", Label(f"of {event.stream}"), lambda _: Count(1))]

    await log.handle(tally, "tally-first", Label("wanted by all"))
    await happened(source, 1)
    await runner(log, source, name).step(source.feed())
    assert await log.payloads(MIRROR) == [Labeled(label="of tally-1")]
    assert await log.payloads("tally-of-all") == [Counted(by=1)]


async def test_a_refusal_whose_record_is_refused_too_is_poison(log: Log, source: Log) -> None:
    async def name(_: Sight, event: Recorded) -> Sequence[Order]:
        return [Order(tally, MIRROR, Count(1), lambda _: Count(2))]

    await log.append(MIRROR, Closed())
    await happened(source, 1)
    await runner(log, source, name).step(source.feed())
    assert await log.payloads(MIRROR) == [Closed()]
    async with log.engine.connect() as connection:
        assert (await connection.execute(text("SELECT stream FROM log.parked"))).scalars().all() == ["tally-1"]


async def test_where_a_batch_of_nothing_new_ends_is_kept(log: Log, source: Log) -> None:
    await happened(source, 1)
    reacting = runner(log, source)
    await reacting.step(source.feed())
    seen = await checkpoint(log, source)
    moved = replace(seen, offsets=(3,) * len(seen.offsets))
    await reacting.step(Giving(source.feed(), Batch((), moved)))
    assert (await checkpoint(log, source)).offsets == moved.offsets


async def test_a_reaction_that_runs_follows_the_log(log: Log, source: Log) -> None:
    async def has(total: int) -> bool:
        return tally.fold(await log.payloads(MIRROR)).total == total

    leases = LeaseKeeper(log.engine)
    role = reacting(reaction(source), log.store, log.clock, log.appended)
    follow = partial(run_shards, log.consumers(leases), role, source.service, source.feed)
    async with source.sealing(), running(leases.run, follow):
        for n in range(1, 6):
            await source.append(f"tally-{n}", Counted(by=1))
        await until(lambda: has(5), "five events had their effect")
