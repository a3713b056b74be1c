"""That the services of a running distributed edition are kept apart: each is told secrets that open its own alone."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from steerco.edition.services import SERVICES
from steerco_events.contracts.catalog import CATALOG
from steerco_events.kafka.broker import Broker, BrokerRefuses
from steerco_events.kafka.feed import KafkaFeed
from steerco_events.kafka.publisher import KafkaPublisher
from steerco_events.kafka.topics import events_topic
from steerco_events.ports import Cursor
from steerco_events.testkit.logs import read_on
from steerco_service.kafka_settings import environment_of
from tests.distributed.processes import Environments, environments
from tests.editions.running import RunningEdition


async def check_apart(edition: RunningEdition) -> None:
    """Fail where a service could have what is another's."""
    told = environments(edition)
    assert set(told) == {(service.name, role) for service in SERVICES for role in ("api", "worker")}
    _check_secrets(edition, told)
    await _check_databases(told)
    await _check_topics(edition)


def _check_secrets(edition: RunningEdition, told: Environments) -> None:
    """Each worker is told of its own user of Kafka, an API of none."""
    for (service, role), environment in told.items():
        kafka = {name: value for name, value in environment.items() if name.startswith("STEERCO_KAFKA")}
        kafka.pop("STEERCO_KAFKA_REPLICATION")
        assert kafka == (environment_of(edition.kafka(service)) if role == "worker" else {})
    passwords = {told[service.name, "worker"]["STEERCO_KAFKA_PASSWORD"] for service in SERVICES}
    assert len(passwords) == len(SERVICES)


async def _check_databases(told: Environments) -> None:
    """A service's role gets into no other's database; without its password it gets into none. Nobody is an owner."""
    assert not any("STEERCO_OWNER_URL" in environment for environment in told.values())
    for service in SERVICES:
        own = make_url(told[service.name, "worker"]["STEERCO_DATABASE_URL"])
        assert await _enter(own.render_as_string(hide_password=False)) == own.database
        with pytest.raises(DBAPIError, match="password authentication failed"):
            await _enter(own.set(password="wrong").render_as_string(hide_password=False))
        for other in SERVICES:
            if other is not service:
                database = make_url(told[other.name, "worker"]["STEERCO_DATABASE_URL"]).database
                with pytest.raises(DBAPIError, match="permission denied for database"):
                    await _enter(own.set(database=database).render_as_string(hide_password=False))


async def _enter(url: str) -> str:
    engine = create_async_engine(url, poolclass=NullPool)
    async with engine.connect() as connection:
        database: str = (await connection.execute(text("SELECT current_database()"))).scalar_one()
        return database


async def _check_topics(edition: RunningEdition) -> None:
    """Each reads what it follows and nothing else, and puts nothing into the topic of another."""
    async with _reading("portfolio", edition.kafka("reporting")) as feed:
        events, _ = await read_on(feed, Cursor(), 1)
    for service in SERVICES:
        broker = edition.kafka(service.name)
        follows = {*service.view.services, *(reaction.service for reaction in service.reactions)} - {service.name}
        for other in (each.name for each in SERVICES if each.owns_log and each is not service):
            async with _reading(other, broker) as feed:
                if other in follows:
                    await feed.read(Cursor(), 1)
                else:
                    with pytest.raises(BrokerRefuses, match=f"know of topic {events_topic(other)}"):
                        await feed.read(Cursor(), 1)
            publisher = KafkaPublisher(other, broker, replication=1)
            refused = f"write to topic {events_topic(other)}" if service.owns_log else "write to any topic"
            with pytest.raises(BrokerRefuses, match=refused):
                await publisher.publish(events[:1])
    wrong = replace(edition.kafka("finance"), password="wrong")
    async with _reading("portfolio", wrong) as feed:
        with pytest.raises(BrokerRefuses, match=r"does not let user steerco-finance .* in: .*invalid credentials"):
            await feed.read(Cursor(), 1)


@asynccontextmanager
async def _reading(service: str, broker: Broker) -> AsyncIterator[KafkaFeed]:
    feed = KafkaFeed(service, broker, CATALOG)
    try:
        yield feed
    finally:
        await feed.close()
