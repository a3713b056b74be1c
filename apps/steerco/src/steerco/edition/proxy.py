"""A small reverse proxy: one port before the services' own, for the distributed edition on one machine."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
from fastapi import FastAPI, Request
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.responses import StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from steerco.edition.mounting import front_app
from steerco_events.trace_contexts import traceparent
from steerco_service.http_server import stopping_of, until_stopping
from steerco_service.problems import Problem

MOST_AT_ONCE = 200
"""Connections for what is answered at once."""

KEPT = 20
"""Connections of feeds that are kept for the next reader."""

_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "upgrade"})
_NOT_PASSED_BACK = _HOP_BY_HOP | {"traceresponse"}
"""Who stands before the services tells the trace by itself."""


@dataclass(frozen=True, slots=True)
class Clients:
    """What asks the services: feeds apart from all else, since each holds its connection for as long as it is read."""

    feeds: httpx.AsyncClient
    others: httpx.AsyncClient

    def of(self, target: bytes) -> httpx.AsyncClient:
        """That for a path with its query."""
        return self.feeds if target.partition(b"?")[0] == b"/events" else self.others


@asynccontextmanager
async def proxy_client() -> AsyncIterator[Clients]:
    """What asks the services. How many feeds are read at once is limited by the services themselves."""
    async with (
        httpx.AsyncClient(timeout=60, limits=httpx.Limits(max_keepalive_connections=KEPT)) as feeds,
        httpx.AsyncClient(timeout=60, limits=httpx.Limits(max_connections=MOST_AT_ONCE)) as others,
    ):
        yield Clients(feeds, others)


def proxy_app(addresses: Mapping[str, str], titles: Mapping[str, str], clients: Clients) -> FastAPI:
    """`/intake/…` goes to the service `intake` at its address; a service that is down is a 503 problem."""
    app = front_app(titles)
    for service, address in addresses.items():
        app.mount(f"/{service}", _forwarding(service, httpx.URL(address), clients))
    return app


def _forwarding(service: str, address: httpx.URL, clients: Clients) -> ASGIApp:
    async def forward(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        target = _target(scope)
        url, client = address.copy_with(raw_path=target), clients.of(target)
        context = traceparent()
        ours = {"traceparent": context} if context else {}
        dropped = _HOP_BY_HOP | ours.keys()
        headers = [*((name, value) for name, value in request.headers.items() if name not in dropped), *ours.items()]
        outgoing = client.build_request(request.method, url, headers=headers, content=await request.body())
        try:
            answer = await client.send(outgoing, stream=True)
        except httpx.TransportError as error:
            detail = f"{service} does not answer: {error}"
            raise Problem(503, "service-unavailable", detail, headers={"Retry-After": "1"}) from error
        body = _raw(answer)
        if answer.headers.get("content-type", "").startswith("text/event-stream"):
            body = until_stopping(body, stopping_of(scope))
        response = StreamingResponse(
            body,
            answer.status_code,
            _kept(answer.headers),
            background=BackgroundTask(answer.aclose),
        )
        await response(scope, receive, send)

    return forward


def _target(scope: Scope) -> bytes:
    """Path and query as they were sent, without the service's name: an escaped `/` or `?` stays escaped."""
    _, _, *rest = scope["raw_path"].split(b"/", 2)
    if not rest:
        raise HTTPException(404)
    query: bytes = scope["query_string"]
    return b"/" + bytes(rest[0]) + (b"?" + query if query else b"")


async def _raw(answer: httpx.Response) -> AsyncIterator[bytes]:
    async for chunk in answer.aiter_raw():
        yield chunk


def _kept(headers: httpx.Headers) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name not in _NOT_PASSED_BACK}
