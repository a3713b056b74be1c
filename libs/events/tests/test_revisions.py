"""A log of an older revision of the schema is brought to the newest with all that it holds."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from steerco_events.archive.verifying import verify
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

SEAL = "INSERT INTO log.seals (last, first, sealed_at, epoch) VALUES (:last, :first, clock_timestamp(), 1)"
HEAD = "UPDATE log.head SET position = 5, watermark = (SELECT max(sealed_at) FROM log.seals)"


async def upgrade(urls: Urls, revision: int) -> None:
    owner = create_async_engine(urls.owner_url, poolclass=NullPool)
    async with owner.begin() as tx:
        for statement in log_statements(f"{urls.name}_app", f"{urls.name}_feed", revision):
            await tx.exec_driver_sql(statement)


def context() -> Context:
    command_id = new_id()
    actor = Actor(derived_id("person", "tester"), "PMO officer")
    return Context(command_id, actor, "tests", SystemClock().now(), command_id, command_id)


async def test_seals_of_the_first_revision_get_the_hashes_of_what_they_sealed(postgres: TemporaryPostgres) -> None:
    service = f"tally_{new_id().hex[-12:]}"
    async with postgres.databases(service) as databases:
        urls = databases[service]
        first, *later = REVISIONS
        await upgrade(urls, first)
        engine = create_async_engine(urls.app_url, poolclass=NullPool)
        store = EventStore(service, TALLY)
        async with engine.begin() as tx:
            await store.append(tx, [Write("tally-1", 0, [Counted(by=n) for n in range(5)])], context())
        for bounds in ({"first": 1, "last": 3}, {"first": 4, "last": 5}):
            async with engine.begin() as tx:
                await tx.execute(text(SEAL), bounds)
        async with engine.begin() as tx:
            await tx.execute(text(HEAD))
        for revision in later:
            await upgrade(urls, revision)
        async with engine.begin() as tx:
            await store.append(tx, [Write("tally-1", 5, [Counted(by=6)])], context())
        sealer = Sealer(engine, SystemClock(), Lease("sealer"))
        assert await sealer.start()
        await sealer.scan()
        verified = verify([line async for line in archive(engine, service, TALLY)])
    assert (verified.events, verified.seals) == (6, 3)
