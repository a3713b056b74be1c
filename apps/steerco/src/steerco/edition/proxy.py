"""A small reverse proxy: one port before the services' own, for the distributed edition on one machine."""

from collections.abc import AsyncIterator, Mapping

import httpx
from fastapi import FastAPI, Request
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.responses import StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from steerco.edition.mounting import front_app
from steerco_service.http_server import stopping_of, until_stopping
from steerco_service.problems import Problem

_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "upgrade"})


def proxy_client() -> httpx.AsyncClient:
    """What asks the services; close it at the end."""
    return httpx.AsyncClient(timeout=60, limits=httpx.Limits(max_connections=200))


def proxy_app(addresses: Mapping[str, str], titles: Mapping[str, str], client: httpx.AsyncClient) -> FastAPI:
    """`/intake/…` goes to the service `intake` at its address; a service that is down is a 503 problem."""
    app = front_app(titles)
    for service, address in addresses.items():
        app.mount(f"/{service}", _forwarding(service, httpx.URL(address), client))
    return app


def _forwarding(service: str, address: httpx.URL, client: httpx.AsyncClient) -> ASGIApp:
    async def forward(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        url = address.copy_with(raw_path=_target(scope))
        headers = [(name, value) for name, value in request.headers.items() if name not in _HOP_BY_HOP]
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
    return {name: value for name, value in headers.items() if name not in _HOP_BY_HOP}
