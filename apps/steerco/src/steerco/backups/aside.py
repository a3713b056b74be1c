"""What a database had stands aside while its copy comes in, until the databases of the restore are all filled.

Its schemas are renamed: `…_before_restore` while the copies come in, and `…_replaced` from the moment on that all are
filled, in the transaction that lets the others in again. So whatever is cut off can be told: no restore of which one
database is let in again is undone, and none before that is taken for one that ended. The schema that says which
revision they are of goes along as `public_…`; it is there also if nothing else was, and is the mark of the restore.
The mark comes with the shutting, before anything is renamed: until then a table in it says that all is in its place.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from steerco.backups.connecting import connected
from steerco.backups.manifest import BackupFailed
from steerco_events.postgres.faults import DATABASE_FAULTS
from steerco_events.saying import said
from steerco_service.migrations import BEING_RESTORED

SCHEMAS = ("log", "views", "privacy", "mirror")
"""What a service keeps; which revision it is of is in `public`."""

ASIDE = "_before_restore"
REPLACED = "_replaced"

MARKED = BEING_RESTORED.removesuffix(ASIDE)

IN_PLACE = f'"{BEING_RESTORED}".in_place'
"""A table that is there while the mark is, and nothing stands aside yet."""

LEAVING_SECONDS = 3.0
"""So long it is waited for who was connected until now: a server ends a connection a moment after its client."""

_PRESENT = text("SELECT nspname FROM pg_namespace WHERE nspname = ANY(:schemas)")
_MARK = text("SELECT obj_description(oid, 'pg_namespace') FROM pg_namespace WHERE nspname = :schema")
_TABLE = text("SELECT to_regclass(:name) IS NOT NULL")
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

    async def shut(self, mark: Mark) -> None:
        """Mark it, and let none but the owner in. Raises `BackupFailed` where somebody is in and does not leave."""
        async with self.connected() as connection:
            await connection.execute(text(f'CREATE SCHEMA "{BEING_RESTORED}"'))
            await connection.execute(text(f"COMMENT ON SCHEMA \"{BEING_RESTORED}\" IS '{mark}'"))
            await connection.execute(text(f"CREATE TABLE {IN_PLACE} ()"))
            await _let_nobody_in(connection)
            await connection.commit()
            roles = await _staying(connection)
        if roles:
            who = ", ".join(sorted(set(roles)))
            raise BackupFailed(
                f"{self.name} is in use ({len(roles)} connections, of {who}): stop its API and worker first"
            )

    async def put_aside(self) -> None:
        """Put aside what is there, once it is shut."""
        async with self.connected() as connection:
            await connection.execute(text(f"DROP TABLE {IN_PLACE}"))
            if await _has(connection, "public.alembic_version"):
                await connection.execute(text(f'ALTER TABLE public.alembic_version SET SCHEMA "{BEING_RESTORED}"'))
            await _rename(connection, SCHEMAS, "", ASIDE)
            await connection.commit()

    async def undo(self) -> None:
        """Have it as it was before, if something stands aside; and let the others in."""
        async with self.connected() as connection:
            if await present(connection, ASIDE, MARKED):
                if not await _has(connection, IN_PLACE):
                    await _bring_back(connection)
                await connection.execute(text(f"DROP TABLE IF EXISTS {IN_PLACE}"))
                await connection.execute(text(f'DROP SCHEMA "{BEING_RESTORED}"'))
            await _let_in(connection)
            await connection.commit()

    async def settle(self) -> None:
        """The copies are all in: what stands aside is not brought back any more, and the others are let in."""
        async with self.connected() as connection:
            await _rename(connection, (MARKED, *SCHEMAS), ASIDE, REPLACED)
            await _let_in(connection)
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
        try:
            async with connected(self._url) as connection:
                yield connection
        except DATABASE_FAULTS as error:
            raise BackupFailed(f"the database of {self.name}: {said(error)}") from error


async def present(connection: AsyncConnection, suffix: str = "", *of: str) -> list[str]:
    """Those of the schemas that are there, with that suffix."""
    asked = {"schemas": [f"{schema}{suffix}" for schema in of or SCHEMAS]}
    return list((await connection.execute(_PRESENT, asked)).scalars())


def quoted(name: str) -> str:
    """A name in a statement."""
    return '"' + name.replace('"', '""') + '"'


async def _let_in(connection: AsyncConnection) -> None:
    database, roles = await _to_be_let_in(connection)
    await connection.execute(text(f"GRANT CONNECT ON DATABASE {database} TO {roles}"))


async def _let_nobody_in(connection: AsyncConnection) -> None:
    """Everybody may connect to a database that was made by hand, and to none of ours."""
    database, roles = await _to_be_let_in(connection)
    await connection.execute(text(f"REVOKE CONNECT ON DATABASE {database} FROM PUBLIC, {roles}"))


async def _to_be_let_in(connection: AsyncConnection) -> tuple[str, str]:
    """The database, and the roles by which its service comes, as statements name them."""
    database = (await connection.execute(_DATABASE)).scalar_one()
    return quoted(database), f"{quoted(f'{database}_app')}, {quoted(f'{database}_feed')}"


async def _bring_back(connection: AsyncConnection) -> None:
    """Drop what came in, and have in its place what stands aside."""
    for schema in await present(connection):
        await connection.execute(text(f'DROP SCHEMA "{schema}" CASCADE'))
    await connection.execute(text("DROP TABLE IF EXISTS public.alembic_version"))
    versions = f'"{BEING_RESTORED}".alembic_version'
    if await _has(connection, versions):
        await connection.execute(text(f"ALTER TABLE {versions} SET SCHEMA public"))
    await _rename(connection, SCHEMAS, ASIDE, "")


async def _has(connection: AsyncConnection, table: str) -> bool:
    return bool((await connection.execute(_TABLE, {"name": table})).scalar_one())


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
