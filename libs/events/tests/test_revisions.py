"""A log of an older revision of the schema is brought to the newest with all that it holds."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from steerco_events.archive.verifying import Verified, verify
from steerco_events.archive.writing import archive
from steerco_events.clock import SystemClock
from steerco_events.envelope import Actor, Context
from steerco_events.ids import derived_id, new_id
from steerco_events.postgres.lease import Lease
from steerco_events.postgres.schema import REVISIONS, log_statements
from steerco_events.postgres.sealer import Sealer
from steerco_events.postgres.store import EventStore, Write
from steerco_events.testkit.logs import Urls
from steerco_events.testkit.tally import TALLY, Counted
from steerco_servers.testing import TemporaryPostgres

PERSON = derived_id("person", "manager")

SEAL = "INSERT INTO log.seals (last, first, sealed_at, epoch) VALUES (:last, :first, clock_timestamp(), 1)"
HEAD = "UPDATE log.head SET position = 5, watermark = (SELECT max(sealed_at) FROM log.seals)"
STREAM = "INSERT INTO log.streams (stream, version) VALUES ('tally-1', 5)"
EVENTS = (
    "INSERT INTO log.events (id, stream, stream_version, partition, type, schema_version, recorded_at, actor,"
    " actor_title, client, reason, correlation_id, causation_id, org_units, data)"
    " SELECT gen_random_uuid(), 'tally-1', n, 3, 'steerco.tally.counted', 1, now(), gen_random_uuid(), 'PMO officer',"
    " 'tests', 'Why', gen_random_uuid(), gen_random_uuid(), ARRAY[gen_random_uuid()], convert_to('{\"by\": 1}', 'UTF8')"
    " FROM generate_series(1, 5) AS n"
)


async def upgrade(urls: Urls, revision: int) -> None:
    owner = create_async_engine(urls.owner_url, poolclass=NullPool)
    async with owner.begin() as tx:
        for statement in log_statements(f"{urls.name}_app", f"{urls.name}_feed", revision):
            await tx.exec_driver_sql(statement)


def context() -> Context:
    command_id = new_id()
    actor = Actor(derived_id("person", "tester"), "PMO officer")
    return Context(command_id, actor, "tests", SystemClock().now(), command_id, command_id)


@dataclass
class OldLog:
    """A log whose schema is of an older revision, with five events; nothing of them is sealed yet."""

    service: str
    urls: Urls
    engine: AsyncEngine
    sealer: Sealer

    async def does(self, statement: str, **values: int) -> None:
        async with self.engine.begin() as tx:
            await tx.execute(text(statement), values)

    async def seal(self) -> None:
        assert await self.sealer.start()
        await self.sealer.scan()

    async def append(self, version: int, about: Context) -> None:
        async with self.engine.begin() as tx:
            await EventStore(self.service, TALLY).append(tx, [Write("tally-1", version, [Counted(by=6)])], about)

    async def verified(self) -> Verified:
        return verify([line async for line in archive(self.engine, self.service, TALLY)])


@asynccontextmanager
async def log_of(postgres: TemporaryPostgres, *revisions: int) -> AsyncIterator[OldLog]:
    service = f"tally_{new_id().hex[-12:]}"
    async with postgres.databases(service) as databases:
        for revision in revisions:
            await upgrade(databases[service], revision)
        engine = create_async_engine(databases[service].app_url, poolclass=NullPool)
        log = OldLog(service, databases[service], engine, Sealer(engine, SystemClock(), Lease("sealer")))
        await log.does(STREAM)
        await log.does(EVENTS)
        yield log


async def test_seals_of_the_first_revision_get_the_hashes_of_what_they_sealed(postgres: TemporaryPostgres) -> None:
    first, *later = REVISIONS
    async with log_of(postgres, first) as log:
        await log.does(SEAL, first=1, last=3)
        await log.does(SEAL, first=4, last=5)
        await log.does(HEAD)
        for revision in later:
            await upgrade(log.urls, revision)
        await log.append(5, context())
        await log.seal()
        verified = await log.verified()
    assert (verified.events, verified.seals) == (6, 3)


async def test_what_was_sealed_before_events_said_on_whose_behalf_keeps_its_hash(postgres: TemporaryPostgres) -> None:
    async with log_of(postgres, 1, 2) as log:
        await log.seal()
        await upgrade(log.urls, 3)
        await log.append(5, context())
        await log.append(6, replace(context(), on_behalf_of=PERSON))
        await log.seal()
        verified = await log.verified()
        async with log.engine.connect() as connection:
            stored = await EventStore(log.service, TALLY).read_events(connection, "tally-1")
    assert (verified.events, verified.seals) == (7, 2)
    assert [event.on_behalf_of for event in stored] == [None] * 6 + [PERSON]
