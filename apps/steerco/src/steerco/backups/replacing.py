"""One database is filled from its copy, by its owner's role alone, while what was in it stands aside.

Where the server is the one that the copy is of, nothing else would tell that the log was restored; and where something
was there before, a generation of the next number may have been read already. So there the new generation is opened
here; in an empty database of another server the sealer opens it at its first start.
"""

from pathlib import Path

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from steerco.backups.aside import ASIDE, Aside, present, quoted
from steerco.backups.manifest import BackupFailed, Dump
from steerco.backups.programs import reached_by, run_program
from steerco_events.postgres.generations import open_generation, server_is_that_of_the_log

_ABOUT = text("SELECT current_database(), current_setting('server_version_num')::int / 10000")
_HOLD_LOG = text("SELECT position FROM log.head FOR UPDATE")
_NEWEST = text("SELECT max(generation) FROM log.generations")
_NEWEST_BEFORE = text("SELECT max(generation) FROM log_before_restore.generations")
_KEEP_KEYS = (
    "INSERT INTO privacy.erasures (subject, erased_at)"
    " SELECT subject, erased_at FROM privacy_before_restore.erasures ON CONFLICT DO NOTHING",
    "INSERT INTO privacy.keys (subject, key, made_at)"
    " SELECT subject, key, made_at FROM privacy_before_restore.keys ON CONFLICT DO NOTHING",
    "DELETE FROM privacy.keys k USING privacy.erasures e WHERE e.subject = k.subject",
)
"""Who was registered since the keys were copied keeps theirs; and whoever was erased, by either of both, has none."""


class Replaced(Aside):
    """A database that is to be filled from its copy."""

    def __init__(self, name: str, url: str, file: Path, dump: Dump) -> None:
        super().__init__(name, url)
        self._file = file
        self._dump = dump
        self._server = dump.postgresql

    async def check(self, *, replace: bool) -> None:
        """Raise `BackupFailed` where it can't be filled: it is not empty, of another name, of an older server."""
        async with self.connected() as connection:
            database, self._server = (await connection.execute(_ABOUT)).one()
            if self._server < self._dump.postgresql:
                raise BackupFailed(
                    f"the copy of {self.name} is of PostgreSQL {self._dump.postgresql}:"
                    f" it can't go into an older one, such as this {self._server}"
                )
            if database != self._dump.database:
                raise BackupFailed(
                    f"the copy of {self.name} is of {self._dump.database}, with its roles: it can't go into {database}"
                )
            if await present(connection) and not replace:
                raise BackupFailed(f"{self.name} is not empty: --replace puts the copy in the place of what is there")

    async def fill(self) -> None:
        """Bring in the copy, beside what stands aside. Raises `BackupFailed`."""
        arguments = ("--single-transaction", "--exit-on-error", "--no-password", f"--dbname={self._dump.database}")
        what = f"{self.name} can't be restored"
        await run_program("pg_restore", (*arguments, self._file), reached_by(self._url), what, self._server)
        async with self.connected() as connection:
            for setting in self._dump.settings:
                name, _, value = setting.partition("=")
                database = quoted(self._dump.database)
                await connection.execute(text(f"ALTER DATABASE {database} SET {name} = '{_escaped(value)}'"))
            if await present(connection, ASIDE, "privacy"):
                for statement in _KEEP_KEYS:
                    await connection.execute(text(statement))
            if await present(connection, "", "log"):
                await _begin_generation(connection)
            await connection.commit()


async def _begin_generation(connection: AsyncConnection) -> None:
    """One that nobody has read of yet, where the sealer would see none or one whose number was used here before."""
    newest = (await connection.execute(_NEWEST)).scalar_one()
    before = 0
    if await present(connection, ASIDE, "log"):
        before = (await connection.execute(_NEWEST_BEFORE)).scalar_one()
    if before or await server_is_that_of_the_log(connection):
        position = (await connection.execute(_HOLD_LOG)).scalar_one()
        for generation in range(newest + 1, max(newest, before) + 2):
            await open_generation(connection, generation, position)


def _escaped(value: str) -> str:
    return value.replace("'", "''")
