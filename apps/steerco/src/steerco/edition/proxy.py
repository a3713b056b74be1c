"""A small reverse proxy: one port before the services' own, for the distributed edition on one machine."""

from collections.abc import AsyncIterator, Mapping

import httpx
from fastapi import FastAPI, Request
from starlette.background import BackgroundTask
from starlette.responses import JSONResponse, Response, StreamingResponse

_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "upgrade", "host"})


def proxy_app(addresses: Mapping[str, str]) -> FastAPI:
    """`/intake/…` goes to the service `intake` at its address; a service that is down is a 503 problem."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    client = httpx.AsyncClient(timeout=60, limits=httpx.Limits(max_connections=200))

    @app.api_route("/{service}/{path:path}", methods=["GET", "POST", "PUT", "DELETE"])
    async def forward(service: str, path: str, request: Request) -> Response:
        if service not in addresses:
            return _problem(404, "not-found", f"there is no service {service!r}")
        url = httpx.URL(f"{addresses[service]}/{path}", query=request.url.query.encode())
        headers = [(name, value) for name, value in request.headers.items() if name not in _HOP_BY_HOP]
        outgoing = client.build_request(request.method, url, headers=headers, content=await request.body())
        try:
            answer = await client.send(outgoing, stream=True)
        except httpx.TransportError as error:
            return _problem(503, "service-unavailable", f"{service} does not answer: {error}")
        return StreamingResponse(
            _raw(answer),
            answer.status_code,
            _kept(answer.headers),
            background=BackgroundTask(answer.aclose),
        )

    return app


async def _raw(answer: httpx.Response) -> AsyncIterator[bytes]:
    async for chunk in answer.aiter_raw():
        yield chunk


def _kept(headers: httpx.Headers) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name not in _HOP_BY_HOP}


def _problem(status: int, code: str, detail: str) -> JSONResponse:
    body = {"type": f"urn:steerco:problem:{code}", "title": code, "status": status, "detail": detail}
    headers = {"Retry-After": "1"} if status == 503 else None
    return JSONResponse(body, status, headers, media_type="application/problem+json")
