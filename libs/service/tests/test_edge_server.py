"""What the server itself refuses, and whose word it takes for where a request comes from."""

import asyncio
import json
import re
from typing import Any

import httpx
import pytest
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from steerco_service.edge.front import Edge
from steerco_service.edge.security_headers import DEFAULTS
from steerco_service.edge.sizes import Sizes
from steerco_service.testkit.answering import answering
from steerco_service.testkit.listening import listening

SMALL = Edge(sizes=Sizes(head=2000))
TOO_LARGE = "the address and the headers of a request have at most 2000 bytes"


async def sent(url: str, *pieces: bytes) -> tuple[int, dict[str, str], dict[str, Any]]:
    """Status, headers and problem of what is answered before the server hangs up."""
    reader, writer = await asyncio.open_connection(*url.removeprefix("http://").split(":"))
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        async with asyncio.timeout(10):
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    finally:
        writer.close()
    status, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    return int(status.split()[1]), headers, json.loads(body)


@pytest.mark.parametrize("request_line", [b"nonsense\r\n\r\n", b"GET /thing HTTP/1.1\r\n\r\n", b"GET / HTTP/9\r\n\r\n"])
async def test_what_is_no_http_is_a_problem_like_any_other(request_line: bytes) -> None:
    async with listening(SMALL.before(answering()), **SMALL.server_options) as server:
        status, headers, problem = await sent(server.url, request_line)
    assert (status, problem["type"]) == (400, "urn:steerco:problem:bad-request")
    assert problem["detail"].startswith("this is no HTTP/1.1 request: ")
    assert re.fullmatch("[0-9a-f]{32}", problem["trace_id"])
    assert (headers["content-type"], headers["connection"]) == ("application/problem+json", "close")
    assert {name.decode(): value.decode() for name, value in DEFAULTS}.items() <= headers.items()
    assert "server" not in headers


async def test_a_head_that_never_ends_is_refused_while_it_comes() -> None:
    async with listening(SMALL.before(answering()), **SMALL.server_options) as server:
        status, _, problem = await sent(server.url, b"GET /thing HTTP/1.1\r\nHost: a\r\nReason: ", b"x" * 2500)
    assert (status, problem["type"], problem["detail"]) == (431, "urn:steerco:problem:head-too-large", TOO_LARGE)


async def test_who_sends_on_after_a_refusal_still_hears_of_it() -> None:
    async with listening(SMALL.before(answering()), **SMALL.server_options) as server:
        head = b"GET /thing HTTP/1.1\r\nHost: a\r\nReason: "
        status, _, problem = await sent(server.url, head, *[b"x" * 100_000] * 40)
    assert (status, problem["detail"]) == (431, TOO_LARGE)


async def test_a_head_that_comes_at_once_is_refused_all_the_same() -> None:
    async with (
        listening(SMALL.before(answering()), **SMALL.server_options) as server,
        httpx.AsyncClient(base_url=server.url) as client,
    ):
        answer = await client.get("/thing", headers={"Reason": "x" * 2500})
        assert (answer.status_code, answer.json()["detail"]) == (431, TOO_LARGE)
        assert (await client.get("/thing")).status_code == 200


async def where_from(scope: Scope, receive: Receive, send: Send) -> None:
    """What the application takes for the client's address and scheme."""
    await JSONResponse([scope["client"][0], scope["scheme"]])(scope, receive, send)


@pytest.mark.parametrize(
    ("trusted", "forwarded", "expected"),
    [
        ((), "192.0.2.7", ["127.0.0.1", "http"]),
        (("192.0.2.0/24",), "192.0.2.7", ["127.0.0.1", "http"]),
        (("127.0.0.1",), "192.0.2.7", ["192.0.2.7", "https"]),
        (("127.0.0.0/8",), "192.0.2.7", ["192.0.2.7", "https"]),
        (("127.0.0.1",), "10.1.1.1, 192.0.2.7", ["192.0.2.7", "https"]),
        (("127.0.0.1", "10.0.0.0/8"), "198.51.100.1, 192.0.2.7, 10.1.1.1", ["192.0.2.7", "https"]),
    ],
)
async def test_only_a_trusted_proxy_is_believed_where_a_request_comes_from(
    trusted: tuple[str, ...], forwarded: str, expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "*")
    edge = Edge(trusted_proxies=trusted)
    async with (
        listening(edge.before(where_from), **edge.server_options) as server,
        httpx.AsyncClient(base_url=server.url) as client,
    ):
        said = {"X-Forwarded-For": forwarded, "X-Forwarded-Proto": "https"}
        answer = await client.get("/", headers=said)
    assert answer.json() == expected
    assert ("Strict-Transport-Security" in answer.headers) is (expected[1] == "https")
