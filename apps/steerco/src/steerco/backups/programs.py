"""PostgreSQL's own programs over one database, told where it is by their environment alone."""

import signal
import tempfile
from collections.abc import Mapping, Sequence
from math import inf
from pathlib import Path

from sqlalchemy import make_url

from steerco.backups.manifest import BackupFailed
from steerco_servers.binaries import MAJOR, postgres_programs
from steerco_servers.child import clean_environment, last_lines, start_child

NO_DATABASE: Mapping[str, str] = {}

ENDING = ((signal.SIGTERM, 5.0),)


OTHER_PROGRAMS: Mapping[int, int] = {16: 16}
"""The servers that do not understand all that the newest programs say, and the version of those that are for them."""


async def run_program(
    name: str, arguments: Sequence[str | Path], database: Mapping[str, str], what: str, server: int = MAJOR
) -> None:
    """Run it to its end, that which is for a server of this version.

    Raises `BackupFailed`, which begins with `what` failed and ends with what it said. It ends with this process, and
    when it is cancelled. Must be called on the main thread.
    """
    with tempfile.TemporaryDirectory(prefix="steerco-") as folder:
        log = Path(folder) / f"{name}.log"
        child = start_child(
            name,
            [postgres_programs(None, OTHER_PROGRAMS.get(server, MAJOR)) / name, *arguments],
            log=log,
            death_signal=signal.SIGTERM,
            environment=clean_environment(**database),
        )
        try:
            await child.finished(inf)
        finally:
            await child.stop(ENDING)
        if child.exit_code != 0:
            raise BackupFailed(f"{what}: {last_lines(log)}")


def reached_by(url: str) -> dict[str, str]:
    """The variables by which PostgreSQL's programs reach the database of a SQLAlchemy URL; one is its password."""
    parts = make_url(url)
    host = parts.host or parts.query.get("host")
    port = parts.port or parts.query.get("port")
    told = {
        "PGHOST": host,
        "PGPORT": port,
        "PGUSER": parts.username,
        "PGPASSWORD": parts.password,
        "PGDATABASE": parts.database,
        "PGSSLMODE": parts.query.get("ssl"),
    }
    return {name: str(value) for name, value in told.items() if value}
