"""A service that listens, and the streams of its events."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx

from steerco_events.clock import SystemClock
from steerco_events.contracts.risk import RiskClosed
from steerco_events.ids import derived_id
from steerco_servers.testing import TemporaryPostgres
from steerco_service.testkit.blocks import PATIENCE, Reader
from steerco_service.testkit.listening import Listening, listening
from steerco_service.testkit.serving import TESTER, Served, log_only, serving

UNIT, NOBODY = derived_id("unit", 1), derived_id("unit", 2)
RISK = derived_id("risk", 1)


@dataclass(frozen=True)
class Open:
    """A service that listens, and its streams."""

    served: Served
    server: Listening
    client: httpx.AsyncClient

    @asynccontextmanager
    async def stream(self, query: str = "", **headers: str) -> AsyncIterator[Reader]:
        """A stream of its events, as it was asked for."""
        given = {"Accept": "text/event-stream"} | {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.client.stream("GET", f"/events{query}", headers=given) as response:
            assert response.headers["Content-Type"].startswith("text/event-stream"), await response.aread()
            yield Reader(response)

    async def close_risks(self, count: int) -> None:
        """So many more events."""
        for _ in range(count):
            await self.served.append("risk", f"risk-{RISK}", RiskClosed(risk_id=RISK, project_id=RISK), units=(UNIT,))

    async def all_events(self) -> Sequence[Any]:
        """What one page holds."""
        events: Sequence[Any] = (await self.client.get("/events?limit=1000")).json()
        return events

    def checked_out(self) -> bool:
        """Whether any connection to the database is in use."""
        return "Current Checked out connections: 0" not in self.served.runtime("risk").engine.pool.status()


@asynccontextmanager
async def opened(postgres: TemporaryPostgres, events: int) -> AsyncIterator[Open]:
    """Inside, a service with so many events listens."""
    async with serving([log_only("risk")], postgres) as served, listening(served.apps["risk"]) as server:
        token = served.issuer.token(TESTER, SystemClock().now(), timedelta(hours=1))
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(
            base_url=server.url, headers={"Authorization": f"Bearer {token}"}, timeout=PATIENCE, limits=limits
        ) as client:
            service = Open(served, server, client)
            await service.close_risks(events)
            await served.settled()
            yield service
