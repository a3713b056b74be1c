"""One service's log read from Kafka: no consumer group; positions are the truth, offsets a hint where to begin."""

import asyncio
import logging
import time

from aiokafka import ConsumerRecord

from steerco_events.envelope import Recorded
from steerco_events.kafka.broker import Broker
from steerco_events.kafka.gaps import EventsMissing, Gaps
from steerco_events.kafka.headers import event_of
from steerco_events.kafka.reader import TopicReader, TopicsChanged
from steerco_events.ports import WHOLE, Batch, Cursor, FeedStalled, Offsets, Shard, check_not_rewound
from steerco_events.positions import START, Head, Positions
from steerco_events.registry import Registry

MISSING_TOPIC_SECONDS = 0.5
WATCHDOG_SECONDS = 20.0

_logger = logging.getLogger("steerco.kafka")


class KafkaFeed:
    """An `EventFeed` over the topics of one service.

    A topic that is missing is awaited, but for one that we may not read; one that was made anew is read from its
    beginning, and what the cursor has already is passed over, as are records that are no events; what is missing is
    not. A consumer that stands still before the end of the log is replaced; if that does not help, the feed says so.
    """

    def __init__(self, service: str, broker: Broker, registry: Registry, shard: Shard = WHOLE) -> None:
        self._service = service
        self._broker = broker
        self._registry = registry
        self._partitions = shard.partitions
        self._reader: TopicReader | None = None
        self._gaps = Gaps(set(), set())
        self._read = list(START)
        self._offsets: Offsets = START
        self._positions: Positions = START
        self._head: Head | None = None
        self._moved_at = time.monotonic()
        self._replaced = 0
        self.passed_over = 0

    @property
    def service(self) -> str:
        """Whose log it is."""
        return self._service

    async def read(self, after: Cursor, limit: int) -> Batch:
        """At most `limit` events after the cursor, at once.

        Raises `LogRewound`, `FeedStalled`, `EventsMissing`, `BrokerRefuses`, aiokafka's `KafkaError`.
        """
        self._positions = after.positions
        reader = await self._reader_at(after)
        if reader and reader.wants_more:
            await self._fetch(reader, 0)
        if reader is None or reader is not self._reader or reader.head is None:
            return Batch((), after)
        check_not_rewound(self._service, reader.head, after)
        head = reader.head
        batch = self._take(reader, head, after, limit)
        if batch.cursor.place == after.place and not reader.fetched:
            await self._check_gaps(reader, head)
        return batch

    async def _check_gaps(self, reader: TopicReader, head: Head) -> None:
        """Raise `EventsMissing` once all is read and what is missing did not come."""
        missing = self._gaps.told(head.positions, self._positions)
        if not missing or await reader.has_more(self._read):
            return
        try:
            await reader.check_topics(0)
        except TopicsChanged:
            await self.close()
        else:
            raise EventsMissing(f"the topic of {self._service} has to be published anew: {'; '.join(missing)}")

    def _take(self, reader: TopicReader, head: Head, after: Cursor, limit: int) -> Batch:
        events: list[Recorded] = []
        positions, offsets = list(after.positions), list(after.offsets)
        while reader.fetched and len(events) < limit:
            record = reader.fetched[0]
            n, event = record.partition, self._event_of(record)
            if event and event.generation > head.generation:
                reader.head = None  # the new one is on its way; it says where the generation began
                break
            if event and not head.has(event.generation, event.position):
                event = None
            if event and self._has_skipped(reader, event, positions[n]):
                self._read[n] = reader.begin_again(n)
                offsets[n] = 0
                continue
            reader.fetched.popleft()
            self._read[n] = record.offset + 1
            if event and self._gaps.passes(event, positions[n]):
                positions[n] = event.position
                events.append(event)
            offsets[n] = 0 if n in self._gaps else self._read[n]
        self._offsets, self._positions = tuple(offsets), tuple(positions)
        cursor = self._cursor(reader, head)
        if cursor.place != after.place:
            self._moved()
        return Batch(events, cursor, head, "kafka")

    def _event_of(self, record: ConsumerRecord) -> Recorded | None:
        try:
            if record.value is not None:
                return event_of(record.headers, record.value, record.partition, self._service, self._registry)
        except (KeyError, ValueError, AttributeError):
            pass
        self.passed_over += 1
        if self.passed_over == 1:
            where = f"{record.topic} {record.partition}:{record.offset}"
            _logger.warning("%s is no event; it and its like are passed over", where)
        return None

    def _has_skipped(self, reader: TopicReader, event: Recorded, position: int) -> bool:
        """Whether what was read of the partition so far has left something out, so that it must be read anew.

        Either the record before the cursor is one that the cursor does not have: the topic was made anew. Or something
        is missing, and the partition was not read from its start.
        """
        if event.position <= position or event.partition in reader.from_start:
            reader.unproven.discard(event.partition)
            return False
        return event.partition in reader.unproven or self._gaps.before(event, position) is not None

    def _cursor(self, reader: TopicReader, head: Head) -> Cursor:
        is_complete = not reader.fetched and self._has_reached(head)
        watermark = head.watermark if is_complete else None
        return Cursor(head.generation, self._positions, self._offsets, watermark, head.began)

    def _has_reached(self, head: Head) -> bool:
        return all(self._positions[n] >= head.positions[n] for n in self._partitions)

    async def _reader_at(self, after: Cursor) -> TopicReader | None:
        """A reader that goes on at the cursor; `None` while topics are missing."""
        if self._reader and self._offsets == after.offsets:
            return self._reader
        await self.close()
        reader = TopicReader(self._service, self._broker, self._partitions)
        try:
            is_there = await reader.open(after.offsets)
        except BaseException:
            await reader.close()
            raise
        if not is_there:
            await reader.close()
            self._check_patience("its topics are not there")
            return None
        self._gaps = Gaps(reader.from_start, reader.cut)
        self._reader, self._offsets, self._read = reader, after.offsets, list(reader.begins)
        return reader

    async def _fetch(self, reader: TopicReader, seconds: float) -> None:
        try:
            found = await reader.fetch(seconds)
        except TopicsChanged:
            await self.close()
            return
        self._head = reader.head or self._head
        if not found and time.monotonic() - self._moved_at > WATCHDOG_SECONDS:
            await self._check_progress(reader)

    async def _check_progress(self, reader: TopicReader) -> None:
        """The watchdog: behind the end, and nothing came, calls for another consumer.

        Whoever publishes a long log tells its head at the end: as long as the topic grows, that is on its way.
        """
        if reader.head is None and await reader.has_grown():
            self._moved()
        elif await reader.has_more(self._read) or (self._head and not self._has_reached(self._head)):
            await self.close()
            self._check_patience("nothing comes, though the log goes on")
        else:
            self._moved()

    def _moved(self) -> None:
        self._moved_at, self._replaced = time.monotonic(), 0

    def _check_patience(self, why: str) -> None:
        """Raise `FeedStalled` the second time that it has lasted too long."""
        if time.monotonic() - self._moved_at > WATCHDOG_SECONDS:
            self._moved_at = time.monotonic()
            self._replaced += 1
            if self._replaced > 1:
                raise FeedStalled(f"{self._service} at position {max(self._positions)}: {why}")

    async def wait(self, seconds: float) -> None:
        """Return when something came, or after `seconds`. Raises as `read` does."""
        if self._reader is None:
            await asyncio.sleep(min(seconds, MISSING_TOPIC_SECONDS))
        elif self._reader.wants_more:
            await self._fetch(self._reader, seconds)

    async def close(self) -> None:
        """Stop the consumer; a later read makes a new one."""
        reader, self._reader = self._reader, None
        if reader:
            await reader.close()
