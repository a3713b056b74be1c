"""The short pass: one round of the faults that heal quickly, on one cluster; `make faults` goes through all, again."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.faults.faults import (
    ApiKilled,
    ApiPaused,
    ClockBack,
    ConsumerKilled,
    Fault,
    PostgresKilledForAMoment,
    WorkerKilled,
)
from tests.faults.network import Duplicated, NetworkCut
from tests.faults.refusing import Poison
from tests.faults.rounds import run_round, scene_of
from tests.faults.scene import Scene

QUICK = (
    WorkerKilled,
    ConsumerKilled,
    ApiKilled,
    PostgresKilledForAMoment,
    NetworkCut,
    Duplicated,
    ApiPaused,
    ClockBack,
    Poison,
)


@pytest.fixture(scope="module")
async def scene(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    """A cluster of real processes, under load."""
    logs: Path = tmp_path_factory.mktemp("faults")
    async with scene_of(seed=1, keep=logs) as running:
        yield running


@pytest.mark.kafka
@pytest.mark.parametrize("fault", [pytest.param(each, id=each.name) for each in QUICK])
async def test_nothing_is_lost_doubled_or_out_of_order_after(scene: Scene, fault: type[Fault]) -> None:
    assert (await run_round(scene, fault())).findings == ()
