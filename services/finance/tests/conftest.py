"""Finance beside the log of portfolio, over a real database."""

from collections.abc import AsyncIterator, Awaitable, Callable
from uuid import UUID

import httpx
import pytest

from steerco_events.contracts.portfolio import ProjectRegistered, ProjectState
from steerco_events.ids import derived_id, new_id
from steerco_finance.app import SERVICE
from steerco_servers.testing import TemporaryPostgres
from steerco_service.testkit.serving import Served, log_only, serving


@pytest.fixture(scope="session")
async def served(postgres: TemporaryPostgres) -> AsyncIterator[Served]:
    """Finance runs."""
    async with serving([SERVICE, log_only("portfolio")], postgres) as running:
        yield running


@pytest.fixture(scope="session")
async def finance(served: Served) -> httpx.AsyncClient:
    """A client of finance."""
    return await served.client("finance")


@pytest.fixture(scope="session")
async def project(served: Served) -> Callable[..., Awaitable[UUID]]:
    """Registers a project in portfolio's log; its id, when finance has heard of it."""

    async def registered(currency: str = "EUR", state: ProjectState = "executing") -> UUID:
        project_id = new_id()
        event = ProjectRegistered(
            project_id=project_id,
            code=f"P-{project_id.hex[-8:]}",
            title="A project",
            unit_id=derived_id("unit", "LIC"),
            currency=currency,
            state=state,
            source="register",
            reference=str(project_id),
        )
        await served.append("portfolio", f"project-{project_id}", event)
        await served.settled()
        return project_id

    return registered
