"""The Kafka of the distributed edition: one of its own, where each service has a user and does its part; or yours."""

import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace

from steerco.edition.directory import DataDirectory, EditionFailed
from steerco.edition.services import SERVICES
from steerco_events.kafka.broker import KAFKA_FAULTS, Broker
from steerco_events.kafka.granting import grant
from steerco_events.kafka.permissions import user_of
from steerco_events.kafka.topic_settings import TopicUnfit
from steerco_events.kafka.topics import create_topics
from steerco_servers.kafka import start_kafka
from steerco_servers.kafka_security import OPERATOR, Operator, kept_passwords
from steerco_service.kafka_access import acls_of
from steerco_service.kafka_settings import KafkaSettings


@dataclass(frozen=True, slots=True)
class Brokers:
    """The broker `of` a service, as its worker is told of it, and the copies of a topic that has to be made."""

    of: Callable[[str], Broker]
    replication: int


_OF_OURS = 1
"""Copies of a topic where there is one broker."""


@asynccontextmanager
async def brokers(
    directory: DataDirectory, settings: KafkaSettings, progress: Callable[[str], None]
) -> AsyncIterator[Brokers]:
    """The broker that the settings name, for all services alike, or one that is started here; with all topics.

    Raises `EditionFailed` where it does not let us, `ServerFailed`, `ServerMissing`.
    """
    if settings.kafka:
        await _prepared(settings.broker, settings.kafka_replication)
        yield Brokers(lambda _: settings.broker, settings.kafka_replication)
        return
    users = [user_of(service.name) for service in SERVICES]
    passwords = kept_passwords(directory.kafka_users, [OPERATOR, *users])
    operator = Operator(passwords[OPERATOR])
    async with await start_kafka(directory.kafka, operator=operator, progress=progress) as server:
        logging.getLogger("aiokafka.conn").setLevel(logging.ERROR)  # that the operator's password goes to loopback
        admin = Broker(server.bootstrap, "SASL_PLAINTEXT", "PLAIN", operator.user, operator.password)
        acls = [acl for service in SERVICES for acl in acls_of(service)]
        with _failing_in_a_line():
            await grant(admin, {user: passwords[user] for user in users}, acls)
        await _prepared(admin, _OF_OURS)
        each = replace(admin, mechanism="SCRAM-SHA-512")
        yield Brokers(
            lambda service: replace(each, user=user_of(service), password=passwords[user_of(service)]), _OF_OURS
        )


async def _prepared(broker: Broker, replication: int) -> None:
    with _failing_in_a_line():
        await create_topics(broker, [service.name for service in SERVICES if service.owns_log], replication)


@contextmanager
def _failing_in_a_line() -> Iterator[None]:
    try:
        yield
    except (*KAFKA_FAULTS, TopicUnfit) as error:
        line = " ".join(str(error).split())
        raise EditionFailed(f"Kafka can't be used: {line}") from error
