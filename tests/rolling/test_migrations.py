"""A migration only adds: the release before goes on working on the same database while the next one rolls out."""

from collections.abc import AsyncIterator, Sequence
from itertools import pairwise

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from steerco.edition.services import SERVICES
from steerco_servers.provisioning import ServiceDatabase
from steerco_servers.testing import TemporaryPostgres
from steerco_service.migrations import migrate, revisions_of
from steerco_service.privacy.key_database import MIGRATIONS as KEYS
from tests.rolling.contractions import Shape, contractions, shape_of
from tests.rolling.releases import MIGRATIONS

PACKAGES = [*(service.migrations for service in SERVICES), KEYS, MIGRATIONS["writing"]]
NEWEST_THAT_STOPPED_ALL = "0002"
"""The newest revision from before the rule: for it, nothing of the release before may run."""

STEPS = [
    (package, before, after)
    for package in PACKAGES
    for before, after in pairwise(revisions_of(package))
    if before >= NEWEST_THAT_STOPPED_ALL
]


@pytest.fixture
async def database(postgres: TemporaryPostgres) -> AsyncIterator[ServiceDatabase]:
    """A database that nothing was done to yet."""
    async with postgres.databases("upgraded") as databases:
        yield databases["upgraded"]


async def shape(database: ServiceDatabase) -> Shape:
    engine = create_async_engine(database.owner_url, poolclass=NullPool)
    async with engine.connect() as connection:
        return await shape_of(connection)


@pytest.mark.parametrize(("package", "before", "after"), STEPS)
async def test_a_migration_takes_nothing_from_the_release_before(
    database: ServiceDatabase, package: str, before: str, after: str
) -> None:
    await migrate(package, database.owner_url, before)
    then = await shape(database)
    await migrate(package, database.owner_url, after)
    assert list(contractions(then, await shape(database))) == []


async def test_a_migration_from_before_the_rule_is_found_out(database: ServiceDatabase) -> None:
    package = SERVICES[0].migrations
    await migrate(package, database.owner_url, "0001")
    then = await shape(database)
    await migrate(package, database.owner_url, "0002")
    found = set(contractions(then, await shape(database)))
    assert {
        "log.seals.hash has to be given",
        "log.checkpoints has no PRIMARY KEY (consumer, service) any more",
    } <= found


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("ALTER TABLE log.events ADD COLUMN berth text", []),
        ("ALTER TABLE log.events ADD COLUMN berth text NOT NULL DEFAULT ''", []),
        ("ALTER TABLE log.events ADD COLUMN berth text NOT NULL", ["log.events.berth has to be given"]),
        ("ALTER TABLE log.timers DROP COLUMN error", ["log.timers.error is gone"]),
        ("ALTER TABLE log.timers ALTER COLUMN error TYPE varchar", ["log.timers.error is of another type"]),
        ("ALTER TABLE log.timers ALTER COLUMN error SET NOT NULL", ["log.timers.error has to be given"]),
        ("ALTER TABLE log.timers RENAME TO alarms", ["log.timers is gone"]),
        (
            "ALTER TABLE log.timers ADD UNIQUE (set_by)",
            [
                "log.timers has CREATE UNIQUE INDEX ON log.timers USING btree (set_by), which rows of before need not"
                " keep",
                "log.timers has UNIQUE (set_by), which rows of before need not keep",
            ],
        ),
        ("REVOKE DELETE ON log.timers FROM {app}", ["log.timers: app may DELETE no more"]),
        ("DROP FUNCTION log.draw_beyond", ["log.draw_beyond(last bigint) is gone or gives no bigint any more"]),
        ("CREATE TABLE log.berths (ship text PRIMARY KEY)", []),
    ],
)
async def test_what_a_statement_takes_from_the_release_before(
    database: ServiceDatabase, statement: str, said: Sequence[str]
) -> None:
    await migrate(SERVICES[0].migrations, database.owner_url)
    then = await shape(database)
    engine = create_async_engine(database.owner_url, poolclass=NullPool)
    async with engine.begin() as tx:
        await tx.execute(text(statement.replace("{app}", f'"{database.name}_app"')))
    assert list(contractions(then, await shape(database))) == said
