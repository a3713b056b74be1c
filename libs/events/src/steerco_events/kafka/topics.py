"""The topics of a service: its events, and the head of its log."""

import asyncio
from collections.abc import Iterable

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError, for_code

from steerco_events.positions import PARTITIONS

GONE_SECONDS = 0.1
"""How often is looked whether a topic that was deleted is gone."""


def events_topic(service: str) -> str:
    """Where the events of a service are: 12 partitions for ever, kept for ever, never compacted."""
    return f"steerco.{service}.events.v1"


def head_topic(service: str) -> str:
    """Where the newest head of a service's log is: one partition, compacted."""
    return f"steerco.{service}.head.v1"


def topics_of(service: str, replication: int) -> list[NewTopic]:
    """The topics of a service as they are made: its events, its head."""
    in_sync = {"min.insync.replicas": str(max(1, replication - 1))}
    kept = in_sync | {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"}
    newest = in_sync | {"cleanup.policy": "compact", "segment.ms": "3600000"}
    return [
        NewTopic(events_topic(service), PARTITIONS, replication, topic_configs=kept),
        NewTopic(head_topic(service), 1, replication, topic_configs=newest),
    ]


async def create_topics(bootstrap: str, services: Iterable[str], replication: int = 3) -> set[str]:
    """Make the topics of these services that are missing; the names of those made. Raises aiokafka's `KafkaError`."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        there = set(await admin.list_topics())
        wanted = [topic for service in services for topic in topics_of(service, replication)]
        missing = [topic for topic in wanted if topic.name not in there]
        if not missing:
            return set()
        answer = await admin.create_topics(missing)
        for name, code, *_ in answer.topic_errors:
            error = for_code(code)
            if code and error is not TopicAlreadyExistsError:
                raise error(f"topic {name}")
        return {name for name, code, *_ in answer.topic_errors if not code}
    finally:
        await admin.close()


async def make_anew(bootstrap: str, service: str, replication: int) -> None:
    """Delete the topic of a service's events with what is in it, and make it again. Raises aiokafka's `KafkaError`."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        topic = events_topic(service)
        ((_, code, *_),) = (await admin.delete_topics([topic])).topic_error_codes
        if code:
            raise for_code(code)(f"topic {topic}")
        while topic in await admin.list_topics():
            await asyncio.sleep(GONE_SECONDS)
    finally:
        await admin.close()
    await create_topics(bootstrap, [service], replication)


async def is_empty(bootstrap: str, service: str) -> bool:
    """Whether no event is in the service's topic. Raises aiokafka's `KafkaError`."""
    partitions = [TopicPartition(events_topic(service), n) for n in range(PARTITIONS)]
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=None)
    try:
        await consumer.start()
        begin, end = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
    finally:
        await consumer.stop()
    return all(begin[partition] == end[partition] for partition in partitions)
