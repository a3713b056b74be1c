"""All services together, in the tests' process, over real databases."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest
from xdist.scheduler import LoadFileScheduling

from steerco.edition.services import SERVICES
from steerco_servers.testing import TemporaryPostgres
from steerco_service.testkit.serving import Served, serving

SHARING = {
    "an edition with the example": ("tests/editions/test_archives.py", "tests/editions/test_embedded.py"),
    "an edition of processes": ("tests/distributed/",),
    "a Keycloak": (
        "tests/access/test_issuer",
        "tests/docs/test_identity_provider.py",
        "apps/steerco/tests/test_login.py",
    ),
}
"""What is started once for the specs of these."""

type Client = Callable[[str], Awaitable[httpx.AsyncClient]]


@pytest.fixture(scope="module")
async def served(postgres: TemporaryPostgres) -> AsyncIterator[Served]:
    """Every service of Steerco; a fresh one for each module of tests."""
    async with serving(SERVICES, postgres) as running:
        yield running


@pytest.fixture(scope="module")
async def clients(served: Served) -> dict[str, httpx.AsyncClient]:
    """A client of each service."""
    return {service.name: await served.client(service.name) for service in SERVICES}


@pytest.fixture(scope="session")
def openapi() -> Callable[[Served], dict[str, dict[str, Any]]]:
    """The OpenAPI description of each service."""
    return lambda served: {name: app.openapi() for name, app in served.apps.items()}


class Scheduling(LoadFileScheduling):
    """Specs of a file go to one process, as do those of files that share what is slow to start."""

    def _split_scope(self, nodeid: str) -> str:
        return next(
            (shared for shared, files in SHARING.items() if nodeid.startswith(files)), nodeid.partition("::")[0]
        )


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduling:
    """How specs are given to processes."""
    return Scheduling(config, log)
