"""What the proxy of these tests does to what goes through it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from steerco_servers.child import free_port
from tests.faults.proxy import FAIR, Proxy, Weather, running_proxy

SHORT = 0.2


@dataclass
class Ends:
    """A connection to a server that says everything again, by a proxy."""

    proxy: Proxy
    port: int
    opened: list[asyncio.StreamWriter] = field(default_factory=list)

    async def connect(self) -> None:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.opened.append(self.writer)

    async def echo(self, said: bytes, within: float = 10.0) -> bytes:
        self.writer.write(said)
        return await asyncio.wait_for(self.reader.readexactly(len(said)), within)


async def _say_again(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while said := await reader.read(1000):
        writer.write(said)
    writer.close()


@pytest.fixture
async def ends() -> AsyncIterator[Ends]:
    server = await asyncio.start_server(_say_again, "127.0.0.1", 0)
    proxy, port = Proxy(server.sockets[0].getsockname()[1]), free_port()
    async with running_proxy(proxy, port):
        ends = Ends(proxy, port)
        await ends.connect()
        yield ends
        for writer in ends.opened:
            writer.close()
    server.close()


async def test_what_goes_through_comes_back(ends: Ends) -> None:
    assert await ends.echo(b"there") == b"there"
    assert ends.proxy.held == 0


@pytest.mark.parametrize("weather", [Weather(deaf=True), Weather(mute=True)], ids=["answers", "requests"])
async def test_what_is_held_back_comes_later_and_in_order(ends: Ends, weather: Weather) -> None:
    await ends.proxy.turn(weather)
    with pytest.raises(TimeoutError):
        await ends.echo(b"one", within=SHORT)
    assert ends.proxy.held == 1
    ends.writer.write(b"two")
    await ends.proxy.turn(FAIR)
    assert await asyncio.wait_for(ends.reader.readexactly(6), 10) == b"onetwo"


async def test_a_cut_ends_the_connections_and_refuses_new_ones_until_it_is_over(ends: Ends) -> None:
    await ends.echo(b"there")
    await ends.proxy.turn(Weather(cut=True))
    with pytest.raises((ConnectionError, EOFError)):
        await ends.echo(b"lost")
    await ends.connect()
    with pytest.raises((ConnectionError, EOFError)):
        await ends.echo(b"lost")
    assert ends.proxy.held == 3, "both ends of the first connection, and the second"
    await ends.proxy.turn(FAIR)
    await ends.connect()
    assert await ends.echo(b"back") == b"back"


async def test_what_is_delayed_takes_its_time(ends: Ends) -> None:
    await ends.proxy.turn(Weather(delay=SHORT))
    began = asyncio.get_running_loop().time()
    await ends.echo(b"slow")
    assert asyncio.get_running_loop().time() - began >= 2 * SHORT
    assert ends.proxy.held == 2
