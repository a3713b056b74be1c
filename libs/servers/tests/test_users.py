"""The server's user: ourselves, or an unprivileged one when we are root."""

import os
import subprocess
from asyncio.subprocess import Process
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from steerco_servers import binaries
from steerco_servers.child import unprivileged_account
from steerco_servers.cluster import SOCKET_LIMIT

# A first round warms all imports up: an ordinary user may not be able to read this Python's own files.
ORDINARY = """
import asyncio, os, pwd, sys
from pathlib import Path
from steerco_servers.binaries import postgres_programs
from steerco_servers.child import unprivileged_account
from steerco_servers.postgres import provision, remove_cluster, start_postgres

async def round_of(directory):
    async with await start_postgres(directory, settings={"fsync": "off"}) as server:
        made = await provision(server.url(), ["risk"], passwords=server.roles_file)
        print(os.geteuid(), os.stat(f"/proc/{server.pid}").st_uid if os.path.exists("/proc") else "", flush=True)
        print(os.path.join(server.socket_dir, f".s.PGSQL.{server.port}"), flush=True)
    async with await start_postgres(directory, settings={"fsync": "off"}) as server:
        await provision(server.url(), ["risk"], passwords=server.roles_file)
    await remove_cluster(directory)

scratch = Path(sys.argv[1])
account = unprivileged_account()
if account:
    asyncio.run(round_of(scratch / "root"))
    sys.path.insert(0, str(postgres_programs(account).parents[2]))
    home = scratch / "ordinary"
    home.mkdir()
    nobody = pwd.getpwnam("nobody")
    os.chown(home, nobody.pw_uid, nobody.pw_gid)
    os.setgroups([])
    os.setgid(nobody.pw_gid)
    os.setuid(nobody.pw_uid)
    scratch = home
asyncio.run(round_of(scratch / ("a long way down " * 8) / "data"))
"""


async def test_root_and_an_ordinary_user_both_run_it_also_under_a_long_path(
    scratch: Path, script: Callable[..., Awaitable[Process]]
) -> None:
    process = await script(ORDINARY, scratch)
    output, _ = await process.communicate()
    assert process.returncode == 0
    lines = output.decode().splitlines()
    account = unprivileged_account()
    if account:
        assert lines.pop(0) == f"0 {account.uid}"
        assert lines.pop(0).startswith("/var/lib/steerco/")
    ours, owner = lines.pop(0).split(" ")
    assert owner in {ours, ""}
    socket = lines.pop(0)
    assert len(os.fsencode(socket)) <= SOCKET_LIMIT
    assert not Path(socket).parent.exists()


async def test_programs_that_only_root_reaches_are_copied_with_their_libraries(
    as_root: None, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = unprivileged_account()
    assert account
    package = binaries.postgres_programs(None).parents[1]
    hidden = scratch / "hidden"
    hidden.mkdir(mode=0o700)
    for part in (package, package.with_name(f"{package.name}.libs")):
        if part.exists():
            subprocess.run(["cp", "-R", part, hidden], check=True)
    monkeypatch.syspath_prepend(hidden)
    monkeypatch.setattr(binaries, "SHARED_HOME", scratch / "shared")

    programs = binaries.postgres_programs(account)

    assert programs.is_relative_to(scratch / "shared")
    assert binaries.postgres_programs(account) == programs
    for name in ("postgres", "initdb", "pg_dump"):
        said = subprocess.run(
            [programs / name, "--version"], user=account.uid, group=account.gid, capture_output=True, check=True
        )
        assert b"(PostgreSQL) 18" in said.stdout
    assert [path.name for path in (scratch / "shared").iterdir()] == [programs.parents[2].name]
