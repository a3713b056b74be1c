import asyncio
import json
import os
import shutil
import signal
import subprocess
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import asyncpg
import pytest

from steerco_servers.attaching import home_of
from steerco_servers.binaries import SHARED_HOME
from steerco_servers.child import runs, unprivileged_account
from steerco_servers.postgres import PostgresServer, ServerFailed, remove_cluster, start_postgres

type Script = Callable[..., Awaitable[Process]]
type Eventually = Callable[[Callable[[], bool]], Awaitable[None]]

FAST = {"fsync": "off"}

PARENT = """
import asyncio, sys
from pathlib import Path
from steerco_servers.postgres import start_postgres

async def main():
    server = await start_postgres(Path(sys.argv[1]))
    print(server.pid, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.fixture
async def data_dir(scratch: Path) -> AsyncIterator[Path]:
    yield scratch / "data"
    await remove_cluster(scratch / "data")


async def pid_told(process: Process) -> int:
    assert process.stdout is not None
    return int(await asyncio.wait_for(process.stdout.readline(), 60))


def files_of(data_dir: Path) -> Path:
    """PostgreSQL's own directory, wherever it lies."""
    identity = json.loads((data_dir / "cluster.json").read_text())["id"]
    return (SHARED_HOME / identity if identity else data_dir) / "cluster"


async def execute(server: PostgresServer, statement: str) -> None:
    connection = await asyncpg.connect(server.dsn())
    await connection.execute(statement)
    await connection.close()


async def value(server: PostgresServer, query: str) -> object:
    connection = await asyncpg.connect(server.dsn())
    found: object = await connection.fetchval(query)
    await connection.close()
    return found


async def test_data_stay_when_the_server_is_stopped_and_started(data_dir: Path) -> None:
    async with await start_postgres(data_dir) as server:
        await execute(server, "CREATE TABLE kept AS SELECT 7 AS number")
        first = server.pid
    assert not runs(first)
    async with await start_postgres(data_dir) as server:
        assert await value(server, "SELECT number FROM kept") == 7


async def test_a_new_cluster_is_utf8_under_locale_c_and_commits_durably(data_dir: Path) -> None:
    async with await start_postgres(data_dir) as server:
        assert await value(server, "SHOW server_encoding") == "UTF8"
        assert await value(server, "SELECT datcollate || datctype FROM pg_database WHERE datname = 'postgres'") == "CC"
        assert await value(server, "SHOW synchronous_commit") == "on"
        assert await value(server, "SHOW fsync") == "on"
        assert await value(server, "SHOW listen_addresses") == ""


async def test_where_its_files_are_is_known(data_dir: Path) -> None:
    assert home_of(data_dir) is None
    async with await start_postgres(data_dir, settings=FAST) as server:
        home, files = home_of(data_dir), await value(server, "SHOW data_directory")
        assert home
        assert str(home / "cluster") == files


async def test_no_one_but_the_owner_reads_the_password_or_enters_the_socket_directory(data_dir: Path) -> None:
    async with await start_postgres(data_dir, settings=FAST) as server:
        private = data_dir / "cluster.json"
        assert server.password in private.read_text()
        assert private.stat().st_mode & 0o777 == 0o600
        assert server.socket_dir.stat().st_mode & 0o777 == 0o700
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(server.dsn(user="postgres", password="wrong"))


async def test_it_listens_on_tcp_only_when_asked(data_dir: Path) -> None:
    async with await start_postgres(data_dir, settings=FAST) as server:
        with pytest.raises(ValueError, match="without a TCP port"):
            server.tcp_url()
    async with await start_postgres(data_dir, settings=FAST, port=0) as server:
        connection = await asyncpg.connect(server.tcp_url().replace("+asyncpg", ""))
        assert await connection.fetchval("SELECT inet_server_port()") == server.port
        await connection.close()


async def test_a_directory_in_use_is_one_clear_error(data_dir: Path, script: Script) -> None:
    async with await start_postgres(data_dir, settings=FAST):
        with pytest.raises(ServerFailed, match=f"^{data_dir} is in use by process {os.getpid()}$"):
            await start_postgres(data_dir, settings=FAST)
        with pytest.raises(ServerFailed, match="is in use"):
            await remove_cluster(data_dir)
    parent = await script(PARENT, data_dir)
    await pid_told(parent)
    with pytest.raises(ServerFailed, match=f"^{data_dir} is in use by process {parent.pid}$"):
        await start_postgres(data_dir, settings=FAST)


async def test_a_server_that_somebody_else_runs_on_the_files_is_named(
    data_dir: Path, scratch: Path, script: Script
) -> None:
    parent = await script(PARENT, data_dir)
    pid = await pid_told(parent)
    record = (data_dir / "cluster.json").read_text()
    (scratch / "again").mkdir()
    (scratch / "again" / "cluster.json").write_text(record)
    if unprivileged_account() is None:
        (scratch / "again" / "cluster").symlink_to(data_dir / "cluster")
    with pytest.raises(ServerFailed, match=f"in use by the PostgreSQL server of process {pid}"):
        await start_postgres(scratch / "again", settings=FAST)


async def test_a_killed_parent_takes_its_server_with_it_and_a_start_right_after_works(
    data_dir: Path, script: Script, eventually: Eventually
) -> None:
    parent = await script(PARENT, data_dir)
    pid = await pid_told(parent)
    parent.kill()
    async with await start_postgres(data_dir) as server:
        await eventually(lambda: not runs(pid))
        assert await value(server, "SELECT 1") == 1
        assert "not properly shut down" not in (data_dir / "postgres.log").read_text()


async def test_it_recovers_when_everything_was_killed_and_its_number_belongs_to_another(
    data_dir: Path, script: Script, eventually: Eventually
) -> None:
    async with await start_postgres(data_dir) as server:
        await execute(server, "CREATE TABLE kept AS SELECT 7 AS number")
    parent = await script(PARENT, data_dir)
    pid = await pid_told(parent)
    os.kill(pid, signal.SIGKILL)
    parent.kill()
    await eventually(lambda: not runs(pid))
    pid_file = files_of(data_dir) / "postmaster.pid"
    account = unprivileged_account()
    bystander = subprocess.Popen(["cat"], stdin=subprocess.PIPE, user=account.uid if account else None)
    try:
        lines = pid_file.read_text().splitlines()
        pid_file.write_text("\n".join([str(bystander.pid), *lines[1:]]) + "\n")
        async with await start_postgres(data_dir) as server:
            assert await value(server, "SELECT number FROM kept") == 7
        assert bystander.poll() is None
    finally:
        bystander.communicate()


async def test_a_cluster_that_is_gone_is_not_replaced_by_an_empty_one(data_dir: Path) -> None:
    async with await start_postgres(data_dir, settings=FAST):
        files = files_of(data_dir)
    shutil.move(files, files.with_name("elsewhere"))
    try:
        with pytest.raises(ServerFailed, match="is gone"):
            await start_postgres(data_dir, settings=FAST)
    finally:
        shutil.move(files.with_name("elsewhere"), files)
    async with await start_postgres(data_dir, settings=FAST):
        pass


async def test_a_refused_setting_is_one_line_with_the_server_s_own_words(data_dir: Path) -> None:
    with pytest.raises(ServerFailed, match='unrecognized configuration parameter "nonsense"') as refused:
        await start_postgres(data_dir, settings={**FAST, "nonsense": "1"})
    assert "\n" not in str(refused.value)


async def test_settings_that_would_lose_commits_or_open_the_server_are_fixed(data_dir: Path) -> None:
    with pytest.raises(ValueError, match="listen_addresses, synchronous_commit"):
        await start_postgres(data_dir, settings={"synchronous_commit": "off", "listen_addresses": "*"})


async def test_a_cancelled_start_leaves_no_server(data_dir: Path) -> None:
    said: list[str] = []
    start = asyncio.create_task(start_postgres(data_dir, settings=FAST, progress=said.append))
    while "starting PostgreSQL" not in said:
        await asyncio.sleep(0)
    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start
    await remove_cluster(data_dir)  # refuses while anything runs
    assert not data_dir.exists()


async def test_it_must_start_on_the_main_thread(data_dir: Path) -> None:
    def on_another() -> None:
        asyncio.run(start_postgres(data_dir, settings=FAST))

    with pytest.raises(RuntimeError, match="main thread"):
        await asyncio.to_thread(on_another)


async def test_stopping_twice_is_stopping_once(data_dir: Path) -> None:
    server = await start_postgres(data_dir, settings=FAST)
    await server.stop()
    await server.stop()
    assert not server.alive


async def test_removing_leaves_nothing(data_dir: Path) -> None:
    async with await start_postgres(data_dir, settings=FAST) as server:
        socket_dir = server.socket_dir
    await remove_cluster(data_dir)
    assert not data_dir.exists()
    assert not socket_dir.exists()
    await remove_cluster(data_dir)
