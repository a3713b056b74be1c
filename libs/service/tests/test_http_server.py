"""A server that has nothing to do sleeps, and still ends at once."""

import asyncio
import signal
import socket
import subprocess
import sys

import httpx
import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from steerco_service import http_server
from steerco_service.testkit.listening import listening

SOON = 10.0

ENDED = """
import asyncio, os, signal
from steerco_service.http_server import HttpServer
from steerco_service.serving import until_stopped

async def end(server):
    while not server.started:
        await asyncio.sleep(0.01)
    os.kill(os.getpid(), signal.{signal})

async def run():
    server = HttpServer(None, lifespan="off", port=0)
    ending = asyncio.create_task(end(server))
    try:
        await server.serve()
        print("goes on")
    finally:
        await ending
        print("cleared up")

until_stopped(run())
"""


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse("here")(scope, receive, send)


@pytest.fixture(autouse=True)
def rarely(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_server, "TICK_SECONDS", 3600.0)


async def test_who_tells_a_server_to_end_does_not_wait_for_its_next_look() -> None:
    async with listening(app) as server, asyncio.timeout(SOON):
        await server.stop()


async def test_a_signal_ends_a_server_that_sleeps() -> None:
    async with listening(app) as server:
        former = signal.signal(signal.SIGALRM, server.server.handle_exit)
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.1)
            async with asyncio.timeout(SOON):
                await asyncio.shield(server.task)
        finally:
            signal.signal(signal.SIGALRM, former)


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_signal_does_not_cut_off_what_clears_up_after_the_server(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ENDED.format(signal=name)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.stderr) == ("cleared up\n", "")


async def test_an_answer_on_a_socket_of_our_own_waits_for_no_acknowledgement() -> None:
    async with listening(app) as server, httpx.AsyncClient() as client:
        assert (await client.get(server.url)).text == "here"
        (connection,) = server.server.server_state.connections
        sending = connection.transport.get_extra_info("socket")
        assert sending.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
