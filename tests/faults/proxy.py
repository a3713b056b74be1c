"""A TCP proxy for tests: it forwards, delays, throttles, swallows or cuts what goes through it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

CHUNK = 65_536


@dataclass(frozen=True, slots=True)
class Weather:
    """What becomes of what goes through.

    `cut` ends every connection, new ones at once. What a side sends is held back while it is `deaf` (the answers of the
    server) or `mute` (the requests of the client); it comes later, in order. Each chunk takes `delay` seconds, and as
    long as `bytes_per_second` makes it.
    """

    cut: bool = False
    deaf: bool = False
    mute: bool = False
    delay: float = 0.0
    bytes_per_second: float | None = None


FAIR = Weather()


class Proxy:
    """Before one server of this machine; listens on a port of its own.

    `held` counts what has not gone through as it came: chunks that had to wait, connections that were cut or refused.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self.held = 0
        self._weather = FAIR
        self._changed = asyncio.Condition()
        self._writers: set[asyncio.StreamWriter] = set()

    async def turn(self, weather: Weather) -> None:
        """From now on let this become of what goes through."""
        async with self._changed:
            self._weather = weather
            self._changed.notify_all()
        if weather.cut:
            self.held += len(self._writers)
            for writer in list(self._writers):
                writer.transport.abort()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection of a client until either side ends it."""
        try:
            if self._weather.cut:
                self.held += 1
                writer.transport.abort()
                return
            from_server, to_server = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        ends = {writer, to_server}
        self._writers |= ends
        pumps = [
            asyncio.create_task(self._pump(reader, to_server, from_client=True)),
            asyncio.create_task(self._pump(from_server, writer, from_client=False)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._writers -= ends
            for pump in pumps:
                pump.cancel()
            for end in ends:
                end.transport.abort()
            await asyncio.gather(*pumps, return_exceptions=True)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, from_client: bool) -> None:
        while data := await reader.read(CHUNK):
            async with self._changed:
                waits = not self._lets_through(from_client=from_client)
                self.held += waits
                await self._changed.wait_for(lambda: self._lets_through(from_client=from_client))
                weather = self._weather
            seconds = weather.delay + (len(data) / weather.bytes_per_second if weather.bytes_per_second else 0.0)
            if seconds:
                self.held += not waits
                await asyncio.sleep(seconds)
            writer.write(data)
            await writer.drain()

    def _lets_through(self, *, from_client: bool) -> bool:
        return not (self._weather.mute if from_client else self._weather.deaf)


@asynccontextmanager
async def running_proxy(proxy: Proxy, port: int) -> AsyncIterator[Proxy]:
    """Inside, it listens on that port."""
    server = await asyncio.start_server(proxy.handle, "127.0.0.1", port)
    try:
        yield proxy
    finally:
        server.close()
        await proxy.turn(Weather(cut=True))
        await server.wait_closed()
