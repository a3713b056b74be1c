"""Requests are counted by their route, and commands by what came of them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager

import httpx
import pytest
from starlette.types import Message

from steerco_events.ids import new_id
from steerco_events.metering import Counter, Gauge, Histogram
from steerco_events.metrics import METRICS
from steerco_events.testkit.logs import PATIENCE
from steerco_service.metrics import COMMANDS, HTTP_REQUESTS, HTTP_SECONDS, STREAMS
from steerco_service.testkit.listening import listening
from steerco_service.testkit.serving import Served


def counted(of: Counter | Gauge | Histogram, *labels: str) -> float:
    return METRICS.value(of.about, "risk", *labels) or 0


@asynccontextmanager
async def counts_one(of: Counter | Histogram, *labels: str) -> AsyncIterator[None]:
    before = counted(of, *labels)
    yield
    assert counted(of, *labels) == before + 1


async def test_a_request_is_counted_by_the_pattern_of_its_path(shelf: httpx.AsyncClient) -> None:
    about = ("/things/{thing_id}", "GET")
    async with counts_one(HTTP_REQUESTS, *about, "4xx"), counts_one(HTTP_SECONDS, *about):
        await shelf.get(f"/things/{new_id()}")


@pytest.mark.parametrize(("method", "counted_as"), [("GET", "GET"), ("BREW", "other")])
async def test_what_somebody_made_up_is_no_label(shelf: httpx.AsyncClient, method: str, counted_as: str) -> None:
    async with counts_one(HTTP_REQUESTS, "unmatched", counted_as, "4xx"):
        await shelf.request(method, f"/made-up/{new_id()}")
    assert "made-up" not in METRICS.exposed().decode()


async def test_a_command_is_accepted_repeated_or_found_done(shelf: httpx.AsyncClient) -> None:
    thing, once = {"thing_id": str(new_id()), "name": "Lamp"}, {"Idempotency-Key": f"{new_id()}"}
    async with counts_one(COMMANDS, "put", "accepted", ""):
        await shelf.post("/things", json=thing, headers=once)
    async with counts_one(COMMANDS, "put", "repeated", ""):
        await shelf.post("/things", json=thing, headers=once)
    async with counts_one(COMMANDS, "put", "unchanged", ""):
        await shelf.post("/things", json=thing)


async def test_a_command_that_changes_nothing_tells_why(shelf: httpx.AsyncClient) -> None:
    there = (await shelf.post("/things", json={"name": "Lamp"})).headers["Location"]
    cases = {
        ("put", "invalid", "invalid-request"): shelf.post("/things", json={"name": 7}),
        ("put", "invalid", "malformed-json"): shelf.post(
            "/things", content=b"{", headers={"Content-Type": "application/json"}
        ),
        ("close", "refused", "thing-unknown"): shelf.post(f"/things/{new_id()}/closure"),
        ("close", "conflict", "stale-version"): shelf.post(f"{there}/closure", headers={"If-Match": '"7"'}),
        ("put", "refused", "unauthorized"): shelf.post("/things", json={}, headers={"Authorization": "Bearer x"}),
    }
    for about, sent in cases.items():
        async with counts_one(COMMANDS, *about):
            await answered(sent)


async def answered(sent: Awaitable[httpx.Response]) -> None:
    assert (await sent).status_code >= 400


async def test_neither_a_question_nor_what_no_route_takes_is_a_command(shelf: httpx.AsyncClient) -> None:
    before = told_of_commands()
    await shelf.get("/things")
    await shelf.put("/things", json={})
    assert told_of_commands() == before


def told_of_commands() -> list[str]:
    return [line for line in METRICS.exposed().decode().splitlines() if line.startswith(COMMANDS.about.name)]


async def test_what_comes_in_a_batch_is_counted_as_if_it_came_by_itself(shelf: httpx.AsyncClient) -> None:
    async with counts_one(COMMANDS, "put", "accepted", ""), counts_one(HTTP_REQUESTS, "/batch", "POST", "2xx"):
        await shelf.post("/batch", json={"commands": [{"path": "/things", "body": {"name": "Lamp"}}]})


async def test_a_request_that_is_broken_off_before_its_answer_is_no_fault(
    served: Served, shelf: httpx.AsyncClient
) -> None:
    comes, never = asyncio.Event(), asyncio.Event()

    async def receive() -> Message:
        comes.set()
        await never.wait()
        return {}

    async def send(_: Message) -> None:
        raise AssertionError("it is answered")

    head = {"method": "POST", "path": "/things", "query_string": b"", "http_version": "1.1", "scheme": "http"}
    headers = [(b"content-type", b"application/json"), (b"authorization", shelf.headers["Authorization"].encode())]
    scope = {"type": "http", "headers": headers, "server": ("risk", 80), "client": None, **head}
    faults = counted(HTTP_REQUESTS, "/things", "POST", "5xx")
    async with counts_one(HTTP_REQUESTS, "/things", "POST", "none"), counts_one(COMMANDS, "put", "unanswered", ""):
        asking = asyncio.create_task(served.apps["risk"](scope, receive, send))
        async with asyncio.timeout(PATIENCE):
            await comes.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
    assert counted(HTTP_REQUESTS, "/things", "POST", "5xx") == faults


async def test_an_event_stream_is_open_until_its_reader_leaves(served: Served, shelf: httpx.AsyncClient) -> None:
    before = counted(STREAMS)
    about = ("/events", "GET")
    seconds = counted(HTTP_SECONDS, *about)
    async with listening(served.apps["risk"]) as there, counts_one(HTTP_REQUESTS, *about, "2xx"):
        headers = {"Authorization": shelf.headers["Authorization"], "Accept": "text/event-stream"}
        async with (
            httpx.AsyncClient(headers=headers) as client,
            client.stream("GET", f"{there.url}/events") as stream,
        ):
            await anext(stream.aiter_bytes())
            assert counted(STREAMS) == before + 1
        await there.stop()
    assert counted(STREAMS) == before
    assert counted(HTTP_SECONDS, *about) == seconds
