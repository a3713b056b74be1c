"""Portfolio beside the log of intake, over a real database, with a small organization."""

from collections.abc import AsyncIterator

import httpx
import pytest

from steerco_events.ids import derived_id
from steerco_portfolio.app import SERVICE
from steerco_servers.testing import TemporaryPostgres
from steerco_service.testkit.serving import Served, log_only, serving


@pytest.fixture(scope="session")
async def served(postgres: TemporaryPostgres) -> AsyncIterator[Served]:
    """Portfolio runs; its organization is COM with the business units MKT and LIC."""
    async with serving([SERVICE, log_only("intake")], postgres) as running:
        client = await running.client("portfolio")
        for code in ("COM", "MKT", "LIC"):
            above = {"kind": "business_unit", "parent_id": str(derived_id("unit", "COM"))}
            body = {"unit_id": str(derived_id("unit", code)), "code": code, "name": code}
            answer = await client.post("/units", json=body | ({"kind": "enterprise"} if code == "COM" else above))
            assert answer.status_code == 201, answer.text
        yield running


@pytest.fixture(scope="session")
async def portfolio(served: Served) -> httpx.AsyncClient:
    """A client of portfolio."""
    return await served.client("portfolio")
