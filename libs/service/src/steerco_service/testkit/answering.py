"""An application that answers in every way there is, to stand behind an edge."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated
from uuid import UUID

import httpx
from fastapi import Depends, FastAPI, Header, Request, Response
from fastapi.responses import StreamingResponse
from starlette.types import ASGIApp

from steerco_events.envelope import Actor
from steerco_service.edge.pages import serve_pages
from steerco_service.edge.visits import Visit, visit_of
from steerco_service.http_terms import EVENT_STREAM
from steerco_service.identity.principal import Principal
from steerco_service.problems import Problem, install_problem_handlers

OWN = {"Cache-Control": "max-age=60", "Content-Security-Policy": "sandbox"}
"""What an answer of `/own` says itself."""


def _visit(request: Request, authorization: Annotated[str | None, Header()] = None) -> Visit | None:
    visit = visit_of(request.scope)
    if authorization == "nobody":
        raise Problem(401, "unauthorized", "nobody is nobody")
    if visit and authorization:
        visit.is_of(Principal(Actor(UUID(authorization), "Auditor"), "tests"))
    return visit


type Visiting = Annotated[Visit | None, Depends(_visit)]


def answering() -> FastAPI:
    """The application. Who asks is in `Authorization`: the id of a person. `/events` streams until it is cut off."""
    app = FastAPI(title="Answers", docs_url=None, redoc_url=None)
    install_problem_handlers(app)
    serve_pages(app)

    @app.get("/thing")
    async def thing(_: Visiting) -> dict[str, str]:
        return {"name": "Lamp"}

    @app.post("/things")
    @app.post("/batch", operation_id="batch")
    async def measure(request: Request, _: Visiting) -> dict[str, int]:
        return {"size": len(await request.body())}

    @app.get("/own")
    async def own() -> Response:
        return Response(headers=OWN)

    @app.get("/fault")
    async def fault() -> Response:
        raise RuntimeError("a fault of ours")

    @app.get("/events")
    async def events(visit: Visiting) -> StreamingResponse:
        if visit:
            visit.begin_stream()
        return StreamingResponse(_without_end(), media_type=EVENT_STREAM)

    return app


async def _without_end() -> AsyncIterator[bytes]:
    yield b"id: 1\n\n"
    await asyncio.Event().wait()


def asking(app: ASGIApp, url: str = "http://risk", client: str = "192.0.2.7") -> httpx.AsyncClient:
    """A client that asks an application of this process, from an address; faults are answers, as over a port."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=(client, 50_000))
    return httpx.AsyncClient(transport=transport, base_url=url)
