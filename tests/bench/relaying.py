"""The relay, from a sealed log to Kafka, against a bare producer that has the same records in memory."""

import asyncio
import gc
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from steerco_events.envelope import Recorded
from steerco_events.ids import new_id
from steerco_events.kafka.broker import Broker
from steerco_events.kafka.headers import headers_of
from steerco_events.kafka.outgoing import OutgoingFeed
from steerco_events.kafka.publisher import MAX_BATCH_BYTES, KafkaPublisher
from steerco_events.ports import Cursor
from steerco_events.positions import PARTITIONS
from steerco_events.postgres.checkpoints import Checkpoints
from steerco_events.postgres.store import Write
from steerco_events.relay import BATCH, CONSUMER, Relay
from steerco_events.testkit.logs import Log, fresh_log, running
from tests.bench.appending import context
from tests.bench.entries import BENCH, ENTRIES_PER_LEDGER, entry
from tests.bench.figures import Figure, Servers, paired
from tests.bench.profiling import explained

EVENTS = 100_000
PER_APPEND = 1000
RAW_TOPIC = "steerco.bench.raw"


async def fill(log: Log, events: int) -> None:
    """Append so many events to ledgers of ten, and seal them."""
    for start in range(0, events, PER_APPEND):
        appends = []
        for _ in range(start, min(start + PER_APPEND, events), ENTRIES_PER_LEDGER):
            ledger_id = new_id()
            for n in range(ENTRIES_PER_LEDGER):
                write = Write(f"ledger-{ledger_id}", n, [entry(ledger_id, n + 1, n + 1)])
                appends.append(log.store.prepare([write], context(log.clock)))
        async with log.engine.begin() as tx:
            await log.store.append_all(tx, appends)
    await log.seal()


class Counting(KafkaPublisher):
    """Knows since when it is ready to publish, and how much of the log is out."""

    def __init__(self, log: Log, bootstrap: str) -> None:
        super().__init__(log.service, Broker(bootstrap), replication=1)
        self._left = EVENTS
        self.began = 0.0
        self.done = asyncio.Event()

    async def prepare(self) -> bool:
        """As the relay's; the other side is ready, too, when its time begins."""
        is_new = await super().prepare()
        self.began = self.began or time.perf_counter()
        return is_new

    async def publish(self, events: Sequence[Recorded]) -> None:
        """As the relay's."""
        await super().publish(events)
        self._left -= len(events)
        if self._left <= 0:
            self.done.set()


class Relayed:
    """The relay, from the beginning of the log to its end."""

    def __init__(self, log: Log, bootstrap: str) -> None:
        self._log = log
        self._bootstrap = bootstrap

    async def __call__(self) -> float:
        async with self._log.engine.begin() as tx:
            await Checkpoints(CONSUMER).forget(tx)
        feed = OutgoingFeed(self._log.service, self._log.reader, self._log.registry, self._log.sealed)
        publisher = Counting(self._log, self._bootstrap)
        relay = Relay(self._log.engine, feed, publisher)
        async with running(relay.run):
            await publisher.done.wait()
            return EVENTS / (time.perf_counter() - publisher.began)


class Raw:
    """A bare producer with the settings of the relay's, all its records in memory."""

    def __init__(self, producer: AIOKafkaProducer, records: Sequence[dict[str, Any]]) -> None:
        self._producer = producer
        self._records = records

    async def __call__(self) -> float:
        began = time.perf_counter()
        for start in range(0, len(self._records), BATCH):
            sent = [await self._producer.send(RAW_TOPIC, **each) for each in self._records[start : start + BATCH]]
        await asyncio.gather(*sent)
        await self._producer.flush()
        return len(self._records) / (time.perf_counter() - began)


async def records_of(log: Log) -> Sequence[dict[str, Any]]:
    """What the relay sends, as arguments of `send`."""
    feed, cursor, records = log.feed(), Cursor(), []
    while (batch := await feed.read(cursor, BATCH)).events:
        cursor = batch.cursor
        for event in batch.events:
            headers = headers_of(event)
            record = {"value": event.data, "key": event.stream.encode(), "partition": event.partition}
            records.append(record | {"headers": headers})
    return records


async def measure(servers: Servers) -> Sequence[Figure]:
    """`relay_vs_raw_produce`."""
    bootstrap = servers.kafka.bootstrap
    async with AsyncExitStack() as stack:
        log = await stack.enter_async_context(fresh_log(servers.postgres, BENCH))
        await fill(log, EVENTS)
        admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
        await admin.start()
        await admin.create_topics([NewTopic(RAW_TOPIC, PARTITIONS, 1)])
        await admin.close()
        producer = AIOKafkaProducer(
            bootstrap_servers=bootstrap,
            enable_idempotence=True,
            acks="all",
            compression_type="lz4",
            linger_ms=0,
            max_batch_size=MAX_BATCH_BYTES,
        )
        await producer.start()
        stack.push_async_callback(producer.stop)
        relayed, raw = Relayed(log, bootstrap), Raw(producer, await records_of(log))
        gc.freeze()  # the millions of objects of the other side's records are no garbage of ours to look through
        stack.callback(gc.unfreeze)
        found = await paired(relayed, raw, rounds=5)
        parts = {"relay": found.ours, "raw": found.theirs}
        figure = Figure("relay_vs_raw_produce", found.ratio, 0.7, "higher", parts, "events/s")
        return [await explained(figure, relayed)]
