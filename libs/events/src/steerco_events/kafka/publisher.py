"""Publishing to Kafka: idempotent, acknowledged by all, pipelined."""

import asyncio
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError

from steerco_events import tracing
from steerco_events.envelope import Recorded
from steerco_events.kafka.broker import Broker
from steerco_events.kafka.headers import headers_of, key_of
from steerco_events.kafka.topic_ids import TopicIds
from steerco_events.kafka.topics import TopicKept, contents_of, create_topics, events_topic, head_topic, make_anew
from steerco_events.positions import Head

MAX_BATCH_BYTES = 262_144
STOP_SECONDS = 3.0

_logger = logging.getLogger("steerco.kafka")


class KafkaPublisher:
    """A `Publisher` to the topics of one service. After any error it begins again with a new producer."""

    def __init__(self, service: str, broker: Broker, replication: int = 3) -> None:
        """`replication` is that of topics which have to be made."""
        self._service = service
        self._broker = broker
        self._replication = replication
        self._producer: AIOKafkaProducer | None = None
        self._ids: TopicIds | None = None
        self._found: Mapping[str, UUID] = {}

    async def prepare(self) -> bool:
        """Make the topics that are missing, and set right those that are there.

        Whether that of the events was missing, is another than at the last time, was cut, or is empty. Raises
        `TopicUnfit` for a topic that can't be set right, `BrokerRefuses`, aiokafka's `KafkaError`.
        """
        made = await create_topics(self._broker, [self._service], self._replication)
        topic, before = events_topic(self._service), self._found
        found = await self._topic_ids()
        if topic not in found:
            raise UnknownTopicOrPartitionError(f"{topic}, by a broker that has just begun")
        self._found = found
        if topic in made:
            return True
        contents = await contents_of(self._broker, self._service)
        if found[topic] != before.get(topic, found[topic]):
            if not contents.is_new:
                await self._clear("was made anew by somebody and has events out of order")
            return True
        return (contents.is_cut and await self._clear("was cut")) or contents.is_empty

    async def _clear(self, why: str) -> bool:
        """Make a topic anew, in which there would be none before what was put there; whether we could.

        So it is with a topic that somebody made anew while we published: who reads from the beginning would take the
        events before for known. And with one that was cut, which nobody can read whole again. Where we may not delete
        the topic, it is for operations to make it anew and have it published again.
        """
        try:
            await make_anew(self._broker, self._service, self._replication)
        except TopicKept as kept:
            _logger.warning("%s; it %s, and has to be made anew", kept, why)
            return False
        self._found = await self._topic_ids()
        return True

    async def is_same(self) -> bool:
        """Whether the topics are those that `prepare` found. Raises aiokafka's `KafkaError`."""
        return await self._topic_ids() == self._found

    async def _topic_ids(self) -> Mapping[str, UUID]:
        self._ids = self._ids or TopicIds(self._broker)
        return await self._ids.of(events_topic(self._service), head_topic(self._service))

    async def publish(self, events: Sequence[Recorded]) -> None:
        """Return when every event is acknowledged by all replicas in sync.

        Raises `BrokerRefuses` if we may not, aiokafka's `KafkaError`.
        """
        producer = await self._started()  # what it goes on with outlives this batch, and is of no trace
        with tracing.publishing(self._service, events_topic(self._service), events):
            await self._publish(producer, events)

    async def _publish(self, producer: AIOKafkaProducer, events: Sequence[Recorded]) -> None:
        partitions: dict[int, list[Recorded]] = {}
        for event in events:
            partitions.setdefault(event.partition, []).append(event)
        sending: list[asyncio.Task[None]] = []
        try:
            for each in partitions.items():
                sending.append(asyncio.create_task(self._send(producer, *each)))
                await asyncio.sleep(0)  # it is on its way while the others are made
            with self._broker.doing(f"write to topic {events_topic(self._service)}"):
                await asyncio.gather(*sending)
        except BaseException:
            for task in sending:
                task.cancel()
                task.add_done_callback(_seen)
            await self.close()
            raise

    async def _send(self, producer: AIOKafkaProducer, partition: int, events: Sequence[Recorded]) -> None:
        """Send what is of one partition: a batch only when the one before it is there, which may yet fail.

        Else readers would take what it has for known. It costs nothing: one at a time is on its way to a partition.
        """
        topic, before = events_topic(self._service), None
        for batch in _batches(producer, events):
            if before:
                await before
            before = await producer.send_batch(batch, topic, partition=partition)
        if before:
            await before

    async def publish_head(self, head: Head) -> None:
        """Tell the readers how far the log is complete."""
        producer, topic = await self._started(), head_topic(self._service)
        try:
            with self._broker.doing(f"write to topic {topic}"):
                await producer.send_and_wait(topic, value=msgspec.json.encode(head), key=self._service.encode())
        except BaseException:
            await self.close()
            raise

    async def _started(self) -> AIOKafkaProducer:
        if self._producer is None:
            producer = AIOKafkaProducer(
                **self._broker.options,
                enable_idempotence=True,
                acks="all",
                compression_type="lz4",
                linger_ms=0,
                max_batch_size=MAX_BATCH_BYTES,
            )
            try:
                with self._broker.doing("write to any topic"):
                    await self._broker.begin(producer.start)
            except BaseException:
                await producer.stop()
                raise
            self._producer = producer
        return self._producer

    async def close(self) -> None:
        """Give up the connections, within some seconds also when the broker does not answer.

        What it has not sent it may send still, in its order: the readers know it then.
        """
        producer, self._producer = self._producer, None
        ids, self._ids = self._ids, None
        for stop in (producer and producer.stop, ids and ids.close):
            with suppress(KafkaError, TimeoutError):
                async with asyncio.timeout(STOP_SECONDS):
                    if stop:
                        await stop()


def _batches(producer: AIOKafkaProducer, events: Sequence[Recorded]) -> Iterator[Any]:
    """Events of one partition as batches, in their order."""
    batch = producer.create_batch()
    for event in events:
        key, headers = key_of(event), headers_of(event)
        if batch.append(key=key, value=event.data, timestamp=None, headers=headers) is None:  # it is full
            yield batch
            batch = producer.create_batch()  # where the first record always fits
            batch.append(key=key, value=event.data, timestamp=None, headers=headers)
    yield batch


def _seen(sent: asyncio.Future[None]) -> None:
    """What became of it is known from another one that failed."""
    if not sent.cancelled():
        sent.exception()
