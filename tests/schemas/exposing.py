"""Every service behind a port of its own, with an administrator's token and what there is to be named."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from steerco.edition.services import SERVICES
from steerco_events.clock import SystemClock
from steerco_servers.testing import TemporaryPostgres
from steerco_service.edge.buckets import Rate
from steerco_service.edge.front import Edge
from steerco_service.runtime import Service
from steerco_service.testkit.listening import listening
from steerco_service.testkit.serving import TESTER, serving
from tests.access.worlds import World, created, world
from tests.schemas.described import described

NO_LIMIT = Edge(rate=Rate(per_second=1e6, at_once=1_000_000))
"""Who asks as fast as it can is not to hear of that alone."""


@dataclass(frozen=True, slots=True)
class Exposed:
    """A service: where it listens, its OpenAPI, and what there is by the name of the parameter that it is named in."""

    name: str
    url: str
    document: Mapping[str, Any]
    known: Mapping[str, Sequence[str]]
    token: str
    """Of who may do all."""


@asynccontextmanager
async def exposed(postgres: TemporaryPostgres) -> AsyncIterator[Mapping[str, Exposed]]:
    """Each service, by name, over new databases with two worlds in them."""
    async with serving(SERVICES, postgres) as served:
        clients = {each.name: await served.client(each.name) for each in SERVICES}
        enterprise = await created(clients["portfolio"], "/units", code="ENT", name="Enterprise", kind="enterprise")
        worlds = [await world(served, clients, enterprise, code) for code in ("ALPHA", "OMEGA")]
        renamed = await clients["portfolio"].put(f"/units/{enterprise}/name", json={"name": "The enterprise"})
        seen = renamed.headers["Consistency-Token"]
        token = served.issuer.token(TESTER, SystemClock().now(), timedelta(days=1))
        found = {}
        for service in SERVICES:
            app, known = served.apps[service.name], _known(service, worlds, seen)
            running = await served.stack.enter_async_context(listening(NO_LIMIT.before(app), log_level="error"))
            document = described(app, worlds[0], known)
            found[service.name] = Exposed(service.name, running.url, document, known, token)
        yield found


def _known(service: Service, worlds: Sequence[World], seen: str) -> Mapping[str, Sequence[str]]:
    """What parameters can name, besides what operations answer with."""
    reactions = [each.name for each in service.reactions] or ["nothing"]
    return {
        "unit_id": [each for one in worlds for each in (one.unit, one.department)],
        "unit": [each for one in worlds for each in (one.unit, f"{one.code}-dep")],
        "parent_id": [one.unit for one in worlds],
        "project_id": [one.project for one in worlds],
        "pitch_id": [one.pitch for one in worlds],
        "risk_id": [one.risk for one in worlds],
        "posting_id": [one.posting for one in worlds],
        "completion_id": [one.completion for one in worlds],
        "person_id": [str(one.manager) for one in worlds],
        "obligation_id": [one.obligation for one in worlds],
        "appointment_id": [one.appointment for one in worlds],
        "view": [service.view.name],
        "name": reactions,
        "consumer": reactions,
        "service": [each.service for each in service.reactions] or ["nothing"],
        "stream": [f"project-{one.project}" for one in worlds],
        "project": [f"{one.code}-01" for one in worlds],
        "scope": ["enterprise", *(f"{one.code}-unit" for one in worlds)],
        "course": ["project-management-essentials"],
        "If-Match": ["*"],
        "consistency-token": [seen],
    }
