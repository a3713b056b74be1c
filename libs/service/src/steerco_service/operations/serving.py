"""Serving operations beside what the process is there for, on a port of their own."""

import asyncio
import socket
from collections.abc import Generator, Sequence
from contextlib import contextmanager

from fastapi import APIRouter, FastAPI, Response

from steerco_events.metering import CONTENT_TYPE
from steerco_events.metrics import METRICS
from steerco_service.http_server import HttpServer
from steerco_service.operations.sampling import Sampling
from steerco_service.problems import install_problem_handlers
from steerco_service.runtime import Runtime
from steerco_service.traced_requests import NOTHING_OF_FASTAPI


def operations_app(runtimes: Sequence[Runtime], probes: APIRouter | None = None) -> FastAPI:
    """What operations ask a process, without a token: its metrics, and the probes of its only service."""
    app = FastAPI(openapi_url=None, telemetry=NOTHING_OF_FASTAPI)
    install_problem_handlers(app)
    if probes:
        (app.state.runtime,) = runtimes
        app.include_router(probes)
    sampling = Sampling(runtimes)

    @app.get("/metrics")
    async def metrics() -> Response:
        return Response(METRICS.exposed(await sampling.samples()), media_type=CONTENT_TYPE)

    return app


class _Beside(HttpServer):
    """A server that leaves signals to who runs it."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


async def serve_operations(app: FastAPI, host: str, port: int) -> None:
    """Serve until cancelled. Raises `OSError` while somebody else listens there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, port), family=family) as listening:
        server = _Beside(app, lifespan="off")
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            await asyncio.shield(serving)
        finally:
            server.should_exit = True
            await serving
