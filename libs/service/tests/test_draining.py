"""An API that is told to end says so first, goes on for a while, answers what it was asked, and then refuses."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.types import Receive, Scope, Send

from steerco_service import http_server
from steerco_service.http_server import Draining, stopping_of, until_stopping
from steerco_service.runtime import Runtime
from steerco_service.testkit.listening import Listening, listening
from steerco_service.testkit.serving import Served

LONG = 3600.0
PATIENCE = 30.0
HEARTBEAT = b":\n\n"


class Door:
    """An application that answers when it is let, and a stream that brings nothing but signs of life."""

    def __init__(self) -> None:
        self.was_asked = asyncio.Event()
        self.may_answer = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/stream":
            chunks = until_stopping(self._heartbeats(), stopping_of(scope))
            await StreamingResponse(chunks, media_type="text/event-stream")(scope, receive, send)
            return
        self.was_asked.set()
        await self.may_answer.wait()
        await PlainTextResponse("open")(scope, receive, send)

    async def _heartbeats(self) -> AsyncIterator[bytes]:
        yield HEARTBEAT
        await asyncio.Event().wait()


async def told_to_end(server: Listening, draining: Draining) -> None:
    """As by SIGTERM; returns when it drains."""
    server.server.should_exit = True
    async with asyncio.timeout(PATIENCE):
        await draining.begun.wait()


def cut_short(server: Listening) -> None:
    """As by a second Ctrl-C."""
    server.server.force_exit = True


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_server, "TICK_SECONDS", 0.05)


async def test_while_it_drains_it_takes_new_connections_and_asks_each_to_come_back_by_another() -> None:
    door, draining = Door(), Draining(LONG)
    door.may_answer.set()
    async with listening(door, draining=draining) as server, httpx.AsyncClient(base_url=server.url) as client:
        assert "Connection" not in (await client.get("/")).headers
        await told_to_end(server, draining)

        async def asks_to_close() -> bool:
            answer = await client.get("/")
            return (answer.text, answer.headers.get("Connection")) == ("open", "close")

        async with asyncio.timeout(PATIENCE):
            while not await asks_to_close():
                await asyncio.sleep(0.01)
        assert not server.task.done()
        cut_short(server)


async def test_at_the_end_it_answers_what_it_was_asked_ends_its_streams_and_refuses_what_is_new() -> None:
    door, draining = Door(), Draining(0.2)
    async with (
        listening(door, draining=draining) as server,
        httpx.AsyncClient(base_url=server.url, timeout=PATIENCE) as client,
        client.stream("GET", "/stream") as stream,
    ):
        chunks = stream.aiter_bytes()
        assert await anext(chunks) == HEARTBEAT
        asking = asyncio.create_task(client.get("/"))
        async with asyncio.timeout(PATIENCE):
            await door.was_asked.wait()
            await told_to_end(server, draining)
            assert [chunk async for chunk in chunks] == []
            while await takes_connections(server):
                await asyncio.sleep(0.01)
            assert not asking.done()
            door.may_answer.set()
            assert (await asking).text == "open"
            await server.task


async def takes_connections(server: Listening) -> bool:
    try:
        _, writer = await asyncio.open_connection(*server.url.removeprefix("http://").split(":"))
    except ConnectionRefusedError:
        return False
    writer.close()
    return True


async def test_a_service_that_drains_is_not_ready_and_lives(served: Served) -> None:
    app = served.apart("risk")
    runtime: Runtime = app.state.runtime
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://risk") as client:
        assert (await client.get("/readyz")).status_code == 200
        runtime.draining.set()
        answer = await client.get("/readyz")
        assert (answer.status_code, answer.json()["type"]) == (503, "urn:steerco:problem:draining")
        assert (await client.get("/livez")).status_code == 204
