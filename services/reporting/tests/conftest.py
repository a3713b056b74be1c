"""Reporting over half a year of a small commission, as five logs tell it."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import httpx
import pytest
from sqlalchemy import text

from steerco_events.clock import ManualClock
from steerco_reporting.app import SERVICE
from steerco_servers.testing import TemporaryPostgres
from steerco_service.testkit.commission import BEGIN, tell_half_a_year
from steerco_service.testkit.serving import Served, log_only, serving

type HeldBack = Callable[[], AbstractAsyncContextManager[None]]

LOGS = ("intake", "portfolio", "finance", "risk", "training")


@pytest.fixture(scope="session")
async def clock() -> ManualClock:
    return ManualClock(BEGIN)


@pytest.fixture(scope="session")
async def served(postgres: TemporaryPostgres, clock: ManualClock) -> AsyncIterator[Served]:
    async with serving([SERVICE, *(log_only(name) for name in LOGS)], postgres, clock) as running:
        await tell_half_a_year(running, clock)
        yield running


@pytest.fixture(scope="session")
async def reporting(served: Served) -> httpx.AsyncClient:
    return await served.client("reporting")


@pytest.fixture(scope="session")
def held_back(served: Served) -> HeldBack:
    """Inside, reporting's live view learns of nothing more, nor gives way to another build; it answers all the same."""

    @asynccontextmanager
    async def holding() -> AsyncIterator[None]:
        runtime = served.runtime("reporting")
        async with runtime.engine.begin() as tx:
            consumer = (await runtime.builds.live(tx)).checkpoints.consumer
            await tx.execute(text("SELECT 1 FROM log.checkpoints WHERE consumer = :it FOR UPDATE"), {"it": consumer})
            yield

    return holding
