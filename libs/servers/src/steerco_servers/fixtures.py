"""pytest fixtures that every member's tests share: one PostgreSQL and one Kafka for the whole run."""

from collections.abc import AsyncIterator

import pytest

from steerco_servers.testing import TemporaryKafka, TemporaryPostgres, temporary_kafka, temporary_postgres


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
