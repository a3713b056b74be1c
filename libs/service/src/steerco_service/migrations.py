"""Bringing a service's database to its newest schema, by Alembic, as the owner role."""

import asyncio
from collections.abc import Sequence
from importlib.resources import files

from alembic import command, op
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from steerco_events.postgres.schema import log_statements
from steerco_service.mirror.store import MIRROR_STATEMENTS

_ONE_AT_A_TIME = asyncio.Lock()
"""Alembic's context is global to the process: two upgrades at once would mix their databases."""

LOCK_MILLISECONDS = 500
"""How long a table is waited for at once. Whoever comes after that waits, too; and PostgreSQL looks for deadlocks after
a second only, so it is the migration that gives way in one."""

PAUSE_SECONDS = 0.5
TRIES = 60

_LOCK_NOT_AVAILABLE = "55P03"

BEING_RESTORED = "public_before_restore"
"""The schema that stands in a database while its copy comes in; one that is left is of a restore that was cut off."""

_RESTORED = text("SELECT current_database() WHERE to_regnamespace(:schema) IS NOT NULL")


class MigrationGaveWay(Exception):
    """Others used a table all the time that a migration needs for itself. Nothing was changed."""


class RestoreCutOff(Exception):
    """A restore into the database did not come to its end: what is in it is neither what was there nor the copy."""


async def migrate(package: str, owner_url: str, revision: str = "head") -> None:
    """Upgrade the database at `owner_url` to the newest revision of a package of migrations, or to another.

    All of it or nothing. Whoever works on the database goes on meanwhile: what is in the way is waited for little by
    little. Raises `MigrationGaveWay`, `RestoreCutOff`.
    """
    engine = create_async_engine(owner_url, poolclass=NullPool)
    try:
        for _ in range(TRIES):
            try:
                async with _ONE_AT_A_TIME, engine.begin() as connection:
                    await connection.execute(text("SELECT pg_advisory_xact_lock(7)"))
                    await _refuse_cut_off(connection)
                    await connection.execute(text(f"SET LOCAL lock_timeout = {LOCK_MILLISECONDS}"))
                    await connection.run_sync(_upgrade, package, revision)
                    await _show_revision(connection)
                return
            except DBAPIError as error:
                if getattr(error.orig, "sqlstate", None) != _LOCK_NOT_AVAILABLE:
                    raise
            await asyncio.sleep(PAUSE_SECONDS)
        raise MigrationGaveWay("a table is in use all the time; nothing was changed: migrate again when less is done")
    finally:
        await engine.dispose()


async def _refuse_cut_off(connection: AsyncConnection) -> None:
    found = await connection.execute(_RESTORED, {"schema": BEING_RESTORED})
    if (database := found.scalar()) is not None:
        raise RestoreCutOff(f"a restore into {database} has not ended: if it was cut off, run it again with --replace")


def revisions_of(package: str) -> Sequence[str]:
    """The revisions of a package of migrations, the first first."""
    walked = ScriptDirectory(str(files(package))).walk_revisions()
    return [script.revision for script in walked][::-1]


def _upgrade(connection: Connection, package: str, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(files(package)))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


async def _show_revision(connection: AsyncConnection) -> None:
    """Let the app role named after the database see what it is migrated to."""
    database = (await connection.execute(text("SELECT current_database()"))).scalar_one()
    await connection.exec_driver_sql(f'GRANT SELECT ON public.alembic_version TO "{database}_app"')


def run_environment() -> None:
    """What the `env.py` of every service does: migrate on the connection that `migrate()` opened."""
    from alembic import context

    connection = context.config.attributes["connection"]
    context.configure(connection=connection, version_table="alembic_version")
    with context.begin_transaction():
        context.run_migrations()


def upgrade_log(revision: int) -> None:
    """Bring the log to a revision of its own, granted to the roles named after the database."""
    database = op.get_bind().execute(text("SELECT current_database()")).scalar_one()
    for statement in log_statements(f"{database}_app", f"{database}_feed", revision):
        op.get_bind().exec_driver_sql(statement)


def make_mirror() -> None:
    """Make the tables of what is received of the logs, granted to the app role named after the database."""
    database = op.get_bind().execute(text("SELECT current_database()")).scalar_one()
    for statement in MIRROR_STATEMENTS:
        op.get_bind().exec_driver_sql(statement.replace("{app}", f"{database}_app"))
