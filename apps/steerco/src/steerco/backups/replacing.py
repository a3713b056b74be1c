"""One database is filled from its copy, by its owner's role alone; what was in it stands aside until all went well.

Meanwhile nobody else may connect. A restore that was cut off is undone by the next: what stands aside is what was there
before. Where the server is the one that the copy is of, nothing else would tell that the log was restored; and where
something was there before, a generation of the next number may have been read already. So there the new generation is
opened here; in an empty database of another server the sealer opens it at its first start.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from steerco.backups.manifest import BackupFailed, Dump
from steerco.backups.programs import reached_by, run_program
from steerco_events.postgres.generations import open_generation, server_is_that_of_the_log

SCHEMAS = ("log", "views", "privacy", "mirror")
ASIDE = "_before_restore"

_PRESENT = text("SELECT nspname FROM pg_namespace WHERE nspname = ANY(:schemas)")
_VERSIONED = text("SELECT to_regclass(:name) IS NOT NULL")
_OTHERS = text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    " AND usename IN (current_database() || '_app', current_database() || '_feed')"
)
_HOLD_LOG = text("SELECT position FROM log.head FOR UPDATE")
_NEWEST = text("SELECT max(generation) FROM log.generations")
_NEWEST_BEFORE = text("SELECT max(generation) FROM log_before_restore.generations")
_STAY_ERASED = (
    "INSERT INTO privacy.erasures SELECT * FROM privacy_before_restore.erasures ON CONFLICT DO NOTHING",
    "DELETE FROM privacy.keys k USING privacy.erasures e WHERE e.subject = k.subject",
)


class Replaced:
    """A database that is being filled from its copy."""

    def __init__(self, name: str, url: str, file: Path, dump: Dump) -> None:
        self.name = name
        self._url = url
        self._file = file
        self._dump = dump

    async def check(self, *, replace: bool) -> None:
        """Raise `BackupFailed` where it can't be filled: something is in it, somebody uses it, it is called otherwise.

        Nothing is changed, but for what an earlier restore left that was cut off.
        """
        async with self._connected() as connection:
            database = (await connection.execute(text("SELECT current_database()"))).scalar_one()
            if database != self._dump.database:
                raise BackupFailed(
                    f"the copy of {self.name} is of {self._dump.database}, with its roles: it can't go into {database}"
                )
            if others := (await connection.execute(_OTHERS)).scalar_one():
                raise BackupFailed(f"{self.name} is in use ({others} connections): stop its API and worker first")
            if await _schemas(connection, ASIDE):
                await self._undo(connection)
            if await _schemas(connection) and not replace:
                raise BackupFailed(f"{self.name} is not empty: --replace puts the copy in the place of what is there")

    async def fill(self) -> None:
        """Put aside what is there, and bring in the copy. Raises `BackupFailed`."""
        async with self._connected() as connection:
            await self._let_in(connection, False)
            await _move(connection, "", ASIDE)
            await connection.commit()
        arguments = ("--single-transaction", "--exit-on-error", "--no-password", f"--dbname={self._dump.database}")
        what = f"{self.name} can't be restored"
        await run_program("pg_restore", (*arguments, self._file), reached_by(self._url), what)
        async with self._connected() as connection:
            for setting in self._dump.settings:
                name, _, value = setting.partition("=")
                await connection.execute(text(f"ALTER DATABASE {self._quoted} SET {name} = '{_escaped(value)}'"))
            if await _schemas(connection, ASIDE, "privacy"):
                for statement in _STAY_ERASED:
                    await connection.execute(text(statement))
            if await _schemas(connection, "", "log"):
                await _begin_generation(connection)
            await connection.commit()

    async def finish(self) -> None:
        """Drop what stands aside, and let the others in."""
        async with self._connected() as connection:
            for schema in await _schemas(connection, ASIDE):
                await connection.execute(text(f'DROP SCHEMA "{schema}" CASCADE'))
            await self._let_in(connection, True)
            await connection.commit()
            await connection.execute(text("ANALYZE"))
            await connection.commit()

    async def undo(self) -> None:
        """Have it as it was before."""
        async with self._connected() as connection:
            await self._undo(connection)

    async def _undo(self, connection: AsyncConnection) -> None:
        for schema in await _schemas(connection):
            await connection.execute(text(f'DROP SCHEMA "{schema}" CASCADE'))
        await connection.execute(text("DROP TABLE IF EXISTS public.alembic_version"))
        await _move(connection, ASIDE, "")
        await self._let_in(connection, True)
        await connection.commit()

    async def _let_in(self, connection: AsyncConnection, may: bool) -> None:
        roles = f'"{self._dump.database}_app", "{self._dump.database}_feed"'
        change = (
            f"GRANT CONNECT ON DATABASE {self._quoted} TO" if may else f"REVOKE CONNECT ON DATABASE {self._quoted} FROM"
        )
        await connection.execute(text(f"{change} {roles}"))

    @property
    def _quoted(self) -> str:
        return '"' + self._dump.database.replace('"', '""') + '"'

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[AsyncConnection]:
        engine = create_async_engine(self._url, poolclass=NullPool)
        try:
            async with engine.connect() as connection:
                yield connection
        except (DBAPIError, OSError) as error:
            raise BackupFailed(f"the database of {self.name}: {str(error).splitlines()[0]}") from error
        finally:
            await engine.dispose()


async def _begin_generation(connection: AsyncConnection) -> None:
    """One that nobody has read of yet, where the sealer would see none or one whose number was used here before."""
    newest = (await connection.execute(_NEWEST)).scalar_one()
    before = 0
    if await _schemas(connection, ASIDE, "log"):
        before = (await connection.execute(_NEWEST_BEFORE)).scalar_one()
    if before or await server_is_that_of_the_log(connection):
        position = (await connection.execute(_HOLD_LOG)).scalar_one()
        for generation in range(newest + 1, max(newest, before) + 2):
            await open_generation(connection, generation, position)


async def _schemas(connection: AsyncConnection, suffix: str = "", *of: str) -> list[str]:
    """Those of ours that are there."""
    asked = {"schemas": [f"{schema}{suffix}" for schema in of or SCHEMAS]}
    return list((await connection.execute(_PRESENT, asked)).scalars())


async def _move(connection: AsyncConnection, of: str, to: str) -> None:
    """Rename our schemas; what says which revision they are of goes along in the first of them."""
    found = [schema.removesuffix(of) if of else schema for schema in await _schemas(connection, of)]
    keeper = f"{next((each for each in SCHEMAS if each in found), 'log')}{ASIDE}"
    if of and (await connection.execute(_VERSIONED, {"name": f"{keeper}.alembic_version"})).scalar_one():
        await connection.execute(text(f'ALTER TABLE "{keeper}".alembic_version SET SCHEMA public'))
    for schema in found:
        await connection.execute(text(f'ALTER SCHEMA "{schema}{of}" RENAME TO "{schema}{to}"'))
    if to and found and (await connection.execute(_VERSIONED, {"name": "public.alembic_version"})).scalar_one():
        await connection.execute(text(f'ALTER TABLE public.alembic_version SET SCHEMA "{keeper}"'))


def _escaped(value: str) -> str:
    return value.replace("'", "''")
