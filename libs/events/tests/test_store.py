"""Appends are all or nothing, go by versions, and are never changed."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from steerco_events.ids import new_id
from steerco_events.positions import Token, partition_of
from steerco_events.postgres.store import MAX_EVENT_BYTES, EventTooLarge, VersionConflict, Write
from steerco_events.testkit.logs import Log
from steerco_events.testkit.tally import Closed, Counted, Labeled

ONE, TWO, THREE = Counted(by=1), Counted(by=2), Counted(by=3)

CHANGES = (
    "UPDATE log.events SET client = 'forger'",
    "DELETE FROM log.events",
    "TRUNCATE log.events",
    "UPDATE log.seals SET first = 0",
    "DELETE FROM log.seals",
    "TRUNCATE log.seals",
)


def stream() -> str:
    return f"tally-{new_id()}"


async def append(log: Log, *writes: Write) -> Token:
    async with log.engine.begin() as tx:
        return await log.store.append(tx, writes, log.context())


async def test_an_append_over_several_streams_puts_each_event_at_the_end_of_its_own(shared_log: Log) -> None:
    first, second = stream(), stream()
    await append(shared_log, Write(first, 0, [ONE]))
    await append(shared_log, Write(first, 1, [TWO, THREE]), Write(second, 0, [Closed()]))
    assert await shared_log.payloads(first) == [ONE, TWO, THREE]
    assert await shared_log.payloads(second) == [Closed()]


async def test_an_append_that_one_stream_refuses_reaches_none(shared_log: Log) -> None:
    first, second = stream(), stream()
    with pytest.raises(VersionConflict) as conflict:
        await append(shared_log, Write(first, 0, [ONE]), Write(second, 7, [TWO]))
    assert (conflict.value.stream, conflict.value.expected) == (second, 7)
    assert await shared_log.payloads(first) == await shared_log.payloads(second) == []


@pytest.mark.parametrize("expected", [0, 1, 3])
async def test_a_stream_at_another_version_than_expected_refuses(shared_log: Log, expected: int) -> None:
    tally = stream()
    await append(shared_log, Write(tally, 0, [ONE, TWO]))
    with pytest.raises(VersionConflict):
        await append(shared_log, Write(tally, expected, [THREE]))
    assert await shared_log.payloads(tally) == [ONE, TWO]


async def test_of_eight_writers_at_the_same_version_one_succeeds(shared_log: Log) -> None:
    tally = stream()
    await append(shared_log, Write(tally, 0, [ONE]))
    racing = [append(shared_log, Write(tally, 1, [Counted(by=n)])) for n in range(8)]
    outcomes = await asyncio.gather(*racing, return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Token", *["VersionConflict"] * 7]
    assert len(await shared_log.payloads(tally)) == 2


async def test_appends_that_name_the_same_streams_in_opposite_orders_do_not_deadlock(shared_log: Log) -> None:
    for _ in range(20):
        first, second = stream(), stream()
        there, back = (
            [Write(first, 0, [ONE]), Write(second, 0, [ONE])],
            [Write(second, 0, [TWO]), Write(first, 0, [TWO])],
        )
        outcomes = await asyncio.gather(append(shared_log, *there), append(shared_log, *back), return_exceptions=True)
        assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Token", "VersionConflict"]


async def test_streams_are_read_together_and_one_that_is_not_there_has_version_0(shared_log: Log) -> None:
    first, second, none = stream(), stream(), stream()
    await append(shared_log, Write(first, 0, [ONE, TWO]), Write(second, 0, [THREE]))
    async with shared_log.engine.connect() as connection:
        slices = await shared_log.store.read_streams(connection, [second, none, first])
    assert {name: (each.version, each.payloads) for name, each in slices.items()} == {
        first: (2, [ONE, TWO]),
        second: (1, [THREE]),
        none: (0, []),
    }


async def test_a_write_to_a_stream_that_is_not_there_at_the_version_that_it_expects_is_a_conflict(
    shared_log: Log,
) -> None:
    tally = stream()
    with pytest.raises(VersionConflict):
        await append(shared_log, Write(tally, 3, [ONE]))
    assert await shared_log.payloads(tally) == []


async def test_appends_that_go_on_from_each_other_are_written_together(shared_log: Log) -> None:
    tally, other = stream(), stream()
    store = shared_log.store
    series = [
        [Write(tally, 0, [ONE, TWO])],
        [Write(other, 0, [ONE]), Write(tally, 2, [THREE])],
        [Write(tally, 3, [ONE])],
    ]
    async with shared_log.engine.begin() as tx:
        tokens = await store.append_all(tx, [store.prepare(writes, shared_log.context()) for writes in series])
    assert await shared_log.payloads(tally) == [ONE, TWO, THREE, ONE]
    assert await shared_log.payloads(other) == [ONE]
    reached = [token.target(shared_log.service)[1][partition_of(tally)] for token in tokens]
    assert reached == sorted(set(reached))


async def test_an_event_keeps_all_that_its_command_said(shared_log: Log) -> None:
    tally = stream()
    context = replace(
        shared_log.context(),
        reason="Counted anew",
        valid_at=shared_log.clock.now() - timedelta(days=40),
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        org_units=(new_id(), new_id()),
        on_behalf_of=new_id(),
    )
    async with shared_log.engine.begin() as tx:
        await shared_log.store.append(tx, [Write(tally, 0, [ONE, TWO])], context)
        events = await shared_log.store.read_events(tx, tally)
    assert [(event.payload, event.stream_version) for event in events] == [(ONE, 1), (TWO, 2)]
    for event in events:
        assert (event.actor, event.client, event.reason) == (context.actor, context.client, context.reason)
        assert event.on_behalf_of == context.on_behalf_of
        assert (event.recorded_at, event.valid_at) == (context.recorded_at, context.valid_at)
        assert (event.correlation_id, event.causation_id) == (context.correlation_id, context.causation_id)
        assert (event.traceparent, event.org_units) == (context.traceparent, context.org_units)
        assert (event.type, event.schema_version) == ("steerco.tally.counted", 1)
        assert event.partition == partition_of(tally)


async def test_the_ids_of_a_commands_events_are_numbered_over_all_its_streams(shared_log: Log) -> None:
    later, earlier = f"z-{new_id()}", f"a-{new_id()}"
    context = shared_log.context()
    async with shared_log.engine.begin() as tx:
        await shared_log.store.append(tx, [Write(later, 0, [ONE, TWO]), Write(earlier, 0, [THREE])], context)
        written = [*await shared_log.store.read_events(tx, later), *await shared_log.store.read_events(tx, earlier)]
    assert [event.id for event in written] == [context.event_id(n) for n in range(3)]


async def test_an_event_that_the_relay_could_not_send_is_refused(shared_log: Log) -> None:
    tally = stream()
    with pytest.raises(EventTooLarge):
        await append(shared_log, Write(tally, 0, [Labeled(label="x" * MAX_EVENT_BYTES)]))
    assert await shared_log.payloads(tally) == []


async def test_the_token_of_an_append_covers_the_last_event_of_each_stream(shared_log: Log) -> None:
    first, second = stream(), stream()
    token = await append(shared_log, Write(first, 0, [ONE, TWO]), Write(second, 0, [THREE]))
    async with shared_log.engine.connect() as connection:
        of_each = [(await shared_log.store.read_stream(connection, each)).token for each in (first, second)]
        of_none = (await shared_log.store.read_stream(connection, stream())).token
    assert token == of_each[0].merged(of_each[1])
    assert of_none == Token()


@pytest.mark.parametrize("change", CHANGES)
async def test_the_writing_role_may_not_change_what_is_written(shared_log: Log, change: str) -> None:
    await shared_log.append(stream(), ONE)
    await shared_log.seal()
    with pytest.raises(DBAPIError, match="permission denied"):
        async with shared_log.engine.begin() as tx:
            await tx.execute(text(change))


@pytest.mark.parametrize("change", CHANGES)
async def test_not_even_the_owner_changes_what_is_written(shared_log: Log, change: str) -> None:
    await shared_log.append(stream(), ONE)
    await shared_log.seal()
    owner = create_async_engine(shared_log.urls.owner_url, poolclass=NullPool)
    with pytest.raises(DBAPIError, match="never changed or deleted"):
        async with owner.begin() as tx:
            await tx.execute(text(change))


@pytest.mark.parametrize("table", ["events", "seals", "streams", "commands", "checkpoints", "leases"])
async def test_the_feed_role_sees_nothing_but_the_sealed_log(shared_log: Log, table: str) -> None:
    async with shared_log.reader.connect() as connection:
        await connection.execute(text("SELECT * FROM log.sealed_events"))
        with pytest.raises(DBAPIError, match="permission denied"):
            await connection.execute(text(f"SELECT * FROM log.{table}"))


async def test_the_feed_role_can_not_use_up_the_positions(shared_log: Log) -> None:
    async with shared_log.reader.connect() as connection:
        with pytest.raises(DBAPIError, match="permission denied for function"):
            await connection.execute(text("SELECT log.draw_beyond(9223372036854775807)"))


async def test_a_servers_own_defaults_do_not_matter(shared_log: Log) -> None:
    query = text(
        "SELECT setconfig FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase"
        " WHERE datname = current_database() AND setrole = 0"
    )
    async with shared_log.engine.connect() as connection:
        settings = (await connection.execute(query)).scalar_one()
    assert settings == ["default_transaction_isolation=read committed", "idle_in_transaction_session_timeout=60s"]
