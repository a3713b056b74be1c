"""A new process is not ready before the database is migrated to what it needs, so those of before go on until then."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
import pytest
from fastapi import APIRouter
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from steerco_servers.provisioning import ServiceDatabase
from steerco_servers.testing import TemporaryPostgres
from steerco_service import health
from steerco_service.migrated import migrated
from steerco_service.migrations import revisions_of
from steerco_service.operations import probes
from steerco_service.operations.serving import operations_app
from steerco_service.testkit.serving import Served, log_only, serving

SERVICE = log_only("risk")
REVISIONS = revisions_of(SERVICE.migrations)
OF_A_NEWER_RELEASE = "9999"


@dataclass(frozen=True)
class Rolling:
    """A service that runs, over a database whose revision can be another."""

    served: Served
    database: ServiceDatabase

    async def is_of(self, revision: str) -> None:
        """Have the database say that it is of a revision."""
        engine = create_async_engine(self.database.owner_url, poolclass=NullPool)
        async with engine.begin() as connection:
            await connection.execute(text("UPDATE alembic_version SET version_num = :new"), {"new": revision})

    async def answers(self, probing: APIRouter) -> list[tuple[int, str]]:
        """What it says of itself, with the kind of problem if there is one."""
        transport = httpx.ASGITransport(operations_app([self.served.runtime("risk")], probing))
        async with httpx.AsyncClient(transport=transport, base_url="http://process") as client:
            found = [await client.get(path) for path in ("/startupz", "/readyz")]
        return [(each.status_code, each.json().get("type", "")) for each in found]


@dataclass(frozen=True)
class Made:
    """A server whose databases are made already."""

    found: Mapping[str, ServiceDatabase]

    @asynccontextmanager
    async def databases(self, *_: str) -> AsyncIterator[Mapping[str, ServiceDatabase]]:
        yield self.found


@pytest.fixture
async def rolling(postgres: TemporaryPostgres) -> AsyncIterator[Rolling]:
    """The service, over its newest schema."""
    async with postgres.databases("risk", "portfolio") as databases, serving([SERVICE], Made(databases)) as served:
        yield Rolling(served, databases["risk"])


@pytest.mark.parametrize("probing", [health.routes, probes.routes], ids=["api", "worker"])
async def test_it_is_ready_once_the_database_is_of_its_newest_revision(rolling: Rolling, probing: APIRouter) -> None:
    assert await rolling.answers(probing) == [(200, ""), (200, "")]
    await rolling.is_of(REVISIONS[-2])
    assert await rolling.answers(probing) == [(503, "urn:steerco:problem:not-migrated")] * 2


@pytest.mark.parametrize("probing", [health.routes, probes.routes], ids=["api", "worker"])
async def test_one_of_before_is_ready_over_what_a_newer_release_migrated(rolling: Rolling, probing: APIRouter) -> None:
    await rolling.is_of(OF_A_NEWER_RELEASE)
    assert await rolling.answers(probing) == [(200, ""), (200, "")]


async def test_what_fails_over_a_migrated_database_is_not_blamed_on_its_migration(rolling: Rolling) -> None:
    with pytest.raises(ProgrammingError, match="no_such_column"):
        async with migrated(rolling.served.runtime("risk")) as connection:
            await connection.execute(text("SELECT no_such_column"))
