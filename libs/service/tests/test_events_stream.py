"""`GET /events` as a stream: resumed at any event nothing is lost or doubled; it costs little, and ends cleanly."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy import text

from steerco_events.clock import SystemClock
from steerco_events.ids import derived_id
from steerco_events.postgres import event_pages
from steerco_events.postgres.wakeups import COALESCE_SEALED_SECONDS, SEALED, announce, listen
from steerco_events.testkit.logs import running
from steerco_servers.provisioning import connect_as_admin
from steerco_servers.testing import TemporaryPostgres
from steerco_service.events import log_head, streaming
from steerco_service.http_server import GRACE_SECONDS
from steerco_service.runtime import Signals
from steerco_service.testkit.blocks import PATIENCE, Reader
from steerco_service.testkit.event_streams import NOBODY, Open, opened
from steerco_service.testkit.listening import listening
from steerco_service.testkit.serving import TESTER

CLOSED = "steerco.risk.risk-closed"


@pytest.fixture(scope="module")
async def shared(postgres: TemporaryPostgres) -> AsyncIterator[Open]:
    """A service that the tests of this module share, with some events."""
    async with opened(postgres, events=12) as service:
        yield service


@pytest.fixture
async def fresh(postgres: TemporaryPostgres) -> AsyncIterator[Open]:
    """A service for one test, with some events."""
    async with opened(postgres, events=6) as service:
        yield service


async def test_a_stream_begins_with_where_it_stands_and_gives_every_event_with_its_place(shared: Open) -> None:
    events = await shared.all_events()
    async with shared.stream() as reader:
        first = await reader.block()
        assert first
        assert first.fields == {"retry": "1000", "id": "1.0"}
        blocks = await reader.events(len(events))
    assert [block.event for block in blocks] == events
    assert {block.fields["event"] for block in blocks} == {CLOSED}
    assert [block.id for block in blocks] == [f"1.{int(event['sequence'])}" for event in events]


async def test_resumed_at_any_event_it_goes_on_with_the_next(shared: Open) -> None:
    events = await shared.all_events()
    for n, event in enumerate(events[:-1]):
        async with shared.stream("?after=1.2", Last_Event_ID=f"1.{int(event['sequence'])}") as reader:
            rest = await reader.events(len(events) - n - 1)
        assert [block.event for block in rest] == events[n + 1 :]


async def test_what_happens_comes_at_once_to_every_stream(shared: Open) -> None:
    async with AsyncExitStack() as stack:
        readers = [await stack.enter_async_context(shared.stream("?after=end")) for _ in range(5)]
        for reader in readers:
            await reader.block()
        began = asyncio.get_running_loop().time()
        await shared.close_risks(1)
        blocks = [block for reader in readers for block in await reader.events(1)]
        assert asyncio.get_running_loop().time() - began < 5
    assert len({block.id for block in blocks}) == 1


async def test_events_come_while_they_are_written_and_none_is_missed(shared: Open) -> None:
    async with shared.stream("?after=end") as reader:
        await reader.block()
        writing = asyncio.create_task(shared.close_risks(60))
        blocks = await reader.events(60)
        await writing
    assert [block.event for block in blocks] == (await shared.all_events())[-60:]


async def test_a_thousand_units_can_be_asked_for_at_once(shared: Open) -> None:
    units = [str(derived_id("unit", n)) for n in range(1000)]
    async with shared.stream(f"?{urlencode({'unit': units}, doseq=True)}") as reader:
        await reader.events(12)
    answer = await shared.client.get("/events", params={"unit": [*units, str(NOBODY)]})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/unit")


async def test_a_filter_that_passes_over_much_says_how_far_it_is(shared: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "HEARTBEAT_SECONDS", 0.05)
    monkeypatch.setattr(event_pages, "SCANNED_AT_MOST", 3)
    end = (await shared.all_events())[-1]
    async with shared.stream(f"?unit={NOBODY}") as reader:
        seen = await reader.block()
        while seen and seen.fields.get("id") != f"1.{int(end['sequence'])}":
            assert "data" not in seen.fields
            seen = await reader.block()
        quiet = await reader.block()
    assert quiet
    assert quiet.fields == {"comment": ""}


async def test_idle_streams_of_a_person_hold_no_connection_and_ask_the_database_as_often_as_one(shared: Open) -> None:
    asked: Counter[str] = Counter()
    async with AsyncExitStack() as stack:
        readers = [await stack.enter_async_context(shared.stream("?after=end")) for _ in range(100)]
        for reader in readers:
            await reader.block()
        head = shared.served.apps["risk"].state.feed.head
        async with asyncio.timeout(PATIENCE):
            while len(head._waiting) < 100 or shared.checked_out():
                await asyncio.sleep(0.01)
        engine = shared.served.runtime("risk").engine.sync_engine

        def count(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
            asked[statement] += 1

        sqlalchemy_event.listen(engine, "before_cursor_execute", count)
        began = asyncio.get_running_loop().time()
        async with asyncio.timeout(PATIENCE):
            while asked[str(event_pages._HEAD)] < 4:
                await asyncio.sleep(0.01)
        assert asyncio.get_running_loop().time() - began > 2
        sqlalchemy_event.remove(engine, "before_cursor_execute", count)
        seconds = asyncio.get_running_loop().time() - began
    assert not [statement for statement in asked if "log.sealed_events" in statement]
    assert sum(count for statement, count in asked.items() if "appointments_held" in statement) <= seconds + 2


async def test_the_server_stops_at_once_and_its_streams_end_cleanly(fresh: Open) -> None:
    loop = asyncio.get_running_loop()
    async with AsyncExitStack() as stack:
        readers = [await stack.enter_async_context(fresh.stream()) for _ in range(20)]
        for reader in readers:
            await reader.events(6)
        waiting = asyncio.create_task(fresh.client.get("/events?after=end&wait=30"))
        while len(fresh.served.apps["risk"].state.feed.head._waiting) <= len(readers):
            await asyncio.sleep(0.005)
        began = loop.time()
        stopping = asyncio.create_task(fresh.server.stop())
        for reader in readers:
            while await reader.block():
                pass
        assert (await waiting).json() == []
        await stopping
    assert loop.time() - began < GRACE_SECONDS


async def test_what_another_process_seals_comes_by_its_wake_up(shared: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_head, "POLL_SECONDS", 3600)
    runtime = shared.served.runtime("risk")
    signals = Signals()
    url = runtime.engine.url.render_as_string(hide_password=False)
    waking = partial(announce, runtime.engine, SEALED, runtime.signals.sealed, COALESCE_SEALED_SECONDS)
    async with (
        running(partial(listen, url, {SEALED: signals.sealed}), waking),
        listening(shared.served.apart("risk", signals=signals)) as api,
    ):
        headers = {"Authorization": shared.client.headers["Authorization"], "Accept": "text/event-stream"}
        async with (
            httpx.AsyncClient(base_url=api.url, headers=headers, timeout=PATIENCE) as client,
            client.stream("GET", "/events?after=end") as response,
        ):
            reader = Reader(response)
            await reader.block()
            for _ in range(5):
                await shared.close_risks(1)
                await reader.events(1)


async def test_a_client_that_goes_away_leaves_nothing_behind(shared: Open) -> None:
    for _ in range(10):
        async with shared.stream() as reader:
            await reader.events(3)
    head = shared.served.apps["risk"].state.feed.head
    async with asyncio.timeout(PATIENCE):
        while head._waiting or head._watch or shared.checked_out():
            await asyncio.sleep(0.01)


async def test_a_stream_ends_when_the_token_does(shared: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "HEARTBEAT_SECONDS", 0.1)
    leeway_left = SystemClock().now() - timedelta(seconds=28)
    token = shared.served.issuer.token(TESTER, leeway_left - timedelta(hours=1), timedelta(hours=1))
    async with shared.stream("?after=end", Authorization=f"Bearer {token}") as reader:
        last = block = await reader.block()
        while block:
            last, block = block, await reader.block()
    assert last
    assert last.fields["event"] == "steerco.problem"
    assert last.event["type"] == "urn:steerco:problem:unauthorized"
    assert "id" not in last.fields


async def test_a_stream_ends_while_the_database_is_gone(fresh: Open, postgres: TemporaryPostgres) -> None:
    async with fresh.served.runtime("risk").engine.connect() as connection:
        database = (await connection.execute(text("SELECT current_database()"))).scalar_one()
    admin = await connect_as_admin(postgres.admin_url)
    try:
        async with fresh.stream("?after=end") as reader:
            await reader.block()
            await admin.execute(f'ALTER ROLE "{database}_app" NOLOGIN')
            await admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", database)
            while await reader.block():
                pass
        gone = await fresh.client.get("/events", headers={"Accept": "text/event-stream"})
        assert (gone.status_code, gone.json()["type"]) == (503, "urn:steerco:problem:database-unavailable")
        await admin.execute(f'ALTER ROLE "{database}_app" LOGIN')
    finally:
        await admin.close()
    async with fresh.stream(Last_Event_ID="1.4") as reader:
        assert [block.id for block in await reader.events(2)] == ["1.5", "1.6"]
