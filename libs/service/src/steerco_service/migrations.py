"""Bringing a service's database to its newest schema, by Alembic, as the owner role."""

import asyncio
from importlib.resources import files

from alembic import command, op
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from steerco_events.postgres.schema import log_statements

_ONE_AT_A_TIME = asyncio.Lock()
"""Alembic's context is global to the process: two upgrades at once would mix their databases."""


async def migrate(package: str, owner_url: str) -> None:
    """Upgrade the database at `owner_url` to the newest revision of a package of migrations."""
    engine = create_async_engine(owner_url, poolclass=NullPool)
    try:
        async with _ONE_AT_A_TIME, engine.begin() as connection:
            await connection.execute(text("SELECT pg_advisory_xact_lock(7)"))
            await connection.run_sync(_upgrade, package)
    finally:
        await engine.dispose()


def newest_revision(package: str) -> str:
    """The revision up to which a package of migrations brings a database."""
    return ScriptDirectory.from_config(_config(package)).get_current_head() or ""


def _upgrade(connection: Connection, package: str) -> None:
    config = _config(package)
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _config(package: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(files(package)))
    config.set_main_option("path_separator", "os")
    return config


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
