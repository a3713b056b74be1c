"""The proxy before the services: what it passes on, and what it answers itself."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import httpx
import pytest
import uvicorn
from fastapi import FastAPI, Request
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from steerco.edition import proxy as proxying
from steerco.edition.embedded import bind
from steerco.edition.mounting import parent_app
from steerco.edition.proxy import proxy_app, proxy_client
from steerco_servers.child import free_port
from steerco_service.edge.front import Edge
from steerco_service.edge.security_headers import DEFAULTS
from steerco_service.edge.sizes import Sizes
from steerco_service.http_server import GRACE_SECONDS
from steerco_service.testkit.listening import listening

TITLES = {"risk": "Risks", "gone": "Gone"}


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """What arrived."""
    request = Request(scope, receive)
    said = {
        "method": request.method,
        "path": scope["raw_path"].decode(),
        "query": scope["query_string"].decode(),
        "host": request.headers["host"],
        "body": (await request.body()).decode(),
    }
    await JSONResponse(said, headers={"Said": json.dumps(said)})(scope, receive, send)


@pytest.fixture
async def proxy() -> AsyncIterator[httpx.AsyncClient]:
    """A client of a proxy before the service `risk`, which echoes, and `gone`, which is down."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(echo, log_level="warning", lifespan="off"))
    serving = asyncio.create_task(server._serve([bind(port)]))
    addresses = {"risk": f"http://127.0.0.1:{port}", "gone": f"http://127.0.0.1:{free_port()}"}
    async with proxy_client() as behind:
        transport = httpx.ASGITransport(proxy_app(addresses, TITLES, behind))
        async with httpx.AsyncClient(transport=transport, base_url="http://edition:8080") as client:
            yield client
    server.should_exit = True
    await serving


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_every_method_is_passed_on_with_host_path_and_query_as_they_came(
    method: str, proxy: httpx.AsyncClient
) -> None:
    answer = await proxy.request(method, "/risk/stories/A%2F%2E%2E%2FB%3Fx/?q=%2F+1", content=b"body")
    assert json.loads(answer.headers["Said"]) == {
        "method": method,
        "path": "/stories/A%2F%2E%2E%2FB%3Fx/",
        "query": "q=%2F+1",
        "host": "edition:8080",
        "body": "body",
    }


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing/here", 404, "not-found"),
        ("GET", "/risk", 404, "not-found"),
        ("GET", "/risk%2Frisks", 404, "not-found"),
        ("POST", "/", 405, "method-not-allowed"),
        ("GET", "/gone/risks", 503, "service-unavailable"),
    ],
)
async def test_what_it_answers_itself_are_problem_details(
    method: str, path: str, status: int, code: str, proxy: httpx.AsyncClient
) -> None:
    answer = await proxy.request(method, path)
    assert (answer.status_code, answer.json()["type"]) == (status, f"urn:steerco:problem:{code}")
    assert answer.headers["Content-Type"] == "application/problem+json"


async def test_its_edge_refuses_what_it_would_have_to_hold_and_adds_nothing_to_what_a_service_says() -> None:
    async with (
        listening(Edge().before(echo)) as service,
        proxy_client() as behind,
        listening(Edge(sizes=Sizes(body=4)).before_proxy(proxy_app({"risk": service.url}, TITLES, behind))) as front,
        httpx.AsyncClient(base_url=front.url) as client,
    ):
        answers = [
            await client.post("/risk/risks", content=b"body"),
            await client.post("/risk/risks", content=b"bodies"),
            await client.get("/nothing"),
        ]
    assert [answer.status_code for answer in answers] == [200, 413, 404]
    for answer in answers:
        said = [(name, value) for name, value in answer.headers.raw if name in dict(DEFAULTS)]
        assert sorted(said) == sorted(DEFAULTS)


async def endless(scope: Scope, receive: Receive, send: Send) -> None:
    """An event stream that ends only when its reader goes away."""
    headers = [(b"content-type", b"text/event-stream; charset=utf-8")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"id: 1\n\n", "more_body": True})
    while (await receive())["type"] != "http.disconnect":
        pass
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def test_an_event_stream_is_passed_on_at_once_and_ends_cleanly_when_the_proxy_stops() -> None:
    async with (
        listening(endless) as service,
        proxy_client() as behind,
        listening(proxy_app({"risk": service.url}, TITLES, behind)) as front,
        httpx.AsyncClient(base_url=front.url) as client,
        client.stream("GET", "/risk/events") as answer,
    ):
        chunks = answer.aiter_bytes()
        assert await anext(chunks) == b"id: 1\n\n"
        began = asyncio.get_running_loop().time()
        stopping = asyncio.create_task(front.stop())
        assert await anext(chunks, None) is None
        await stopping
        assert asyncio.get_running_loop().time() - began < GRACE_SECONDS / 2


async def test_whoever_reads_feeds_keeps_nobody_else_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxying, "MOST_AT_ONCE", 2)

    async def service(scope: Scope, receive: Receive, send: Send) -> None:
        await (endless if scope["path"] == "/events" else echo)(scope, receive, send)

    async with (
        listening(service) as behind,
        proxy_client() as clients,
        listening(proxy_app({"risk": behind.url}, TITLES, clients)) as front,
        httpx.AsyncClient(base_url=front.url, timeout=10) as client,
        AsyncExitStack() as reading,
    ):
        for _ in range(5):
            answer = await reading.enter_async_context(client.stream("GET", "/risk/events?after=end"))
            assert await anext(answer.aiter_bytes()) == b"id: 1\n\n"
        for _ in range(5):
            assert (await client.get("/risk/risks")).status_code == 200


async def test_it_lists_the_services_as_the_embedded_edition_does(proxy: httpx.AsyncClient) -> None:
    embedded = parent_app({name: FastAPI(title=title) for name, title in TITLES.items()})
    async with httpx.AsyncClient(transport=httpx.ASGITransport(embedded), base_url="http://edition") as client:
        assert (await proxy.get("/")).json() == (await client.get("/")).json()
