"""What can be seen on this machine: versions, the disk, the databases of a data directory, its broker."""

import asyncio
import platform
import re
import shutil
import socket
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from sqlalchemy import text

from steerco.backups.connecting import connected
from steerco.backups.places import databases_in
from steerco.client import CommandFailed, address
from steerco.doctor.asking import ask_the_workers
from steerco.doctor.findings import UPGRADING, WATCHING, Finding
from steerco.edition.directory import DataDirectory
from steerco.edition.services import BY_NAME
from steerco_events.postgres.faults import DATABASE_FAULTS
from steerco_events.saying import said as in_a_line
from steerco_servers.attaching import home_of, runs_in
from steerco_servers.child import ServerFailed, quiet
from steerco_service.migrated import suffices
from steerco_service.migrations import revisions_of
from steerco_service.privacy.key_database import MIGRATIONS

LOW, LOWEST = 2e9, 2e8
"""Free bytes under which somebody should look, and under which writes are about to fail."""

_DATABASE = text(
    "SELECT pg_database_size(current_database()) AS size, current_setting('server_version') AS postgresql,"
    " (SELECT version_num FROM public.alembic_version) AS revision"
)
_LOG = text(
    "SELECT (SELECT position FROM log.head) AS position, coalesce((SELECT max(last) - min(first) + 1 FROM log.seals"
    " WHERE sealed_at > now() - interval '7 days'), 0) AS of_a_week,"
    " (SELECT expires_at > clock_timestamp() FROM log.leases WHERE name = 'sealer') AS led"
)


def look_around(directory: DataDirectory) -> Iterator[Finding]:
    """The versions; and what the data directory shows, if the edition that is asked is that one or none is."""
    yield Finding("fine", "versions", f"steerco {version('steerco')}, Python {platform.python_version()}")
    if not directory.path.is_dir() or not _is_meant(directory):
        return
    yield disk(directory.path)
    try:
        home = home_of(directory.postgres)
        if home and home.exists() and not home.is_relative_to(directory.path.resolve()):
            yield disk(home)
        if not runs_in(directory.postgres):
            yield Finding("look", "PostgreSQL", f"does not run in {directory.postgres}", "steerco up")
            return
        yield from asyncio.run(_databases(directory))
    except ServerFailed as error:
        yield Finding("failing", "PostgreSQL", str(error), "steerco up")
    yield from _broker(directory)
    yield from ask_the_workers(directory)


def _is_meant(directory: DataDirectory) -> bool:
    try:
        return directory.announced() == address().url
    except (CommandFailed, ServerFailed):
        return True


def disk(path: Path, low: float = LOW, lowest: float = LOWEST) -> Finding:
    """Whether there is room where a folder lies; under `low` bytes somebody should look, under `lowest` it fails."""
    free = shutil.disk_usage(path).free
    said = f"{free / 1e9:,.1f} GB are free for {path}"
    if free < lowest:
        return Finding("failing", "disk", said, f"du -sh {path}")
    if free < low:
        return Finding("look", "disk", said, f"du -sh {path}")
    return Finding("fine", "disk", said)


async def _databases(directory: DataDirectory) -> Sequence[Finding]:
    found: list[Finding] = []
    async with databases_in(directory, quiet) as urls:
        for name, url in urls.items():
            found += await database(name, url)
    return found


async def database(name: str, url: str) -> Sequence[Finding]:
    """Whether a database answers, is of this release's schema, and has somebody who seals its log."""
    subject = f"database of {name}"
    try:
        async with connected(url) as connection:
            about = (await connection.execute(_DATABASE)).one()
            owns_log = name in BY_NAME and BY_NAME[name].owns_log
            log = (await connection.execute(_LOG)).one()._asdict() if owns_log else None
    except DATABASE_FAULTS as error:
        return [Finding("failing", subject, in_a_line(error), "steerco up")]
    package = BY_NAME[name].migrations if name in BY_NAME else MIGRATIONS
    if not suffices(about.revision, package):
        said = f"schema {about.revision}, and this release has {revisions_of(package)[-1]}"
        return [Finding("failing", subject, said, f"{UPGRADING}#roll-a-release-out")]
    said = f"PostgreSQL {about.postgresql}, schema {about.revision}, {about.size / 1e6:,.1f} MB{_pace(about.size, log)}"
    found = [Finding("fine", subject, said)]
    if log is not None and not log["led"]:
        found.append(
            Finding("look", f"sealer of {name}", "nobody has its lease now", f"{WATCHING}#sealerwithoutleader")
        )
    return found


def _pace(size: int, log: Mapping[str, int] | None) -> str:
    """What a database has grown to for each event, and what that makes of the last week."""
    if not log or not log["position"]:
        return ""
    of_each = size / log["position"]
    return f"; at the last week's pace {log['of_a_week'] * of_each * 30 / 7 / 1e6:,.1f} MB more in a month"


def _broker(directory: DataDirectory) -> Iterator[Finding]:
    properties = directory.kafka / "server.properties"
    if not properties.exists():
        return
    for place in re.findall(r"^listeners=\w+://([^,\s]+)", properties.read_text(), re.MULTILINE)[:1]:
        host, _, port = place.rpartition(":")
        try:
            socket.create_connection((host, int(port)), timeout=5).close()
        except (OSError, ValueError) as error:
            yield Finding("failing", "Kafka", f"{place} can't be reached: {error}", "steerco run-distributed")
        else:
            yield Finding("fine", "Kafka", f"answers at {place}")
