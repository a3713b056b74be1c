"""The sealer on a server that crashed, or was replaced, without an error that would have told the sealer."""

import os
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from steerco_events.postgres.lease import Lease
from steerco_events.postgres.sealer import Sealed, Sealer, ServerChanged
from steerco_events.postgres.store import Write
from steerco_events.testkit.logs import Log, fresh_log, until
from steerco_events.testkit.soundness import unsound
from steerco_events.testkit.tally import Counted
from steerco_servers.binaries import postgres_programs
from steerco_servers.child import Child, clean_environment, start_child, unprivileged_account
from steerco_servers.postgres import PostgresServer, remove_cluster, start_postgres
from steerco_servers.testing import TemporaryPostgres

ONE = Counted(by=1)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[PostgresServer]:
    """A server that may be broken."""
    async with await start_postgres(tmp_path / "postgres", settings={"fsync": "off"}) as server:
        yield server
    await remove_cluster(tmp_path / "postgres")


@pytest.fixture
async def log(server: PostgresServer, tmp_path: Path) -> AsyncIterator[Log]:
    """A log on it."""
    async with fresh_log(TemporaryPostgres(server.url(), tmp_path, server)) as log:
        yield log


@asynccontextmanager
async def promoted(log: Log, server: PostgresServer) -> AsyncIterator[AsyncEngine]:
    """A standby of the server that has just taken its place; the app role's engine on it."""
    account = unprivileged_account()
    programs, superuser = postgres_programs(account), create_async_engine(server.url(), poolclass=NullPool)
    async with superuser.connect() as connection:
        files = Path((await connection.execute(text("SHOW data_directory"))).scalar_one())
    standby, socket = files.with_name("standby"), files.with_name("standby-socket")
    socket.mkdir()
    shutil.chown(socket, files.stat().st_uid, files.stat().st_gid)

    def run(*command: str | Path) -> Child:
        environment = clean_environment(PGPASSWORD=server.password)
        said = server.data_dir / "standby.log"
        return start_child(
            "standby", command, log=said, death_signal=signal.SIGINT, environment=environment, account=account
        )

    primary = [f"--host={server.socket_dir}", f"--port={server.port}", "--username=postgres"]
    copying = run(programs / "pg_basebackup", *primary, "-D", standby, "-R", "--checkpoint=fast", "--no-sync")
    assert await copying.finished(within=60)
    child = run(programs / "postgres", "-D", standby, f"--unix_socket_directories={socket}", "--listen_addresses=")
    moved = {"host": str(socket), "port": "5432"}
    there = create_async_engine(make_url(server.url()).set(query=moved), poolclass=NullPool)

    async def takes_over() -> bool:
        try:
            async with there.connect() as connection:
                return bool((await connection.execute(text("SELECT pg_promote(true)"))).scalar_one())
        except (DBAPIError, OSError):
            return False

    engine = create_async_engine(make_url(log.urls.app_url).set(query=moved), poolclass=NullPool)
    try:
        await child.until(takes_over, 60)
        yield engine
    finally:
        await child.stop([(signal.SIGINT, 30)])
        shutil.rmtree(standby)
        shutil.rmtree(socket)


async def crash(log: Log) -> None:
    """One of the server's processes is killed, so all begin anew; positions that nobody committed are drawn again."""
    async with log.engine.connect() as met_by, log.engine.connect() as killed:
        pid = (await killed.execute(text("SELECT pg_backend_pid()"))).scalar_one()
        await met_by.execute(text("SELECT 1"))
        os.kill(pid, signal.SIGKILL)

        async def fails() -> bool:
            try:
                await met_by.execute(text("SELECT 1"))
            except DBAPIError:
                return True
            return False

        await until(fails, "somebody in the process meets the crash")
        await met_by.invalidate()
        await killed.invalidate()
    owner = create_async_engine(log.urls.owner_url, poolclass=NullPool)

    async def recovered() -> bool:
        try:
            async with owner.begin() as tx:
                await tx.execute(text("SELECT setval('log.positions', (SELECT max(position) FROM log.events))"))
        except (DBAPIError, OSError):
            return False
        return True

    await until(recovered, "the server is up again")


async def test_what_was_seen_drawn_before_a_crash_is_not_taken_for_settled_though_the_sealer_met_no_error(
    log: Log,
) -> None:
    await log.append("tally-1", ONE)
    await log.seal()
    async with log.engine.connect() as lost:
        for n in range(5):
            await log.store.append(lost, [Write(f"tally-lost-{n}", 0, [ONE])], log.context())
        assert await log.sealer.scan() == Sealed(0, pending=True)
        await crash(log)
        await lost.invalidate()
    async with log.engine.begin() as late:
        await log.store.append(late, [Write("tally-late", 0, [ONE])], log.context())
        await log.append("tally-fast", ONE)
        with pytest.raises(ServerChanged):
            await log.sealer.scan()
        assert await log.sealer.start()
        assert await log.sealer.scan() == Sealed(0, pending=True)
    assert await log.sealer.scan() == Sealed(2, pending=False)
    async with log.engine.connect() as connection:
        assert await unsound(connection) == []


async def test_a_beat_claims_nothing_on_a_server_that_was_started_again(log: Log) -> None:
    await log.append("tally-1", ONE)
    await log.seal()
    await crash(log)
    before = await log.feed().head()
    with pytest.raises(ServerChanged):
        await log.sealer.beat()
    assert await log.feed().head() == before
    assert await log.sealer.start()
    assert await log.sealer.beat()
    assert (await log.feed().head()).watermark > before.watermark


async def test_a_standby_that_takes_over_opens_a_generation_before_its_next_checkpoint(
    log: Log, server: PostgresServer
) -> None:
    await log.append("tally-1", ONE)
    await log.seal()
    await log.sealer.stop()
    async with promoted(log, server) as engine:
        async with engine.begin() as tx:
            token = await log.store.append(tx, [Write("tally-2", 0, [ONE])], log.context())
        assert token.target(log.service)[0] == 2, "though no sealer knows yet"
        assert await Sealer(engine, log.clock, Lease("sealer")).start()
        async with engine.connect() as connection:
            began = (await connection.execute(text("SELECT began FROM log.sealed_head"))).scalar_one()
    assert began == [0, 1]
