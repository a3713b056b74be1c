import asyncio
import os
import shutil
import signal
import sys
import tempfile
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from steerco_servers.child import ServerMissing
from steerco_servers.jars import demand_kafka, demand_keycloak
from steerco_servers.testing import TemporaryPostgres, temporary_postgres

type Script = Callable[..., Awaitable[Process]]
type Eventually = Callable[[Callable[[], bool]], Awaitable[None]]


@pytest.fixture(scope="session")
async def postgres() -> AsyncIterator[TemporaryPostgres]:
    async with temporary_postgres({"fsync": "off"}) as server:
        yield server


@pytest.fixture
def scratch() -> Iterator[Path]:
    """A short directory that any user may enter."""
    directory = Path(tempfile.mkdtemp(prefix="steerco-", dir="/tmp"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory)


@pytest.fixture
def as_root() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can start a server as another user")


@pytest.fixture(scope="session")
def own_kafka() -> None:
    """A broker of our own can be started, whether or not another one is named."""
    try:
        demand_kafka()
    except ServerMissing as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def own_keycloak() -> None:
    """The same of a Keycloak."""
    try:
        demand_keycloak()
    except ServerMissing as missing:
        pytest.skip(str(missing))


@pytest.fixture
async def script() -> AsyncIterator[Script]:
    """Run Python code in a process of its own, with arguments; it is killed if it outlives the test.

    It hears SIGINT also where the tests run in the background of a shell, which lets its jobs ignore it.
    """
    started: list[Process] = []

    async def run(code: str, *arguments: object, **environment: str) -> Process:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            code,
            *map(str, arguments),
            stdout=PIPE,
            env={**os.environ, **environment},
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        started.append(process)
        return process

    yield run
    for process in started:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@pytest.fixture
def eventually() -> Eventually:
    async def wait(condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < deadline, "did not happen within 30 s"
            await asyncio.sleep(0.02)

    return wait
