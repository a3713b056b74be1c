"""What a database had stands aside while its copy comes in, until the databases of the restore are all filled.

Its schemas are renamed: `…_before_restore` while the copies come in, and `…_replaced` from the moment on that all are
filled, in the transaction that lets the others in again. So whatever is cut off can be told: no restore of which one
database is let in again is undone, and none before that is taken for one that ended. The schema that says which
revision they are of goes along as `public_…`; it is there also if nothing else was, and is the mark of the restore.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from steerco.backups.manifest import BackupFailed
from steerco_service.migrations import BEING_RESTORED

SCHEMAS = ("log", "views", "privacy", "mirror")
"""What a service keeps; which revision it is of is in `public`."""

ASIDE = "_before_restore"
REPLACED = "_replaced"

MARKED = BEING_RESTORED.removesuffix(ASIDE)

LEAVING_SECONDS = 3.0
"""So long it is waited for who was connected until now: a server ends a connection a moment after its client."""

_PRESENT = text("SELECT nspname FROM pg_namespace WHERE nspname = ANY(:schemas)")
_MARK = text("SELECT obj_description(oid, 'pg_namespace') FROM pg_namespace WHERE nspname = :schema")
_VERSIONED = text("SELECT to_regclass(:name) IS NOT NULL")
_DATABASE = text("SELECT current_database()")
_OTHERS = text(
    "SELECT usename FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    " AND usesysid IS NOT NULL AND coalesce(backend_type, 'client backend') = 'client backend' ORDER BY usename"
)
"""Of a session of another role nothing shows what kind it is; those of the server itself have no role."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Of which restore something stands aside, and which databases that fills."""

    run: UUID
    names: frozenset[str]

    def __str__(self) -> str:
        return f"{self.run} {','.join(sorted(self.names))}"

    @classmethod
    def of(cls, comment: str) -> "Mark":
        """The mark of a comment."""
        run, _, names = comment.partition(" ")
        return cls(UUID(run), frozenset(names.split(",")))


class Aside:
    """A database of which something may stand aside, as its owner's role sees it."""

    def __init__(self, name: str, url: str) -> None:
        self.name = name
        self._url = url

    async def mark(self, suffix: str) -> Mark | None:
        """Of which restore something has that suffix, if anything has."""
        async with self.connected() as connection:
            comment = (await connection.execute(_MARK, {"schema": f"{MARKED}{suffix}"})).scalar()
            return Mark.of(comment) if comment else None

    async def shut(self) -> None:
        """Let none but the owner in. Raises `BackupFailed` where somebody is in and does not leave."""
        async with self.connected() as connection:
            await self._let_in(connection, False)
            await connection.commit()
            roles = await _staying(connection)
        if roles:
            who = ", ".join(sorted(set(roles)))
            raise BackupFailed(
                f"{self.name} is in use ({len(roles)} connections, of {who}): stop its API and worker first"
            )

    async def put_aside(self, mark: Mark) -> None:
        """Put aside what is there."""
        async with self.connected() as connection:
            await connection.execute(text(f'CREATE SCHEMA "{MARKED}{ASIDE}"'))
            await connection.execute(text(f"COMMENT ON SCHEMA \"{MARKED}{ASIDE}\" IS '{mark}'"))
            if (await connection.execute(_VERSIONED, {"name": "public.alembic_version"})).scalar_one():
                await connection.execute(text(f'ALTER TABLE public.alembic_version SET SCHEMA "{MARKED}{ASIDE}"'))
            await _rename(connection, SCHEMAS, "", ASIDE)
            await connection.commit()

    async def undo(self) -> None:
        """Have it as it was before, if something stands aside; and let the others in."""
        async with self.connected() as connection:
            if await present(connection, ASIDE, MARKED):
                for schema in await present(connection):
                    await connection.execute(text(f'DROP SCHEMA "{schema}" CASCADE'))
                await connection.execute(text("DROP TABLE IF EXISTS public.alembic_version"))
                versions = f'"{MARKED}{ASIDE}".alembic_version'
                if (await connection.execute(_VERSIONED, {"name": versions})).scalar_one():
                    await connection.execute(text(f"ALTER TABLE {versions} SET SCHEMA public"))
                await connection.execute(text(f'DROP SCHEMA "{MARKED}{ASIDE}"'))
                await _rename(connection, SCHEMAS, ASIDE, "")
            await self._let_in(connection, True)
            await connection.commit()

    async def settle(self) -> None:
        """The copies are all in: what stands aside is not brought back any more, and the others are let in."""
        async with self.connected() as connection:
            await _rename(connection, (MARKED, *SCHEMAS), ASIDE, REPLACED)
            await self._let_in(connection, True)
            await connection.commit()

    async def clear(self) -> None:
        """Drop what was replaced."""
        async with self.connected() as connection:
            for schema in await present(connection, REPLACED, MARKED, *SCHEMAS):
                await connection.execute(text(f'DROP SCHEMA "{schema}" CASCADE'))
            await connection.commit()
            await connection.execute(text("ANALYZE"))
            await connection.commit()

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[AsyncConnection]:
        """A connection of the owner. What goes wrong is a `BackupFailed`."""
        engine = create_async_engine(self._url, poolclass=NullPool)
        try:
            async with engine.connect() as connection:
                yield connection
        except (DBAPIError, OSError) as error:
            raise BackupFailed(f"the database of {self.name}: {str(error).splitlines()[0]}") from error
        finally:
            await engine.dispose()

    async def _let_in(self, connection: AsyncConnection, may: bool) -> None:
        """Everybody may connect to a database that was made by hand, and to none of ours."""
        database = (await connection.execute(_DATABASE)).scalar_one()
        roles = f"{quoted(f'{database}_app')}, {quoted(f'{database}_feed')}"
        if may:
            await connection.execute(text(f"GRANT CONNECT ON DATABASE {quoted(database)} TO {roles}"))
        else:
            await connection.execute(text(f"REVOKE CONNECT ON DATABASE {quoted(database)} FROM PUBLIC, {roles}"))


async def present(connection: AsyncConnection, suffix: str = "", *of: str) -> list[str]:
    """Those of the schemas that are there, with that suffix."""
    asked = {"schemas": [f"{schema}{suffix}" for schema in of or SCHEMAS]}
    return list((await connection.execute(_PRESENT, asked)).scalars())


def quoted(name: str) -> str:
    """A name in a statement."""
    return '"' + name.replace('"', '""') + '"'


async def _staying(connection: AsyncConnection) -> list[str]:
    """The roles of those who are connected, and stay so."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + LEAVING_SECONDS
    while True:
        roles = list((await connection.execute(_OTHERS)).scalars())
        await connection.rollback()
        if not roles or loop.time() > deadline:
            return roles
        await asyncio.sleep(0.05)


async def _rename(connection: AsyncConnection, schemas: tuple[str, ...], of: str, to: str) -> None:
    for schema in await present(connection, of, *schemas):
        await connection.execute(text(f'ALTER SCHEMA "{schema}" RENAME TO "{schema.removesuffix(of)}{to}"'))
