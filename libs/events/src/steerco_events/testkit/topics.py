"""A service's topics in the hands of a test: filled as it likes, deleted, made anew."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from steerco_events.envelope import Recorded
from steerco_events.ids import new_id
from steerco_events.kafka.broker import Broker
from steerco_events.kafka.feed import KafkaFeed
from steerco_events.kafka.publisher import KafkaPublisher
from steerco_events.kafka.topic_ids import TopicIds
from steerco_events.kafka.topics import create_topics, events_topic, head_topic
from steerco_events.ports import WHOLE, Cursor, Shard
from steerco_events.positions import START, Head, advanced
from steerco_events.registry import Payload
from steerco_events.testkit.logs import PATIENCE, until
from steerco_events.testkit.recorded import BEGIN, log_of
from steerco_events.testkit.tally import TALLY, Counted

STREAM = "tally-1"

type Headers = Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Topics:
    """The topics of one made-up service."""

    service: str
    broker: Broker
    admin: AIOKafkaAdminClient
    ids: TopicIds

    def log(self, seals: Sequence[Sequence[tuple[str, Payload]]]) -> Sequence[Recorded]:
        """A whole log of the service."""
        return log_of(seals, self.service)

    def head(self, events: Sequence[Recorded], generation: int = 1) -> Head:
        """The head of a log that holds these events."""
        positions = advanced(START, ((event.partition, event.position) for event in events))
        return Head((0,) * generation, positions, BEGIN + timedelta(hours=len(events)))

    async def publish(self, events: Sequence[Recorded], head: Head | None = None) -> None:
        """Put events at the ends of their partitions, then a head that covers them."""
        publisher = KafkaPublisher(self.service, self.broker)
        try:
            await publisher.publish(events)
            await publisher.publish_head(head or self.head(events))
        finally:
            await publisher.close()

    async def put(self, topic: str, partition: int, value: bytes | None, headers: Headers) -> None:
        """Put any record at the end of a partition."""
        producer = AIOKafkaProducer(**self.broker.options)
        await producer.start()
        try:
            await producer.send_and_wait(topic, value, b"key", partition, headers=list(headers.items()))
        finally:
            await producer.stop()

    async def cut(self, partition: int, before: int) -> None:
        """Delete the events of a partition before an offset; they are gone on return."""
        of = TopicPartition(self.names[0], partition)
        await self.admin.delete_records({of: RecordsToDelete(before)})

    @property
    def names(self) -> tuple[str, str]:
        """That of the events and that of the head."""
        return events_topic(self.service), head_topic(self.service)

    async def delete(self, *names: str) -> None:
        """Delete topics; they are gone on return."""
        await self.admin.delete_topics(list(names))

        async def gone() -> bool:
            return not set(names) & set(await self.ids.of(*names))

        await until(gone, "the topics are gone")

    async def create(self) -> None:
        """Make those that are not there; they are there on return."""
        await create_topics(self.broker, [self.service], replication=1)

        async def there() -> bool:
            return len(await self.ids.of(*self.names)) == len(self.names)

        await until(there, "the topics are there")

    def feed(self, shard: Shard = WHOLE) -> KafkaFeed:
        """A feed; whoever opens it closes it."""
        return KafkaFeed(self.service, self.broker, TALLY, shard)


@asynccontextmanager
async def opened(topics: Topics, shard: Shard = WHOLE) -> AsyncIterator[KafkaFeed]:
    """A feed for as long as this lasts."""
    feed = topics.feed(shard)
    try:
        yield feed
    finally:
        await feed.close()


def counted(topics: Topics, times: int, streams: Sequence[str] = (STREAM,)) -> Sequence[Recorded]:
    """A log that counts each stream up so many times, by turns."""
    return topics.log([[(stream, Counted(by=n)) for stream in streams] for n in range(1, times + 1)])


def positions(events: Sequence[Recorded]) -> list[int]:
    """Where the events are."""
    return [event.position for event in events]


async def read_for_ever(feed: KafkaFeed, seen: list[Cursor]) -> None:
    """Read on from the last cursor seen, to which those that follow are added."""
    async with asyncio.timeout(PATIENCE):
        while True:
            seen.append((await feed.read(seen[-1], 10)).cursor)
            await feed.wait(0.1)


@asynccontextmanager
async def fresh_topics(broker: Broker, of: str | None = None) -> AsyncIterator[Topics]:
    """New, empty topics of a service, or under a name of their own."""
    service = of or f"tally_{new_id().hex[-12:]}"
    admin, ids = AIOKafkaAdminClient(**broker.options), TopicIds(broker)
    await admin.start()
    topics = Topics(service, broker, admin, ids)
    try:
        await topics.create()
        yield topics
    finally:
        await admin.close()
        await ids.close()
