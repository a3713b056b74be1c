"""A service that listens, and who asks it for its events by what they may see."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import httpx

from steerco_events.clock import SystemClock
from steerco_events.contracts.portfolio import AppointmentMade
from steerco_events.contracts.risk import RiskClosed
from steerco_events.ids import derived_id
from steerco_events.positions import Token
from steerco_service.identity.principal import Principal
from steerco_service.testkit.blocks import PATIENCE, Reader
from steerco_service.testkit.listening import Listening
from steerco_service.testkit.scopes import appointed, made, somebody
from steerco_service.testkit.serving import Served


@dataclass(frozen=True)
class Asked:
    """A service that listens, and who asks it."""

    served: Served
    server: Listening

    async def happened(self, name: str, *units: UUID) -> Token:
        """An event of a stream, stamped with units."""
        risk_id = derived_id("risk", name)
        return await self.served.append("risk", name, RiskClosed(risk_id=risk_id, project_id=risk_id), units=units)

    @asynccontextmanager
    async def client(self, person: Principal) -> AsyncIterator[httpx.AsyncClient]:
        """By which that person asks."""
        token = self.served.issuer.token(person, SystemClock().now(), timedelta(hours=1))
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(base_url=self.server.url, headers=headers, timeout=PATIENCE) as client:
            yield client

    @asynccontextmanager
    async def stream(self, person: Principal, query: str = "") -> AsyncIterator[Reader]:
        """A stream as that person is given it."""
        headers = {"Accept": "text/event-stream"}
        async with (
            self.client(person) as client,
            client.stream("GET", f"/events{query}", headers=headers) as response,
        ):
            assert response.status_code == 200, await response.aread()
            yield Reader(response)

    async def viewer(self, *units: UUID) -> tuple[Principal, Sequence[AppointmentMade]]:
        """Somebody who may see these units, and by which appointments."""
        person = somebody()
        appointments = [made(person, unit_id=each) for each in units]
        await appointed(self.served, *appointments)
        return person, appointments
