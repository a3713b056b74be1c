"""The store's database goes back to what it was: by a base backup and its write-ahead log, or by a copy of its files.

What was acknowledged since is lost by nature. What must not happen is that lost and new are mixed: the logs begin a
generation, whoever had read further stops and says so, and its view is made anew by the operator.
"""

import asyncio
import os
import shutil
import signal
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from steerco_servers.binaries import postgres_programs
from steerco_servers.child import clean_environment, start_child, unprivileged_account
from tests.faults.cluster import LOGS, Cluster
from tests.faults.faults import Fault
from tests.faults.invariants import (
    PLACES,
    approved_pitches,
    differences,
    differences_of_rebuilds,
    rows_that_are_read,
    settled,
    token_of_heads,
)
from tests.faults.operating import accept_loss
from tests.faults.scene import Scene

SAID_SECONDS = 60.0
POINT = "before"


async def _ask(cluster: Cluster, query: str) -> str:
    """Ask the store's server as its superuser."""
    engine = create_async_engine(cluster.stores.server.url(), poolclass=NullPool, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        return str((await connection.execute(text(query))).scalar_one())


async def _run(cluster: Cluster, *command: str | Path) -> None:
    """Run a program as the server's user, to its end."""
    name = Path(command[0]).name
    log = cluster.directory / f"{name}.log"
    child = start_child(
        name,
        command,
        log=log,
        death_signal=signal.SIGKILL,
        environment=clean_environment(PGPASSWORD=cluster.stores.server.password),
        account=unprivileged_account(),
    )
    if not await child.finished(within=120) or child.exit_code != 0:
        raise child.failed("did not do what it was told")


class Restored(Fault):
    """Writes, goes back, writes again; `keep` and `bring_back` are the two halves of a way to do so.

    The operator has the views made anew that knew more than the log has. So they are compared before, as they were
    when the log had it all; and reporting's, which the restoration leaves alone, must not change until it is made anew.
    """

    async def run(self, scene: Scene) -> None:
        cluster, load = scene.cluster, scene.load
        generations = {service: await self._generations(cluster, service) for service in LOGS}
        async with load.running(scene.number):
            await asyncio.sleep(1.0)
            await self.begin(scene)
            await asyncio.sleep(1.0)
        await self.keep(scene)
        kept = {key for key, sent in load.ledger.items() if sent.outcome == "acknowledged"}
        async with load.running(scene.number + 10_000):
            await asyncio.sleep(2.0)
        await settled(cluster)
        scene.findings += await differences_of_rebuilds(cluster)
        await self.before_the_loss(scene)
        known = await rows_that_are_read(cluster, "reporting")
        token, approved = await token_of_heads(cluster), await approved_pitches(cluster)
        for key, sent in load.ledger.items():
            if sent.outcome == "acknowledged" and key not in kept:
                sent.outcome = "unclear"
        await self.bring_back(scene)
        async with load.running(scene.number + 20_000):
            await asyncio.sleep(1.0)
        scene.lost |= approved - await approved_pitches(cluster)
        await self._says_so(scene, token)
        mixed = differences(known, await rows_that_are_read(cluster, "reporting"))
        scene.findings += [f"reporting went on though it knew what is lost: {each}" for each in mixed]
        operator = asyncio.create_task(self._accept_until_cancelled(cluster))
        try:
            await settled(cluster)
        finally:
            operator.cancel()
            await asyncio.gather(operator, return_exceptions=True)
        for service in LOGS:
            if (now := await self._generations(cluster, service)) != generations[service] + 1:
                scene.note(f"{service} is in generation {now}, before it was {generations[service]}")

    async def begin(self, scene: Scene) -> None:
        """Prepare for the backup, while commands come."""

    async def keep(self, scene: Scene) -> None:
        """What there is now is what it will be again."""
        raise NotImplementedError

    async def before_the_loss(self, scene: Scene) -> None:
        """When all that will be lost was published and applied."""

    async def bring_back(self, scene: Scene) -> None:
        """Go back."""
        raise NotImplementedError

    @staticmethod
    async def _generations(cluster: Cluster, service: str) -> int:
        async with cluster.engine(service).connect() as connection:
            return int((await connection.execute(text("SELECT count(*) FROM log.generations"))).scalar_one())

    @staticmethod
    async def _says_so(scene: Scene, token: str) -> None:
        """Wait until reporting tells who has seen what is lost that it is lost."""
        said = ""
        async with scene.cluster.client("reporting", timeout=10) as client:
            for _ in range(int(SAID_SECONDS / 0.2)):
                answer = await client.get(PLACES["reporting"], headers={"Consistency-Token": token})
                said = answer.text
                if answer.status_code == 409 and "log-rewound" in said:
                    return
                await asyncio.sleep(0.2)
        scene.note(f"reporting goes on after a restoration as if nothing was: {said}")

    @staticmethod
    async def _accept_until_cancelled(cluster: Cluster) -> None:
        while True:
            await accept_loss(cluster)
            await asyncio.sleep(1)


class RestoredToAPoint(Restored):
    """The server tells it by itself: it is on another timeline."""

    name = "restored to a point in time"

    async def begin(self, scene: Scene) -> None:
        cluster = scene.cluster
        files = Path(await _ask(cluster, "SHOW data_directory"))
        self._files, self._backup, self._archive = files, files.with_name("backup"), files.with_name("archive")
        for left in (self._backup, self._archive):
            shutil.rmtree(left, ignore_errors=True)
        self._archive.mkdir()
        shutil.chown(self._archive, files.stat().st_uid, files.stat().st_gid)
        await cluster.stores.stop()
        await cluster.stores.start({"archive_mode": "on", "archive_command": f"cp %p {self._archive}/%f"})
        programs, server = postgres_programs(unprivileged_account()), cluster.stores.server
        where = [f"--host={server.socket_dir}", f"--port={server.port}", f"--username={server.superuser}"]
        await _run(cluster, programs / "pg_basebackup", *where, "-D", self._backup, "--checkpoint=fast", "--no-sync")

    async def keep(self, scene: Scene) -> None:
        await _ask(scene.cluster, f"SELECT pg_create_restore_point('{POINT}')")

    async def bring_back(self, scene: Scene) -> None:
        stores = scene.cluster.stores
        await _ask(scene.cluster, "SELECT pg_switch_wal()")
        await stores.stop()
        shutil.rmtree(self._files)
        self._backup.rename(self._files)
        (self._files / "recovery.signal").touch()
        os.chown(self._files / "recovery.signal", self._files.stat().st_uid, self._files.stat().st_gid)
        recovery = {"recovery_target_name": POINT, "recovery_target_action": "promote", "hot_standby": "off"}
        await stores.start({"restore_command": f"cp {self._archive}/%f %p", **recovery})
        shutil.rmtree(self._archive)


class RestoredFromACopy(Restored):
    """Nothing in the server tells it, only the signed heads that are kept outside: the workers are let first."""

    name = "restored from a copy of the files"

    async def keep(self, scene: Scene) -> None:
        stores = scene.cluster.stores
        self._files = Path(await _ask(scene.cluster, "SHOW data_directory"))
        self._copy = self._files.with_name("copy")
        shutil.rmtree(self._copy, ignore_errors=True)
        await stores.stop()
        done = await asyncio.create_subprocess_exec("cp", "-a", self._files, self._copy)
        assert await done.wait() == 0
        await stores.start()

    async def before_the_loss(self, scene: Scene) -> None:
        for service in LOGS:
            async with scene.cluster.client(service, timeout=10) as client, asyncio.timeout(SAID_SECONDS):
                while (state := (await client.get("/log")).json())["signed"]["position"] < state["position"]:
                    await asyncio.sleep(0.2)

    async def bring_back(self, scene: Scene) -> None:
        before = {service: await self._generations(scene.cluster, service) for service in LOGS}
        await self._put_back(scene)
        async with asyncio.timeout(SAID_SECONDS):
            for service in LOGS:
                while await self._generations(scene.cluster, service) <= before[service]:
                    await asyncio.sleep(0.2)

    async def _put_back(self, scene: Scene) -> None:
        await scene.cluster.stores.stop()
        shutil.rmtree(self._files)
        self._copy.rename(self._files)
        await scene.cluster.stores.start()


class RestoredFromACopySoon(RestoredFromACopy):
    """Before what is lost was signed: the operator says so, while nothing is sealed."""

    name = "restored from a copy, said by the operator"

    async def before_the_loss(self, scene: Scene) -> None:
        for service in LOGS:
            await scene.cluster.stop(service, "worker")

    async def bring_back(self, scene: Scene) -> None:
        await self._put_back(scene)
        for service in LOGS:
            async with scene.cluster.client(service, timeout=10) as client:
                answer = await client.post("/log/restored")
                if answer.is_error:  # the first answer after a restart may be that the connection was lost
                    answer = await client.post("/log/restored")
            if answer.is_error:
                scene.note(f"{service} was told that it was restored: {answer.status_code} {answer.text}")
            scene.cluster.start(service, "worker")
