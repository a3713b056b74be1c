"""Servers for tests leave nothing behind, however a run ends."""

import asyncio
import signal
from asyncio.subprocess import Process
from collections.abc import Awaitable, Callable
from pathlib import Path

import asyncpg
import pytest

from steerco_servers.child import ServerFailed, runs
from steerco_servers.testing import TemporaryPostgres, temporary_kafka, temporary_postgres

type Script = Callable[..., Awaitable[Process]]
type Eventually = Callable[[Callable[[], bool]], Awaitable[None]]

RUN = """
import asyncio, sys
from steerco_servers.testing import temporary_kafka, temporary_postgres

async def main():
    async with temporary_postgres({"fsync": "off"}) as postgres, temporary_kafka() as kafka:
        print(postgres.server.pid, kafka.server.pid, postgres.server.socket_dir, flush=True)
        if sys.argv[1] == "fail":
            raise LookupError("a test failed")
        await asyncio.Event().wait()

asyncio.run(main())
"""

POSTGRES_ONLY = """
import asyncio
from steerco_servers.testing import temporary_postgres

async def main():
    async with temporary_postgres({"fsync": "off"}) as postgres:
        print(postgres.server.pid, postgres.server.socket_dir, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.fixture
def own_servers(monkeypatch: pytest.MonkeyPatch, scratch: Path) -> None:
    """No server of one's own, and temporary files where we can count them."""
    monkeypatch.delenv("STEERCO_TEST_POSTGRES", raising=False)
    monkeypatch.delenv("STEERCO_TEST_KAFKA", raising=False)
    monkeypatch.setenv("TMPDIR", str(scratch))


async def told(process: Process) -> list[str]:
    assert process.stdout is not None
    return (await asyncio.wait_for(process.stdout.readline(), 120)).decode().split()


@pytest.mark.kafka
@pytest.mark.usefixtures("own_kafka")
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, None])
async def test_nothing_is_left_after_an_interrupt_a_termination_or_a_failure(
    own_servers: None, scratch: Path, script: Script, ending: signal.Signals | None
) -> None:
    run = await script(RUN, ending.name if ending else "fail")
    postgres, kafka, socket_dir = await told(run)
    if ending:
        run.send_signal(ending)
    await asyncio.wait_for(run.wait(), 60)
    assert run.returncode != 0
    assert not runs(int(postgres))
    assert not runs(int(kafka))
    assert not Path(socket_dir).exists()
    assert list(scratch.iterdir()) == []


async def test_what_a_killed_run_left_is_removed_by_the_next(
    own_servers: None, scratch: Path, script: Script, eventually: Eventually
) -> None:
    killed = await script(POSTGRES_ONLY)
    pid, socket_dir = await told(killed)
    killed.kill()
    await killed.wait()
    await eventually(lambda: not runs(int(pid)))
    assert list(scratch.iterdir()) != []

    following = await script(POSTGRES_ONLY)
    await told(following)
    following.send_signal(signal.SIGINT)
    await asyncio.wait_for(following.wait(), 60)

    assert list(scratch.iterdir()) == []
    assert not Path(socket_dir).exists()


async def test_databases_are_new_each_time_and_dropped(postgres: TemporaryPostgres) -> None:
    async with postgres.databases("risk") as first, postgres.databases("risk") as second:
        assert first["risk"].name != second["risk"].name
        url = first["risk"].owner_url.replace("+asyncpg", "")
        lingering = await asyncpg.connect(url)
    with pytest.raises(asyncpg.PostgresError):
        await asyncpg.connect(url)
    lingering.terminate()


async def test_a_server_of_one_s_own_is_used_and_left_alone(
    postgres: TemporaryPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEERCO_TEST_POSTGRES", postgres.admin_url)
    async with temporary_postgres() as own:
        assert own.server is None
        async with own.databases("risk") as databases:
            await (await asyncpg.connect(databases["risk"].app_url.replace("+asyncpg", ""))).close()
    assert not own.directory.exists()
    async with postgres.databases("risk"):
        pass


async def test_a_server_of_one_s_own_that_can_t_be_reached_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEERCO_TEST_POSTGRES", "postgresql://a:b@127.0.0.1:1/postgres")
    monkeypatch.setenv("STEERCO_TEST_KAFKA", "127.0.0.1:1")
    with pytest.raises(ServerFailed, match=r"^STEERCO_TEST_POSTGRES: "):
        await temporary_postgres().__aenter__()
    with pytest.raises(ServerFailed, match=r"^STEERCO_TEST_KAFKA: "):
        await temporary_kafka().__aenter__()
