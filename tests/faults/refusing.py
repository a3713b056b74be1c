"""What a service must refuse or set aside while the rest goes on: a full disk, an event that nobody can digest."""

import asyncio
import os
import subprocess
from pathlib import Path
from typing import ClassVar

from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from steerco_events.ids import new_id
from steerco_events.positions import partition_of
from tests.faults.cluster import OFFICER, RUNNING, Cluster
from tests.faults.faults import Fault
from tests.faults.operating import skip_parked
from tests.faults.scene import Scene

SMALL = "small"
MEGABYTES = 48
PARKED_SECONDS = 60.0


def can_mount() -> bool:
    """Whether the system lets us have a small file system of our own."""
    probe = Path("/run/steerco-faults-probe")
    try:
        probe.mkdir(exist_ok=True)
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", probe], check=False, capture_output=True
        )
        if mounted.returncode == 0:
            subprocess.run(["umount", probe], check=True)
        probe.rmdir()
    except OSError:
        return False
    return mounted.returncode == 0


class DiskFull(Fault):
    """A part of intake's database lies on a small file system, and something fills it.

    The part is the heap of its `log.events`, with what of it is stored out of line. All else has room: the indexes of
    that table, the other tables and databases, the catalog, and the write-ahead log. Where the disk of the write-ahead
    log is full the server stops, which to its clients is what `kill -9 of PostgreSQL` is.
    """

    name = "disk full at PostgreSQL"
    lasts = 3.0

    async def run(self, scene: Scene) -> None:
        place = Path("/run") / f"steerco-faults-{os.getpid()}"
        place.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={MEGABYTES}m,mode=777", "tmpfs", place], check=True)
        self._ballast = place / "ballast"
        space = place / "space"
        space.mkdir()
        files = Path(await _of_server(scene.cluster, "SHOW data_directory"))
        os.chown(space, files.stat().st_uid, files.stat().st_gid)
        await _of_server(scene.cluster, f"CREATE TABLESPACE {SMALL} LOCATION '{space}'")
        try:
            await _move_events(scene.cluster, SMALL)
            await super().run(scene)
            await _move_events(scene.cluster, "pg_default")
            await _of_server(scene.cluster, f"DROP TABLESPACE {SMALL}")
        finally:
            subprocess.run(["umount", "-l", place], check=True)
            place.rmdir()

    async def strike(self, scene: Scene) -> None:
        self._refused = scene.load.answers["503"]
        self._failed = scene.load.answers["500"]
        with self._ballast.open("wb") as file:
            while True:
                try:
                    file.write(bytes(65_536))
                    file.flush()
                except OSError:
                    break

    async def heal(self, scene: Scene) -> None:
        self._ballast.unlink()
        if scene.load.answers["503"] == self._refused:
            scene.findings.append("no command was refused while the disk was full")
        if scene.load.answers["500"] > self._failed:
            scene.findings.append(
                f"{scene.load.answers['500'] - self._failed} answers were 500 while the disk was full"
            )


async def _of_server(cluster: Cluster, statement: str) -> str:
    """Have the store's superuser do it; the first value of what it answers."""
    engine = create_async_engine(cluster.stores.server.url(), poolclass=NullPool, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        result = await connection.execute(text(statement))
        return str(result.scalar_one()) if result.returns_rows else ""


async def _move_events(cluster: Cluster, tablespace: str) -> None:
    url = cluster.stores.server.url(database=cluster.databases["intake"].name)
    engine = create_async_engine(url, poolclass=NullPool)
    async with engine.begin() as tx:
        await tx.execute(text(f"ALTER TABLE log.events SET TABLESPACE {tablespace}"))


_STREAM = text("INSERT INTO log.streams (stream, version) VALUES (:stream, 1)")
_EVENT = text(
    "INSERT INTO log.events (id, stream, stream_version, partition, type, schema_version, recorded_at, actor,"
    " actor_title, client, correlation_id, causation_id, org_units, data) VALUES (:id, :stream, 1, :partition,"
    " 'steerco.intake.pitch-submitted', 1, clock_timestamp(), :actor, :title, 'another release', :id, :id, '{}', :data)"
)


class Poison(Fault):
    """Something else has written an event into intake's log that is not what its contract says."""

    name = "poison event"
    lasts = 1.0
    bodies: ClassVar = (b'{"pitch_id": 7}', b"no JSON at all", b'{"title": "no more than that"}')

    async def strike(self, scene: Scene) -> None:
        self._stream = f"pitch-{new_id()}"
        values = {
            "id": new_id(),
            "stream": self._stream,
            "partition": partition_of(self._stream),
            "actor": OFFICER.actor.id,
            "title": OFFICER.actor.job_title,
            "data": scene.random.choice(self.bodies),
        }
        async with scene.cluster.engine("intake").begin() as tx:
            await tx.execute(_STREAM, {"stream": self._stream})
            await tx.execute(_EVENT, values)

    async def heal(self, scene: Scene) -> None:
        """The operator finds it parked, for every consumer of the log, and has it skipped."""
        for service in RUNNING:
            if not await self._is_parked(scene.cluster, service):
                scene.findings.append(f"{service} has not parked {self._stream}")
            await skip_parked(scene.cluster, service)

    async def _is_parked(self, cluster: Cluster, service: str) -> bool:
        async with cluster.client(service, timeout=10) as client:
            for _ in range(int(PARKED_SECONDS / 0.2)):
                parked = (await client.get("/log/parked")).json()
                if any(each["stream"] == self._stream for each in parked):
                    return True
                await asyncio.sleep(0.2)
        return False
