"""The topics of a service: its events, and the head of its log."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaTimeoutError, TopicAlreadyExistsError, for_code

from steerco_events.kafka.broker import NOT_AUTHORIZED, Broker
from steerco_events.kafka.seeing import seen
from steerco_events.kafka.topic_ids import TopicIds
from steerco_events.kafka.topic_settings import check_partitions, set_right
from steerco_events.positions import PARTITIONS

_DELETION_DISABLED = 73
"""The code of an answer for which aiokafka has no error."""

_KEPT = {NOT_AUTHORIZED: "we are not authorized", _DELETION_DISABLED: "the broker deletes no topic"}


class TopicKept(Exception):
    """A topic may not be deleted."""


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


async def create_topics(broker: Broker, services: Iterable[str], replication: int = 3) -> set[str]:
    """Make the topics of these services that are missing; the names of those made.

    Those that are there are set right. Raises `TopicUnfit` if one can't be, `BrokerRefuses` if we may not, aiokafka's
    `KafkaError`.
    """
    wanted: Sequence[NewTopic] = [topic for service in services for topic in topics_of(service, replication)]
    made = set[str]()
    async with _administering(broker) as admin, _knowing(broker) as ids:

        async def unknown() -> KafkaTimeoutError | None:
            nonlocal wanted
            missing = await _missing(broker, admin, ids, wanted)
            wanted = await _made_by_others(broker, admin, missing)
            made.update({topic.name for topic in missing} - {topic.name for topic in wanted})
            names = ", ".join(topic.name for topic in wanted)
            return KafkaTimeoutError(f"{names}: made by somebody, and not known yet") if names else None

        await seen(unknown)
    return made


async def _made_by_others(
    broker: Broker, admin: AIOKafkaAdminClient, missing: Sequence[NewTopic]
) -> Sequence[NewTopic]:
    """Make these topics; those of them that are there already, of which the broker whom we asked knew nothing."""
    if not missing:
        return []
    answer = await admin.create_topics(missing)
    errors = {name: for_code(code) for name, code, *_ in answer.topic_errors if code}
    for name, error in errors.items():
        if error is not TopicAlreadyExistsError:
            with broker.doing(f"create topic {name}"):
                raise error(f"topic {name}")
    return [topic for topic in missing if topic.name in errors]


async def _missing(
    broker: Broker, admin: AIOKafkaAdminClient, ids: TopicIds, wanted: Sequence[NewTopic]
) -> Sequence[NewTopic]:
    """Those that are not there; the others are set right."""
    partitions = await ids.partitions(*(topic.name for topic in wanted))
    found = [topic for topic in wanted if topic.name in partitions]
    for topic in found:
        check_partitions(topic, partitions[topic.name])
    await set_right(broker, admin, found)
    return [topic for topic in wanted if topic.name not in partitions]


async def make_anew(broker: Broker, service: str, replication: int) -> None:
    """Delete the topic of a service's events with what is in it, and make it again.

    Raises `TopicKept`, having changed nothing, `TopicUnfit`, `BrokerRefuses`, aiokafka's `KafkaError`.
    """
    async with _administering(broker) as admin:
        topic = events_topic(service)
        ((_, code, *_),) = (await admin.delete_topics([topic])).topic_error_codes
        if code in _KEPT:
            raise TopicKept(f"topic {topic} may not be deleted: {_KEPT[code]}")
        if code:
            raise for_code(code)(f"topic {topic}")

        async def there() -> KafkaTimeoutError | None:
            still = topic in await admin.list_topics()
            return KafkaTimeoutError(f"topic {topic} is there still, or again") if still else None

        await seen(there)
    await create_topics(broker, [service], replication)


@asynccontextmanager
async def _administering(broker: Broker) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(**broker.options)
    try:
        await broker.begin(admin.start)
        yield admin
    finally:
        await admin.close()


@asynccontextmanager
async def _knowing(broker: Broker) -> AsyncIterator[TopicIds]:
    ids = TopicIds(broker)
    try:
        yield ids
    finally:
        await ids.close()


@dataclass(frozen=True, slots=True)
class Contents:
    """What is in the topic of a service's events: at which offset each partition begins and ends."""

    begin: Sequence[int]
    end: Sequence[int]

    @property
    def is_empty(self) -> bool:
        """Whether no event is in it."""
        return list(self.begin) == list(self.end)

    @property
    def is_new(self) -> bool:
        """Whether none ever was."""
        return not any(self.end)

    @property
    def is_cut(self) -> bool:
        """Whether it had some before those that are in it."""
        return any(self.begin)


async def contents_of(broker: Broker, service: str) -> Contents:
    """What is in the topic of a service's events. Raises `BrokerRefuses`, aiokafka's `KafkaError`."""
    partitions = [TopicPartition(events_topic(service), n) for n in range(PARTITIONS)]
    consumer = AIOKafkaConsumer(**broker.options, group_id=None)
    try:
        await broker.begin(consumer.start)
        begin, end = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
    finally:
        await consumer.stop()
    return Contents([begin[each] for each in partitions], [end[each] for each in partitions])
