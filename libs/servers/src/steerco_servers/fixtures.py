"""pytest fixtures that every member's tests share: one PostgreSQL and one Kafka for the whole run."""

import os
from collections.abc import AsyncIterator

import pytest

from steerco_servers.child import ServerMissing
from steerco_servers.jars import demand_kafka
from steerco_servers.testing import (
    KAFKA_VARIABLE,
    TemporaryKafka,
    TemporaryPostgres,
    temporary_kafka,
    temporary_postgres,
)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Before the first test: what a test marked `kafka` needs is there, or one line says what is missing."""
    wanted = any(item.get_closest_marker("kafka") for item in session.items)
    if wanted and not session.config.option.collectonly and KAFKA_VARIABLE not in os.environ:
        try:
            demand_kafka()
        except ServerMissing as missing:
            pytest.exit(f"{missing} (or name a broker: {KAFKA_VARIABLE}=host:port)", returncode=2)


@pytest.fixture(scope="session")
async def postgres() -> AsyncIterator[TemporaryPostgres]:
    """A PostgreSQL without fsync: what tests write need not outlive a power cut."""
    async with temporary_postgres({"fsync": "off"}) as server:
        yield server


@pytest.fixture(scope="session")
async def kafka() -> AsyncIterator[TemporaryKafka]:
    """A single-node Apache Kafka."""
    async with temporary_kafka() as broker:
        yield broker
