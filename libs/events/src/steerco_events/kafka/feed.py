"""One service's log read from Kafka: no consumer group; positions are the truth, offsets a hint where to begin."""

import asyncio
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress

import msgspec
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from steerco_events.envelope import Recorded
from steerco_events.kafka.headers import event_of
from steerco_events.kafka.topics import events_topic, head_topic
from steerco_events.ports import Batch, Cursor, Offsets, check_not_rewound
from steerco_events.positions import PARTITIONS, Head, Positions, reached
from steerco_events.registry import Registry

MISSING_TOPIC_SECONDS = 0.5
WATCHDOG_SECONDS = 20.0
MOST_AT_ONCE = 5000


class KafkaFeed:
    """An `EventFeed` over the topics of one service.

    A topic that is missing is awaited; one that was made anew is read from its beginning, and what the cursor
    has already is passed over. A consumer that stands still before the end of a topic is replaced.
    """

    def __init__(self, service: str, bootstrap: str, registry: Registry) -> None:
        self._service = service
        self._bootstrap = bootstrap
        self._registry = registry
        self._partitions = [TopicPartition(events_topic(service), n) for n in range(PARTITIONS)]
        self._head_partition = TopicPartition(head_topic(service), 0)
        self._consumer: AIOKafkaConsumer | None = None
        self._fetched: deque[ConsumerRecord] = deque()
        self._next: list[int] = [0] * PARTITIONS
        self._unproven: set[int] = set()
        self._head: Head | None = None
        self._moved_at = time.monotonic()

    @property
    def service(self) -> str:
        """Whose log it is."""
        return self._service

    async def read(self, after: Cursor, limit: int) -> Batch:
        """At most `limit` events after the cursor, at once. Raises `LogRewound`, aiokafka's `KafkaError`."""
        if not await self._stands_at(after):
            return Batch((), after)
        if not self._fetched or self._head is None:
            await self._fetch(0)
        if self._head:
            check_not_rewound(self._service, self._head, after)
        events: list[Recorded] = []
        positions, offsets = list(after.positions), list(after.offsets)
        head = self._head
        while self._fetched and self._head and len(events) < limit:
            record = self._fetched[0]
            event = event_of(record.headers, record.value, record.partition, self._service, self._registry)
            if event.generation > self._head.generation:
                self._head = None  # the new one is on its way; it says where the generation began
            elif self._is_another_topic(event, after):
                self._begin_again(record.partition)
            else:
                self._fetched.popleft()
                offsets[record.partition] = record.offset + 1
                if event.position > positions[record.partition] and self._head.has(event.generation, event.position):
                    positions[record.partition] = event.position
                    events.append(event)
        self._next = offsets
        return Batch(events, self._cursor(after, head, tuple(positions), tuple(offsets)))

    def _cursor(self, after: Cursor, head: Head | None, positions: Positions, offsets: Offsets) -> Cursor:
        if head is None:
            return after
        complete = not self._fetched and reached(positions, head.positions)
        return Cursor(head.generation, positions, offsets, head.watermark if complete else None)

    def _is_another_topic(self, event: Recorded, after: Cursor) -> bool:
        """Whether the record before the cursor is one that the cursor does not have: then the topic was made anew."""
        if event.partition not in self._unproven:
            return False
        self._unproven.discard(event.partition)
        return event.position > after.positions[event.partition]

    def _begin_again(self, partition: int) -> None:
        assert self._consumer is not None
        self._fetched = deque(each for each in self._fetched if each.partition != partition)
        self._consumer.seek(self._partitions[partition], 0)

    async def _stands_at(self, after: Cursor) -> bool:
        """Have a consumer that goes on at the cursor; false while the topics are missing."""
        if self._consumer and self._next == list(after.offsets):
            return True
        await self.close()
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="none",
        )
        try:
            await consumer.start()
            if not {events_topic(self._service), head_topic(self._service)} <= await consumer.topics():
                await consumer.stop()
                return False
            consumer.assign([*self._partitions, self._head_partition])
            await self._seek(consumer, after.offsets)
        except BaseException:
            await consumer.stop()
            raise
        self._consumer, self._next = consumer, list(after.offsets)
        self._moved_at = time.monotonic()
        return True

    async def _seek(self, consumer: AIOKafkaConsumer, offsets: Offsets) -> None:
        """Begin one record before the cursor, to see whether it still is the one that the cursor has."""
        begin: Mapping[TopicPartition, int] = await consumer.beginning_offsets(self._partitions)
        end: Mapping[TopicPartition, int] = await consumer.end_offsets([*self._partitions, self._head_partition])
        self._unproven = set()
        for n, partition in enumerate(self._partitions):
            at = offsets[n] - 1
            if begin[partition] <= at < end[partition]:
                self._unproven.add(n)
            else:
                at = begin[partition]
            consumer.seek(partition, at)
        consumer.seek(self._head_partition, max(0, end[self._head_partition] - 1))

    async def _fetch(self, seconds: float) -> None:
        """Take what the consumer has, waiting for it at most so long."""
        assert self._consumer is not None
        try:
            found = await self._consumer.getmany(timeout_ms=int(seconds * 1000), max_records=MOST_AT_ONCE)
        except OffsetOutOfRangeError:
            await self.close()
            return
        for partition, records in found.items():
            if partition == self._head_partition:
                self._take_head(records)
            else:
                self._fetched.extend(records)
        if found:
            self._moved_at = time.monotonic()
        elif time.monotonic() - self._moved_at > WATCHDOG_SECONDS:
            await self._check_progress()

    def _take_head(self, records: list[ConsumerRecord]) -> None:
        for record in records:
            head = msgspec.json.decode(record.value, type=Head)
            if self._head is None or (head.generation, head.watermark) > (self._head.generation, self._head.watermark):
                self._head = head

    async def _check_progress(self) -> None:
        """The watchdog: behind the end and nothing came, or beyond it, calls for another consumer."""
        assert self._consumer is not None
        self._moved_at = time.monotonic()
        end: Mapping[TopicPartition, int] = await self._consumer.end_offsets(self._partitions)
        if any(end[partition] != self._next[n] for n, partition in enumerate(self._partitions)):
            await self.close()

    async def wait(self, seconds: float) -> None:
        """Return when something came, or after `seconds`."""
        if self._consumer is None:
            await asyncio.sleep(min(seconds, MISSING_TOPIC_SECONDS))
        elif not self._fetched or self._head is None:
            await self._fetch(seconds)

    async def close(self) -> None:
        """Stop the consumer; a later read makes a new one."""
        consumer, self._consumer = self._consumer, None
        self._fetched.clear()
        self._head = None
        if consumer:
            with suppress(KafkaError):
                await consumer.stop()
