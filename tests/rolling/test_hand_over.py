"""A worker's standby, as processes: what one leaves is done at once, what a killed one had, when its lease is over."""

import asyncio
import signal
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest

from steerco_servers.testing import TemporaryPostgres
from tests.rolling.fleet import END_STEPS, fleet_of
from tests.rolling.load import Load
from tests.rolling.standing import reported, seen, until_seen, written

pytestmark = pytest.mark.kafka

HOUR = 3600.0
SHORTEST = 5.0
"""So many seconds a lease lasts at least."""

SHIPS = 5

type Steps = Sequence[tuple[signal.Signals, float]]


@pytest.mark.parametrize(
    ("name", "steps", "lease_seconds"),
    [("stopped", END_STEPS, HOUR), ("killed", (), SHORTEST)],
    ids=["told to end, however long the leases would last", "killed"],
)
async def test_all_that_a_worker_did_is_done_by_its_standby(
    name: str, steps: Steps, lease_seconds: float, postgres: TemporaryPostgres, broker: str, tmp_path: Path
) -> None:
    async with fleet_of(name, postgres, broker, tmp_path, lease_seconds) as fleet:
        load, start = Load(fleet), partial(fleet.start_worker, "before")
        *leaders, _ = await asyncio.gather(start("dock"), start("harbor"), fleet.start_api("before"))
        await asyncio.gather(start("dock"), start("harbor"))
        for leader in (None, *leaders):
            if leader:
                await leader.stop(steps)
            async with load.running():
                await load.more(SHIPS)
            docks = (await written(fleet)).docks
            for look in (partial(seen, fleet, "before", "dock"), partial(seen, fleet, "before", "harbor")):
                await until_seen(look, docks)
            await until_seen(partial(reported, fleet), docks)
