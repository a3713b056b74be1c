"""pytest fixtures that every member's tests share: one PostgreSQL, one Kafka and one Keycloak for the whole run."""

from collections.abc import AsyncIterator

import pytest

from steerco_servers.testing import (
    TemporaryKafka,
    TemporaryKeycloak,
    TemporaryPostgres,
    temporary_kafka,
    temporary_keycloak,
    temporary_postgres,
)


@pytest.fixture(scope="session")
async def postgres() -> AsyncIterator[TemporaryPostgres]:
    """A PostgreSQL without fsync: what tests write need not outlive a power cut."""
    async with temporary_postgres({"fsync": "off", "max_connections": "300"}) as server:
        yield server


@pytest.fixture(scope="session")
async def kafka() -> AsyncIterator[TemporaryKafka]:
    """A single-node Apache Kafka."""
    async with temporary_kafka() as broker:
        yield broker


@pytest.fixture(scope="session")
async def keycloak() -> AsyncIterator[TemporaryKeycloak]:
    """Steerco's realm with its persons for tests. A test that changes a realm takes `another`."""
    async with temporary_keycloak() as realm:
        yield realm
