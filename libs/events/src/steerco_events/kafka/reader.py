"""The records of a service's topics from certain offsets on, as long as the topics are the same ones."""

import time
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from uuid import UUID

import msgspec
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from steerco_events.kafka.broker import Broker
from steerco_events.kafka.topic_ids import TopicIds
from steerco_events.kafka.topics import events_topic, head_topic
from steerco_events.ports import Offsets
from steerco_events.positions import START, Head

MOST_AT_ONCE = 5000
"""Records that are fetched; while so many wait to be taken, until the head is known, only the head is."""

TRUSTED_SECONDS = 0.1
"""How long topics are believed to be the same after it was seen; none is deleted, made and filled in that time."""

LOOK_SECONDS = 5.0
"""How often that is seen to while nothing comes."""


class TopicsChanged(Exception):
    """A topic was made anew, or cut: its offsets say nothing any more."""


class TopicReader:
    """A consumer of aiokafka that was assigned some partitions and the head.

    Every method raises `BrokerRefuses` where we may not do it, aiokafka's `KafkaError`.

    It begins one record before the offsets: `unproven` are the partitions whose first record is not one to give, but
    to compare with what the reader's cursor has. `from_start` are those that are read from their first record on, and
    `cut` those of them that had records before it. `begins` says from which offset on a partition is read.
    """

    def __init__(self, service: str, broker: Broker, partitions: Collection[int]) -> None:
        self.fetched: deque[ConsumerRecord] = deque()
        self.head: Head | None = None
        self.unproven: set[int] = set()
        self.from_start: set[int] = set()
        self.cut: set[int] = set()
        self.begins = list(START)
        self._topics = events_topic(service), head_topic(service)
        self._partitions = {n: TopicPartition(self._topics[0], n) for n in partitions}
        self._head_partition = TopicPartition(self._topics[1], 0)
        self._broker = broker
        self._ids = TopicIds(broker)
        self._opened: Mapping[str, UUID] = {}
        self._first: Mapping[TopicPartition, int] = {}
        self._end: Mapping[TopicPartition, int] = {}
        self._seen_same_at = 0.0
        self._consumer = AIOKafkaConsumer(
            **broker.options, group_id=None, enable_auto_commit=False, auto_offset_reset="none"
        )

    async def open(self, offsets: Offsets) -> bool:
        """Begin there; false if a topic is missing. To be closed also if it fails."""
        self._opened = await self._ids.of(*self._topics)
        if set(self._opened) != set(self._topics):
            return False
        self._seen_same_at = time.monotonic()
        await self._broker.begin(self._consumer.start)
        self._consumer.assign([*self._partitions.values(), self._head_partition])
        self._first = await self._consumer.beginning_offsets(list(self._partitions.values()))
        end = await self._consumer.end_offsets([*self._partitions.values(), self._head_partition])
        for n, partition in self._partitions.items():
            before = offsets[n] - 1
            if self._first[partition] <= before < end[partition]:
                self.unproven.add(n)
                self.begins[n] = offsets[n]
                self._consumer.seek(partition, before)
            else:
                self.begins[n] = self._seek_to_start(n)
        self._consumer.seek(self._head_partition, max(0, end.pop(self._head_partition) - 1))
        self._end = end
        return True

    def begin_again(self, partition: int) -> int:
        """Read a partition from its first record on; the offset of that."""
        self.fetched = deque(each for each in self.fetched if each.partition != partition)
        self.unproven.discard(partition)
        return self._seek_to_start(partition)

    def _seek_to_start(self, partition: int) -> int:
        first = self._first[self._partitions[partition]]
        self._consumer.seek(self._partitions[partition], first)
        self.from_start.add(partition)
        if first:
            self.cut.add(partition)
        return first

    @property
    def wants_more(self) -> bool:
        """Whether nothing of what came can be taken, so that something has to be fetched."""
        return not self.fetched or self.head is None

    async def fetch(self, seconds: float) -> bool:
        """Whether something came, in at most so long. Raises `TopicsChanged`, having taken nothing of what came."""
        only = [self._head_partition] if len(self.fetched) >= MOST_AT_ONCE else []
        try:
            with self._broker.doing(f"read topics {' and '.join(self._topics)}"):
                found = await self._consumer.getmany(*only, timeout_ms=int(seconds * 1000), max_records=MOST_AT_ONCE)
        except OffsetOutOfRangeError as error:
            raise TopicsChanged(str(error)) from error
        await self.check_topics(TRUSTED_SECONDS if found else LOOK_SECONDS)
        for partition, records in found.items():
            if partition == self._head_partition:
                self._take_head(records)
            else:
                self.fetched.extend(records)
        return bool(found)

    async def check_topics(self, trusted: float) -> None:
        """Raise `TopicsChanged` if the topics are others now. What was seen so many seconds ago is believed."""
        now = time.monotonic()
        if now - self._seen_same_at > trusted:
            if await self._ids.of(*self._topics) != self._opened:
                raise TopicsChanged(" or ".join(self._topics))
            self._seen_same_at = now

    def _take_head(self, records: list[ConsumerRecord]) -> None:
        for record in records:
            with suppress(msgspec.DecodeError, TypeError):
                head = msgspec.json.decode(record.value, type=Head)
                if self.head is None or (head.generation, head.watermark) > (self.head.generation, self.head.watermark):
                    self.head = head

    async def has_more(self, offsets: Sequence[int]) -> bool:
        """Whether the topic has records beyond these offsets."""
        end = await self._ends()
        return any(end[partition] > offsets[n] for n, partition in self._partitions.items())

    async def has_grown(self) -> bool:
        """Whether more came into the topic since it was opened, or since this was asked before."""
        before, self._end = self._end, await self._ends()
        return self._end != before

    async def _ends(self) -> Mapping[TopicPartition, int]:
        ends: Mapping[TopicPartition, int] = await self._consumer.end_offsets(list(self._partitions.values()))
        return ends

    async def close(self) -> None:
        """Free the connections."""
        with suppress(KafkaError):
            await self._consumer.stop()
        with suppress(KafkaError):
            await self._ids.close()
