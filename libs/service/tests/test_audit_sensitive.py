"""What is sensitive is answered only once it is recorded who asked; everything else is answered in any case."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from fastapi.responses import StreamingResponse
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from steerco_events.projections.model import View
from steerco_events.testkit.logs import until
from steerco_servers.testing import TemporaryPostgres
from steerco_service.access.permissions import PERMISSIONS, ROLES, Permission
from steerco_service.access.placed import ACCESS
from steerco_service.asking import Asker
from steerco_service.reading import Read
from steerco_service.routing import router
from steerco_service.runtime import Service
from steerco_service.testkit.serving import Served, serving

SECRET = "the combination is 4711"

routes = router("vault")


@routes.get("/secret")
async def secret(_: Read) -> str:
    return SECRET


@routes.get("/secrets")
async def secrets(_: Asker) -> StreamingResponse:
    async def told() -> AsyncIterator[str]:
        for _ in range(3):
            yield SECRET

    return StreamingResponse(told())


@routes.get("/opening-hours")
async def opening_hours(_: Asker) -> str:
    return "9 to 5"


for name in ("secret", "secrets"):
    PERMISSIONS[f"vault.{name}"] = Permission(ROLES, is_sensitive=True)
PERMISSIONS["vault.opening_hours"] = Permission(ROLES)

VAULT = Service(
    name="vault",
    title="Vault",
    description="A vault.",
    migrations="steerco_service.testkit.migrations",
    routers=(routes,),
    view=View("vault", 1, ("portfolio",), ACCESS),
    owns_log=False,
)
ASKED = text("SELECT count(*) FROM log.accesses WHERE operation = :operation AND is_sensitive = :is_sensitive")


@pytest.fixture(scope="module")
async def served(postgres: TemporaryPostgres) -> AsyncIterator[Served]:
    async with serving([VAULT], postgres) as running:
        yield running


@pytest.fixture
async def vault(served: Served) -> httpx.AsyncClient:
    return await served.client("vault")


@asynccontextmanager
async def unwritable(served: Served) -> AsyncIterator[None]:
    """Inside, the table of the access log is not there."""
    owner = create_async_engine(served.host._databases["vault"].owner_url, poolclass=NullPool)
    async with owner.begin() as tx:
        await tx.execute(text("ALTER TABLE log.accesses RENAME TO away"))
    try:
        yield
    finally:
        async with owner.begin() as tx:
            await tx.execute(text("ALTER TABLE log.away RENAME TO accesses"))


async def asked(served: Served, operation: str, *, is_sensitive: bool = True) -> int:
    """How many rows there are of an operation."""
    values = {"operation": operation, "is_sensitive": is_sensitive}
    async with served.runtime("vault").engine.connect() as connection:
        return int((await connection.execute(ASKED, values)).scalar_one())


@pytest.mark.parametrize("operation", ["secret", "secrets"])
async def test_the_row_is_there_before_the_answer_is(served: Served, vault: httpx.AsyncClient, operation: str) -> None:
    before = await asked(served, operation)
    assert SECRET in (await vault.get(f"/{operation}")).text
    assert await asked(served, operation) == before + 1


@pytest.mark.parametrize("operation", ["secret", "secrets"])
async def test_where_it_can_t_be_written_nothing_is_told(
    served: Served, vault: httpx.AsyncClient, operation: str
) -> None:
    before = await asked(served, operation)
    async with unwritable(served):
        answer = await vault.get(f"/{operation}")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert answer.json()["type"] == "urn:steerco:problem:access-log-unavailable"
    assert SECRET not in answer.text
    assert SECRET in (await vault.get(f"/{operation}")).text
    assert await asked(served, operation) == before + 1


async def test_what_is_refused_tells_nothing_and_waits_for_no_row(served: Served, vault: httpx.AsyncClient) -> None:
    async with unwritable(served):
        assert (await vault.get("/secret", headers={"Authorization": "Bearer x.y.z"})).status_code == 401
        assert (await vault.get("/secret?consistency=1")).status_code == 422


async def test_the_rest_is_answered_said_to_be_unrecorded_and_recorded_when_it_can_be(
    served: Served, vault: httpx.AsyncClient
) -> None:
    before = await asked(served, "opening_hours", is_sensitive=False)
    async with unwritable(served):
        assert [(await vault.get("/opening-hours")).status_code for _ in range(3)] == [200] * 3

        async def is_said() -> bool:
            ready = (await vault.get("/readyz")).json()
            return ready["ready"] is True and "UndefinedTableError" in ready["degraded"].get("vault access log", "")

        await until(is_said, "readyz says what fails")

    async def is_recorded() -> bool:
        return await asked(served, "opening_hours", is_sensitive=False) == before + 3

    await until(is_recorded, "what waited is written")


async def test_many_who_ask_at_once_do_not_wait_for_each_other_s_connections(
    served: Served, vault: httpx.AsyncClient
) -> None:
    before = await asked(served, "secret")
    async with asyncio.timeout(25):
        answers = await asyncio.gather(*(vault.get("/secret") for _ in range(60)))
    assert {answer.status_code for answer in answers} == {200}
    assert await asked(served, "secret") == before + 60
