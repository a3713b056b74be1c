"""A database is migrated while others work on it, and holds up none of them for long."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from steerco_servers.provisioning import ServiceDatabase
from steerco_servers.testing import TemporaryPostgres
from steerco_service import migrations
from steerco_service.migrations import MigrationGaveWay, migrate, revisions_of

PACKAGE = "steerco_service.testkit.migrations"
PATIENCE = 30.0
FOR_EVER = 10_000


@pytest.fixture
async def database(postgres: TemporaryPostgres) -> AsyncIterator[ServiceDatabase]:
    """A database that lacks a revision which alters the table of events, the third, and what came later."""
    async with postgres.databases("risk") as databases:
        await migrate(PACKAGE, databases["risk"].owner_url, revisions_of(PACKAGE)[1])
        yield databases["risk"]


@pytest.fixture
async def engine(database: ServiceDatabase) -> AsyncIterator[AsyncEngine]:
    engine = create_async_engine(database.app_url, poolclass=NullPool)
    yield engine
    await engine.dispose()


async def read(connection: AsyncConnection) -> None:
    """Look at events, as every command does; their table can't be altered before the transaction ends."""
    await connection.execute(text("SELECT 1 FROM log.events"))


async def migration_waits(engine: AsyncEngine) -> bool:
    async with engine.connect() as connection:
        query = text("SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'log.events'::regclass")
        return (await connection.execute(query)).first() is not None


async def test_who_comes_while_a_migration_waits_for_another_does_not_wait_for_both(
    database: ServiceDatabase, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "TRIES", FOR_EVER)
    async with engine.connect() as slow:
        await read(slow)
        migrating = asyncio.create_task(migrate(PACKAGE, database.owner_url))
        async with asyncio.timeout(PATIENCE):
            while not await migration_waits(engine):
                await asyncio.sleep(0.005)
            async with engine.connect() as next_one:
                await read(next_one)
        assert not migrating.done()
    async with asyncio.timeout(PATIENCE):
        await migrating
    async with engine.connect() as connection:
        newest = (await connection.execute(text("SELECT on_behalf_of FROM log.events"))).all()
    assert newest == []


async def test_a_migration_that_never_gets_a_table_says_so_and_leaves_all_as_it_was(
    database: ServiceDatabase, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "TRIES", 1)
    async with engine.connect() as slow:
        await read(slow)
        with pytest.raises(MigrationGaveWay, match="nothing was changed"):
            await migrate(PACKAGE, database.owner_url)
    await migrate(PACKAGE, database.owner_url)
