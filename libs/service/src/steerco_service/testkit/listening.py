"""An application behind a real port, in the test's own process."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp

from steerco_service.http_server import HttpServer


@dataclass(frozen=True, slots=True)
class Listening:
    """A server that runs."""

    url: str
    server: HttpServer
    task: asyncio.Task[None]

    async def stop(self) -> None:
        """Stop it as a signal would, and return when it has stopped."""
        self.server.should_exit = True
        await self.task


@asynccontextmanager
async def listening(app: ASGIApp, port: int = 0, **options: Any) -> AsyncIterator[Listening]:
    """Serve on a port of this machine, a free one unless one is given; stopped at the end. `options`: the server's."""
    with socket.socket() as ear:
        ear.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        ear.bind(("127.0.0.1", port))
        server = HttpServer(app, lifespan="off", **options)
        task = asyncio.create_task(server._serve([ear]))
        running = Listening(f"http://127.0.0.1:{ear.getsockname()[1]}", server, task)
        try:
            while not server.started and not task.done():
                await asyncio.sleep(0.005)
            yield running
        finally:
            await running.stop()
