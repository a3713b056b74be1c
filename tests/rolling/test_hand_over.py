"""A worker's standby, as processes: what one leaves is done at once, what a killed one had, when its lease is over."""

import asyncio
from functools import partial
from pathlib import Path

import pytest

from steerco_servers.testing import TemporaryPostgres
from tests.rolling.fleet import Fleet, fleet_of
from tests.rolling.load import Load
from tests.rolling.standing import parked, reported, seen, until_seen, written

pytestmark = pytest.mark.kafka

HOUR = 3600.0
"""So many seconds the leases last that nobody waits for."""

SHORTEST = 5.0
"""So many a lease lasts at least."""

SHIPS = 5


async def all_is_done(fleet: Fleet, load: Load) -> None:
    """Let ships come in; return when their events are sealed, published, in both views and reacted to."""
    async with load.running():
        await load.more(SHIPS)
    docks = (await written(fleet)).docks
    for look in (
        partial(seen, fleet, "before", "dock"),
        partial(seen, fleet, "before", "harbor"),
        partial(reported, fleet),
    ):
        await until_seen(look, docks)


async def test_all_that_a_worker_did_is_done_by_its_standby(
    postgres: TemporaryPostgres, broker: str, tmp_path: Path
) -> None:
    async with fleet_of("standby", postgres, broker, tmp_path) as fleet:
        load, start = Load(fleet), partial(fleet.start_worker, "before")
        fleet.lease_seconds = HOUR
        *first, _ = await asyncio.gather(start("dock"), start("harbor"), fleet.start_api("before"))
        await all_is_done(fleet, load)
        fleet.lease_seconds = SHORTEST
        second = await asyncio.gather(start("dock"), start("harbor"))
        await asyncio.gather(*map(fleet.end, first))
        await all_is_done(fleet, load)
        await asyncio.gather(start("dock"), start("harbor"))
        await asyncio.gather(*map(fleet.kill, second))
        await all_is_done(fleet, load)
        assert await parked(fleet, "dock") == await parked(fleet, "harbor") == []
