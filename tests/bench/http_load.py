"""Callers over HTTP/1.1, each on a connection that stays open: as light as can be, so that the server is measured."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress


class Refused(Exception):
    """The server did not answer with the status that was expected."""


class Connection(asyncio.Protocol):
    """One connection; one request at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._received = b""
        self._answered: asyncio.Future[tuple[int, bytes, bytes]] | None = None

    @classmethod
    async def open(cls, port: int) -> "Connection":
        """A connection to a port of this machine."""
        _, connection = await asyncio.get_running_loop().create_connection(cls, "127.0.0.1", port)
        return connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        """Called by the loop."""
        self._transport = None
        if self._answered and not self._answered.done():
            self._answered.set_exception(error or ConnectionError("the server closed the connection"))

    @property
    def is_open(self) -> bool:
        """Whether the server has not closed it, as it does with one that is long idle."""
        return self._transport is not None and not self._transport.is_closing()

    async def send(self, request: bytes) -> tuple[int, bytes, bytes]:
        """Status, head and body of the answer."""
        if not self._transport:
            raise ConnectionError("the server closed the connection")
        self._received = b""
        self._answered = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answered

    def data_received(self, data: bytes) -> None:
        """Called by the loop."""
        self._received += data
        head, separator, body = self._received.partition(b"\r\n\r\n")
        if not separator:
            return
        lowered = head.lower()
        at = lowered.find(b"content-length:")
        length = int(lowered[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(body) >= length and self._answered and not self._answered.done():
            self._answered.set_result((int(head[9:12]), head, body))

    def close(self) -> None:
        """Close it."""
        if self._transport:
            self._transport.close()


def post(path: str, token: str, body: bytes, *headers: str) -> bytes:
    """The bytes of a request."""
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: bench",
        f"Authorization: Bearer {token}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *headers,
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def answers(port: int, request: bytes, status: int = 200) -> bool:
    """Whether the server answers so by now."""
    with suppress(OSError):
        connection = await Connection.open(port)
        try:
            return (await connection.send(request))[0] == status
        finally:
            connection.close()
    return False


async def request_rate(port: int, callers: int, seconds: float, request: Callable[[int], bytes], status: int) -> float:
    """Answers a second of so many callers, each of which asks as soon as it has its answer.

    `request` is given a number that no other request of the run has. Raises `Refused`.
    """
    connections = [await Connection.open(port) for _ in range(callers)]
    began = time.perf_counter()
    done = 0

    async def caller(connection: Connection) -> None:
        nonlocal done
        while time.perf_counter() < began + seconds:
            done += 1
            got, head, body = await connection.send(request(done))
            if got != status:
                raise Refused(f"{head.decode()}\n\n{body.decode()}")

    await asyncio.gather(*map(caller, connections))
    taken = time.perf_counter() - began
    for connection in connections:
        connection.close()
    return done / taken
