"""A service over a database for which nobody works: nothing comes into its view but what a test brings."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import httpx
from fastapi import FastAPI

from steerco_events.clock import SystemClock
from steerco_events.contracts.catalog import CATALOG
from steerco_events.projections.builds import Build
from steerco_service.hosting import DatabaseUrls, Host
from steerco_service.identity.authenticator import Authenticator
from steerco_service.identity.issuer import Issuer
from steerco_service.identity.keys import KnownKeys
from steerco_service.identity.principal import Principal
from steerco_service.runtime import Runtime
from steerco_service.testkit.scopes import SCOPES
from steerco_service.testkit.serving import Server, with_access


def client_of(app: FastAPI, issuer: Issuer, person: Principal) -> httpx.AsyncClient:
    """A client of an application."""
    token = issuer.token(person, SystemClock().now(), timedelta(hours=1))
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app),
        base_url="http://service",
        headers={"Authorization": f"Bearer {token}"},
    )


@asynccontextmanager
async def unattended(server: Server) -> AsyncIterator[tuple[Runtime, Issuer]]:
    """The service over a database for which nobody works."""
    issuer, clock = Issuer.generate(), SystemClock()
    services = with_access([SCOPES])
    async with server.databases(*(each.name for each in services)) as databases:
        urls = {name: DatabaseUrls(each.owner_url, each.app_url, each.feed_url) for name, each in databases.items()}
        host = Host(services, urls, CATALOG, clock, Authenticator(KnownKeys(issuer.public()), clock))
        await host.migrate()
        try:
            yield host.runtimes["scopes"], issuer
        finally:
            for runtime in host.runtimes.values():
                await runtime.close()


async def gone_live(runtime: Runtime) -> Build:
    """A build of the view that nobody brings forward."""
    async with runtime.engine.begin() as tx:
        build = await runtime.builds.begin(tx, runtime.clock.now())
        await runtime.builds.go_live(tx, build, runtime.clock.now())
    return build
