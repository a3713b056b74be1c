"""A generation that is opened while the log is being sealed: each seal is of the generation that its events are of."""

import asyncio

import pytest
from sqlalchemy import text

from steerco_events.archive.verifying import verify
from steerco_events.archive.writing import archive
from steerco_events.ports import Cursor
from steerco_events.postgres.generations import open_generation
from steerco_events.postgres.sealer import Sealed, Superseded
from steerco_events.testkit.logs import Log, until, waits_for_a_lock
from steerco_events.testkit.tally import Counted

ONE = Counted(by=1)


async def somebody_waits(log: Log) -> bool:
    async with log.engine.connect() as connection:
        return await waits_for_a_lock(connection)


async def test_a_seal_under_way_while_a_generation_is_opened_comes_to_nothing(log: Log) -> None:
    await log.append("tally-1", ONE, ONE)
    await log.seal()
    await log.append("tally-1", ONE)
    await log.sealer.start()
    async with log.engine.begin() as between:
        await between.execute(text("SELECT 1 FROM log.leases WHERE name = 'sealer' FOR UPDATE"))
        scanning = asyncio.create_task(log.sealer.scan())
        await until(lambda: somebody_waits(log), "the scan has read the head and waits for its lease")
        async with log.engine.begin() as tx:
            await open_generation(tx, 2, 2)
    with pytest.raises(Superseded):
        await scanning
    await log.sealer.start()
    assert await log.sealer.scan() == Sealed(1, pending=False)
    events = (await log.feed().read(Cursor(), 10)).events
    assert [event.generation for event in events] == [1, 1, 2]
    verified = verify([line async for line in archive(log.engine, log.service, log.registry)])
    assert (verified.events, verified.seals) == (3, 2)
