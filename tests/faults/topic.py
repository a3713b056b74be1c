"""What is in a service's topic, read by a plain consumer that knows nothing of ours but the names of the headers."""

from collections import defaultdict
from collections.abc import Sequence

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from steerco_events.kafka.broker import Broker

PARTITIONS = 12

type Place = tuple[int, int, str, bytes]
"""Generation, position, id and data of an event."""


class Topic:
    """One topic from its beginning. What comes again is passed over, as every reader has to; what differs is told."""

    def __init__(self, service: str, broker: Broker) -> None:
        self.streams: dict[str, list[Place]] = defaultdict(list)
        self.disorder: list[str] = []
        self.repeated = 0
        self._name = f"steerco.{service}.events.v1"
        self._broker = broker
        self._began: Sequence[int] = (0,)
        self.forget()

    def forget(self) -> None:
        """Begin again: the topic is made anew."""
        self.streams.clear()
        self._next = [0] * PARTITIONS
        self._last = [(0, 0)] * PARTITIONS
        self._seen: dict[tuple[int, int], Place] = {}

    def of_stream(self, stream: str, began: Sequence[int]) -> list[Place]:
        """The events of a stream in the order in which they came first, but for those that a restoration has lost.

        `began`: after which position each generation of the log began.
        """
        return [each for each in self.streams.get(stream, ()) if each[1] <= min(began[each[0] :], default=each[1])]

    async def read_on(self) -> None:
        """Read what has come since."""
        consumer = AIOKafkaConsumer(**self._broker.options, group_id=None, auto_offset_reset="none")
        await consumer.start()
        try:
            partitions = [TopicPartition(self._name, n) for n in range(PARTITIONS)]
            consumer.assign(partitions)
            ends = await consumer.end_offsets(partitions)
            for n, partition in enumerate(partitions):
                consumer.seek(partition, self._next[n])
            while any(self._next[partition.partition] < end for partition, end in ends.items()):
                for records in (await consumer.getmany(timeout_ms=500)).values():
                    for record in records:
                        self._take(record)
        finally:
            await consumer.stop()

    def _take(self, record: ConsumerRecord) -> None:
        n = record.partition
        self._next[n] = record.offset + 1
        headers = {name: value.decode() for name, value in record.headers}
        at = int(headers["ce_loggeneration"]), int(headers["ce_sequence"])
        stream, event = headers["ce_subject"], (*at, headers["ce_id"], record.value)
        if record.key != stream.encode():
            self.disorder.append(f"the record at {n}:{record.offset} of {stream} has the key {record.key}")
        if at in self._seen:
            self.repeated += 1
            if self._seen[at] != event:
                self.disorder.append(f"two different events are at {at}, the second at {n}:{record.offset}")
            return
        if at < self._last[n]:
            self.disorder.append(f"{at} came for the first time after {self._last[n]}, at {n}:{record.offset}")
        self._seen[at] = event
        self._last[n] = max(self._last[n], at)
        self.streams[stream].append(event)
