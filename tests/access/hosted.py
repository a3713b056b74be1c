"""The services where an issuer is trusted, and who asks them with its tokens."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from steerco.edition.services import SERVICES
from steerco_service.access.groups import group_roles
from steerco_service.testkit.serving import Served
from tests.access.issuers import Trusted

LISTED = {
    "intake": ("/pitches", "pitch"),
    "portfolio": ("/projects", "project"),
    "finance": ("/postings", "posting"),
    "risk": ("/risks", "risk"),
    "training": ("/obligations", "obligation"),
    "reporting": ("/register", "project"),
}
"""A list of each service, and what of a world is in it."""

NAMES = [service.name for service in SERVICES]


@dataclass(frozen=True)
class Hosted:
    """A client of every service where an issuer's tokens are taken."""

    clients: Mapping[str, httpx.AsyncClient]
    issuer: Trusted

    async def ask(self, service: str, whose: str, path: str, method: str = "GET", **request: Any) -> httpx.Response:
        """Ask with the token that the issuer gave to somebody."""
        return await self.shown(service, self.issuer.tokens[whose], path, method, **request)

    async def shown(self, service: str, token: str, path: str, method: str = "GET", **request: Any) -> httpx.Response:
        """Ask with any token; with none if it is empty."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return await self.clients[service].request(method, path, headers=headers, **request)

    async def all_answer(self, status: int, token: str) -> None:
        """Every service answers a token so."""
        for service in NAMES:
            answer = await self.shown(service, token, LISTED[service][0])
            assert answer.status_code == status, (service, answer.text)


async def hosted(served: Served, issuer: Trusted, groups: str = "") -> Hosted:
    """The services that run, where this issuer is trusted and its groups are these roles."""
    apps = served.trusting(issuer.authenticator, group_roles(groups))
    clients = {
        name: httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=f"http://{name}", timeout=60)
        for name, app in apps.items()
    }
    for each in clients.values():
        await served.stack.enter_async_context(each)
    return Hosted(clients, issuer)
