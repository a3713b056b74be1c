"""Serving HTTP until a signal ends it: first draining, if there is time for that, then the end.

What streams is told of the end, so that stopping need not wait for it.
"""

import asyncio
import logging
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from socket import IPPROTO_TCP, TCP_NODELAY, socket
from typing import Any

import h11
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from steerco_service.edge.security_headers import DEFAULTS
from steerco_service.edge.sizes import LARGEST_HEAD, head_too_large
from steerco_service.logged_faults import is_logged
from steerco_service.problems import Problem, problem_response

GRACE_SECONDS = 5
"""What an answer that is under way has at the end."""

TICK_SECONDS = 1.0
"""How often the `Date` header of answers moves on."""

LINGER_SECONDS = 2.0
"""How long what is still coming is let pass after a refusal: closed at once, it would take the answer away."""

HEAD_TOO_LARGE = 431

_STOPPING = "steerco.stopping"
_CLOSE = (b"connection", b"close")


def _is_news(record: logging.LogRecord) -> bool:
    """Not so what uvicorn logs of a fault that was logged where its trace was known."""
    return not (record.exc_info and record.exc_info[1] and is_logged(record.exc_info[1]))


@dataclass(frozen=True, slots=True)
class Draining:
    """For how many seconds a server goes on once it was told to end; `begun` is set then.

    Whoever spreads requests sees by `/readyz` that it is about to end, and sends them elsewhere before it refuses any.
    """

    seconds: float = 0.0
    begun: asyncio.Event = field(default_factory=asyncio.Event)


class _Http(H11Protocol):
    """uvicorn's HTTP/1.1 by h11, whose own refusals are problem details, too.

    h11 stops at a head that is too large while it comes; how many headers there may be it leaves to others.
    """

    _is_refused = False

    def data_received(self, data: bytes) -> None:
        """After a refusal nothing is read any more."""
        if not self._is_refused:
            super().data_received(data)

    def send_400_response(self, msg: str) -> None:
        """Called where h11 has raised what is wrong."""
        error = sys.exception()
        if isinstance(error, h11.RemoteProtocolError) and error.error_status_hint == HEAD_TOO_LARGE:
            problem = head_too_large(self.config.h11_max_incomplete_event_size or LARGEST_HEAD)
        else:
            problem = Problem(400, "bad-request", f"this is no HTTP/1.1 request: {error or msg}")
        answer = problem_response(problem)
        headers = [*answer.raw_headers, *DEFAULTS, _CLOSE]
        for event in (h11.Response(status_code=problem.status, headers=headers), h11.Data(data=bytes(answer.body))):
            self.transport.write(self.conn.send(event))
        self.transport.write(self.conn.send(h11.EndOfMessage()))
        self._is_refused = True
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.loop.call_later(LINGER_SECONDS, self.transport.close)


class HttpServer(uvicorn.Server):
    """uvicorn, which tells the answers that are still under way when it stops. `options` are those of its config."""

    def __init__(self, app: ASGIApp, draining: Draining | None = None, **options: Any) -> None:
        self._draining = draining or Draining()
        self._stopping = asyncio.Event()
        self._told_to_end = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

        async def told(scope: Scope, receive: Receive, send: Send) -> None:
            await app({**scope, _STOPPING: self._stopping}, receive, send)

        options = {
            "http": _Http,
            "ws": "none",
            "server_header": False,
            "proxy_headers": False,
            "h11_max_incomplete_event_size": LARGEST_HEAD,
            "log_config": None,
            "log_level": "warning",
            "access_log": False,
            "timeout_graceful_shutdown": GRACE_SECONDS,
            **options,
        }
        super().__init__(uvicorn.Config(told, **options))
        logging.getLogger("uvicorn.error").addFilter(_is_news)

    @property
    def should_exit(self) -> bool:
        """Whether it is to end. Set by a signal's handler, or by who has the server in hand."""
        return self._is_ending

    @should_exit.setter
    def should_exit(self, ends: bool) -> None:
        self._is_ending = ends
        if ends and self._loop:
            self._loop.call_soon_threadsafe(self._told_to_end.set)

    async def main_loop(self) -> None:
        """Like uvicorn's, but woken by the end instead of looking for it ten times a second."""
        self._loop = asyncio.get_running_loop()
        while not await self.on_tick(0):
            with suppress(TimeoutError):
                async with asyncio.timeout(TICK_SECONDS):
                    await self._told_to_end.wait()
        await self._drain(self._loop)

    async def _drain(self, loop: asyncio.AbstractEventLoop) -> None:
        """Go on for a while; who is answered meanwhile is asked to come back by another connection."""
        self._draining.begun.set()
        end = loop.time() + self._draining.seconds
        while (left := end - loop.time()) > 0 and not self.force_exit:
            await self.on_tick(0)
            self.server_state.default_headers = [*self.server_state.default_headers, _CLOSE]
            await asyncio.sleep(min(left, TICK_SECONDS))

    async def serve(self, sockets: list[socket] | None = None) -> None:
        """Serve until the end. uvicorn raises a signal again, which cancels us: here, and not in what clears up."""
        await super().serve(sockets)
        await asyncio.sleep(0)

    async def startup(self, sockets: list[socket] | None = None) -> None:
        """Listen; on sockets that others made an answer is sent at once, too, and waits for no acknowledgement.

        asyncio sees to that for those alone that were made with TCP as their protocol by its number.
        """
        for each in sockets or ():
            each.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
        await super().startup(sockets)

    async def shutdown(self, sockets: Any = None) -> None:
        """End what streams, then everything else within the grace."""
        self._stopping.set()
        await super().shutdown(sockets)


def stopping_of(scope: Scope) -> asyncio.Event:
    """Is set when the server of a request stops; never, if it is another server than ours."""
    found = scope.get(_STOPPING)
    return found if isinstance(found, asyncio.Event) else asyncio.Event()


async def until_stopping(chunks: AsyncIterator[bytes], stopping: asyncio.Event) -> AsyncIterator[bytes]:
    """What a stream brings, until it or the server ends."""
    stopped = asyncio.ensure_future(stopping.wait())
    following: asyncio.Future[bytes | None] | None = None
    try:
        while True:
            following = asyncio.ensure_future(anext(chunks, None))
            await asyncio.wait((following, stopped), return_when=asyncio.FIRST_COMPLETED)
            if not following.done() or (chunk := following.result()) is None:
                return
            yield chunk
    finally:
        stopped.cancel()
        if following:
            following.cancel()
