"""A command is decided on what its stream holds, and decided again when another writer came between."""

import asyncio
from dataclasses import replace
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from steerco_events.commands.attempts import ATTEMPTS, Contended, in_transaction
from steerco_events.commands.handling import handle
from steerco_events.commands.planning import StaleVersion
from steerco_events.ids import new_id
from steerco_events.positions import Token
from steerco_events.postgres.store import Write
from steerco_events.testkit.logs import Log, until, waits_for_a_lock
from steerco_events.testkit.tally import Close, Closed, Count, Counted, Label, Labeled, LabelInUse, TallyClosed, tally


def stream() -> str:
    return f"tally-{new_id()}"


async def somebody_waits(log: Log) -> bool:
    async with log.engine.connect() as connection:
        return await waits_for_a_lock(connection)


async def test_a_command_is_answered_with_its_events_and_the_new_version(shared_log: Log) -> None:
    name = stream()
    await shared_log.append(name, Counted(by=1))
    handled = await shared_log.handle(tally, name, Count(2))
    assert (handled.version, handled.events) == (2, [Counted(by=2)])
    assert await shared_log.payloads(name) == [Counted(by=1), Counted(by=2)]


async def stamps(log: Log, name: str) -> list[tuple[UUID, ...]]:
    async with log.engine.connect() as connection:
        return [event.org_units for event in await log.store.read_events(connection, name)]


async def test_events_are_stamped_with_the_units_of_their_context_and_of_the_situations_around_them(
    shared_log: Log,
) -> None:
    name, teller, before, after = stream(), new_id(), new_id(), new_id()
    placed = replace(tally, concerns=lambda state: (after,) if state.total else (before,))
    async with shared_log.engine.begin() as tx:
        context = shared_log.context().concerning(teller)
        await handle(tx, shared_log.store, placed, name, Count(1), context)
        await handle(tx, shared_log.store, placed, name, Count(1), shared_log.context())
    assert await stamps(shared_log, name) == [(teller, before, after), (after,)]


async def test_where_no_unit_is_known_the_stamp_of_the_streams_last_event_holds(shared_log: Log) -> None:
    name, unit = stream(), new_id()
    async with shared_log.engine.begin() as tx:
        await handle(tx, shared_log.store, tally, name, Count(1), shared_log.context())
        await handle(tx, shared_log.store, tally, name, Count(1), shared_log.context().concerning(unit))
        await handle(tx, shared_log.store, tally, name, Count(1), shared_log.context())
    assert await stamps(shared_log, name) == [(), (unit,), (unit,)]


async def test_where_the_events_of_a_stream_are_about_several_places_no_stamp_goes_on(shared_log: Log) -> None:
    name, unit = stream(), new_id()
    of_several = replace(tally, is_of_one_place=False)
    async with shared_log.engine.begin() as tx:
        await handle(tx, shared_log.store, of_several, name, Count(1), shared_log.context().concerning(unit))
        await handle(tx, shared_log.store, of_several, name, Count(1), shared_log.context())
    assert await stamps(shared_log, name) == [(unit,), ()]


async def test_a_refusal_writes_nothing(shared_log: Log) -> None:
    name = stream()
    await shared_log.append(name, Closed())
    with pytest.raises(TallyClosed):
        await shared_log.handle(tally, name, Count(1))
    assert await shared_log.payloads(name) == [Closed()]


async def test_a_command_that_changes_nothing_is_answered_with_where_the_stream_stands(shared_log: Log) -> None:
    name = stream()
    closed = await shared_log.handle(tally, name, Close())
    again = await shared_log.handle(tally, name, Close())
    assert (again.version, again.events, again.token) == (1, (), closed.token)


@pytest.mark.parametrize("expected", [0, 2])
async def test_a_caller_that_saw_another_version_is_refused(shared_log: Log, expected: int) -> None:
    name = stream()
    await shared_log.append(name, Counted(by=1))
    with pytest.raises(StaleVersion):
        async with shared_log.engine.begin() as tx:
            await handle(tx, shared_log.store, tally, name, Count(1), shared_log.context(), expected)


async def test_a_command_is_decided_again_on_what_a_faster_writer_left(shared_log: Log) -> None:
    name = stream()
    await shared_log.append(name, Counted(by=1))
    async with shared_log.engine.begin() as faster:
        await shared_log.store.append(faster, [Write(name, 1, [Closed()])], shared_log.context())
        slower = asyncio.create_task(shared_log.handle(tally, name, Count(1)))
        await until(lambda: somebody_waits(shared_log), "the slower writer waits for the faster")
    with pytest.raises(TallyClosed):
        await slower
    assert await shared_log.payloads(name) == [Counted(by=1), Closed()]


async def test_no_count_is_lost_among_as_many_writers_as_there_are_attempts(shared_log: Log) -> None:
    name = stream()
    await asyncio.gather(*(shared_log.handle(tally, name, Count(1)) for _ in range(ATTEMPTS)))
    assert tally.fold(await shared_log.payloads(name)).total == ATTEMPTS


async def test_a_writer_that_always_comes_too_late_gives_up(shared_log: Log) -> None:
    name, tried = stream(), 0
    await shared_log.append(name, Counted(by=1))

    async def too_late(tx: AsyncConnection) -> Token:
        nonlocal tried
        tried += 1
        return await shared_log.store.append(tx, [Write(name, 0, [Counted(by=1)])], shared_log.context())

    with pytest.raises(Contended):
        await in_transaction(shared_log.engine, too_late)
    assert tried == ATTEMPTS


async def test_a_reserved_value_has_one_holder(shared_log: Log) -> None:
    first, second, label = stream(), stream(), str(new_id())
    await shared_log.handle(tally, first, Label(label))
    with pytest.raises(LabelInUse):
        await shared_log.handle(tally, second, Label(label))
    assert await shared_log.payloads(first) == [Labeled(label=label)]
    assert await shared_log.payloads(second) == []


async def test_of_those_who_reserve_a_value_at_once_one_gets_it(shared_log: Log) -> None:
    label = str(new_id())
    racing = [shared_log.handle(tally, stream(), Label(label)) for _ in range(6)]
    outcomes = await asyncio.gather(*racing, return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Handled", *["LabelInUse"] * 5]
