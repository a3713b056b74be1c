"""What every `EventFeed` does, as one suite of tests; and the ways in which a log's events come to its feeds.

A test module derives a class from `FeedBehaviour` for each adapter, with a fixture `carrier` of its own.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from random import Random

import pytest
from sqlalchemy import text

from steerco_events.envelope import Recorded
from steerco_events.kafka.broker import Broker
from steerco_events.kafka.feed import KafkaFeed
from steerco_events.kafka.outgoing import OutgoingFeed
from steerco_events.kafka.publisher import KafkaPublisher
from steerco_events.kafka.topics import create_topics
from steerco_events.ports import Cursor, EventFeed, LogRewound
from steerco_events.positions import PARTITIONS
from steerco_events.postgres.store import MAX_EVENT_BYTES
from steerco_events.relay import Relay
from steerco_events.testkit.logs import PATIENCE, Log, Server, fresh_log, read_on, running
from steerco_events.testkit.tally import Closed, Counted, Labeled

PROMPT = 5.0
"""Seconds within which a reader that was woken has what it was woken for."""


@dataclass(frozen=True, slots=True)
class Carrier:
    """Logs that are sealed in the background and read straight from their stores."""

    server: Server
    stack: AsyncExitStack

    async def new_log(self) -> Log:
        """A new log, carried to its feeds until the end of the test."""
        log = await self.stack.enter_async_context(fresh_log(self.server))
        await self.stack.enter_async_context(log.sealing())
        return log

    def _make_feed(self, log: Log) -> EventFeed:
        return log.feed()

    def feed(self, log: Log) -> EventFeed:
        """A new feed on a log, closed at the end of the test."""
        feed = self._make_feed(log)
        self.stack.push_async_callback(feed.close)
        return feed


@dataclass(frozen=True, slots=True)
class KafkaCarrier(Carrier):
    """Logs whose events a relay publishes to Kafka, and that are read from there."""

    broker: Broker

    async def new_log(self) -> Log:
        """A new log, carried to its feeds until the end of the test."""
        log = await Carrier.new_log(self)
        await create_topics(self.broker, [log.service], replication=1)
        feed = OutgoingFeed(log.service, log.reader, log.registry, log.sealed)
        relay = Relay(log.engine, feed, KafkaPublisher(log.service, self.broker))
        await self.stack.enter_async_context(running(relay.run))
        return log

    def _make_feed(self, log: Log) -> EventFeed:
        return KafkaFeed(log.service, self.broker, log.registry)


async def count_up(log: Log, streams: int, times: int) -> None:
    """Count every stream up so many times: `Counted(by=n)` is the n-th event of its stream."""
    for n in range(1, times + 1):
        await asyncio.gather(*(log.append(f"tally-{stream}", Counted(by=n)) for stream in range(streams)))


def of_streams(events: Iterable[Recorded]) -> dict[str, list[int]]:
    """The versions of each stream, in the order in which they came."""
    found: dict[str, list[int]] = defaultdict(list)
    for event in events:
        found[event.stream].append(event.stream_version)
    return dict(found)


def ids(events: Iterable[Recorded]) -> Sequence[object]:
    """The events' ids, in their order in the log."""
    return [event.id for event in sorted(events, key=lambda event: event.position)]


async def read_all(feed: EventFeed, cursor: Cursor, events: int) -> tuple[list[Recorded], Cursor]:
    """Read until so many events have come and the watermark says that they are complete."""
    found, cursor = await read_on(feed, cursor, events)
    async with asyncio.timeout(PATIENCE):
        while cursor.watermark is None or any(event.sealed_at > cursor.watermark for event in found):
            await feed.wait(0.2)
            batch = await feed.read(cursor, 100)
            found.extend(batch.events)
            cursor = batch.cursor
    return found, cursor


class FeedBehaviour:
    """The suite."""

    async def test_an_event_comes_as_the_store_has_it(self, carrier: Carrier) -> None:
        log = await carrier.new_log()
        await log.append("tally-1", Counted(by=1), Closed())
        events, _ = await read_on(carrier.feed(log), Cursor(), 2)
        async with log.engine.connect() as connection:
            stored = await log.store.read_events(connection, "tally-1")
        assert [replace(event, sealed_at=event.recorded_at) for event in events] == stored
        assert [event.payload for event in events] == [Counted(by=1), Closed()]

    async def test_events_as_large_as_the_store_takes_them_come_like_any_other(self, carrier: Carrier) -> None:
        log = await carrier.new_log()
        most = MAX_EVENT_BYTES - len(log.registry.encode(Labeled(label="")))
        labels = [Random(n).randbytes(most // 2 + 1).hex()[:most] for n in range(3)]  # not to be compressed much
        await log.append("tally-1", *(Labeled(label=label) for label in labels))
        events, _ = await read_on(carrier.feed(log), Cursor(), 3)
        assert [len(event.data) for event in events] == [MAX_EVENT_BYTES] * 3
        assert [event.payload for event in events] == [Labeled(label=label) for label in labels]

    async def test_the_events_of_a_partition_come_in_the_order_of_the_log(self, carrier: Carrier) -> None:
        log = await carrier.new_log()
        await count_up(log, streams=30, times=4)
        events, cursor = await read_on(carrier.feed(log), Cursor(), 120)
        assert of_streams(events) == {f"tally-{n}": [1, 2, 3, 4] for n in range(30)}
        for partition in range(PARTITIONS):
            positions = [event.position for event in events if event.partition == partition]
            assert positions == sorted(set(positions))
            assert cursor.positions[partition] >= max(positions, default=0)

    async def test_an_event_never_comes_with_an_earlier_instant_than_those_before_it(self, carrier: Carrier) -> None:
        log = await carrier.new_log()
        await count_up(log, streams=3, times=10)
        events, _ = await read_on(carrier.feed(log), Cursor(), 30)
        for partition in range(PARTITIONS):
            instants = [event.sealed_at for event in events if event.partition == partition]
            assert instants == sorted(instants)

    async def test_batches_are_no_larger_than_asked_for_and_leave_nothing_out(self, carrier: Carrier) -> None:
        log = await carrier.new_log()
        await count_up(log, streams=5, times=5)
        feed, cursor, events = carrier.feed(log), Cursor(), list[Recorded]()
        async with asyncio.timeout(PATIENCE):
            while len(events) < 25:
                batch = await feed.read(cursor, 4)
                assert len(batch.events) <= 4
                events.extend(batch.events)
                cursor = batch.cursor
                if not batch.events:
                    await feed.wait(0.2)
        assert of_streams(events) == {f"tally-{n}": [1, 2, 3, 4, 5] for n in range(5)}

    async def test_another_reader_goes_on_where_a_cursor_stands(self, carrier: Carrier) -> None:
        log = await carrier.new_log()
        await count_up(log, streams=6, times=4)
        everything, _ = await read_on(carrier.feed(log), Cursor(), 24)
        for taken in (1, 7, 20):
            first, cursor = await read_on(carrier.feed(log), Cursor(), taken, limit=1)
            rest, _ = await read_on(carrier.feed(log), cursor, 24 - taken)
            assert ids([*first, *rest]) == ids(everything)

    async def test_a_cursor_never_goes_back(self, carrier: Carrier) -> None:
        log = await carrier.new_log()
        await count_up(log, streams=6, times=4)
        feed = carrier.feed(log)
        _, cursor = await read_on(feed, Cursor(), 24)
        cursor = replace(cursor, positions=(0, *cursor.positions[1:]))
        await feed.wait(0.2)
        after = (await feed.read(cursor, 1)).cursor
        assert all(later >= earlier for later, earlier in zip(after.positions, cursor.positions, strict=True))

    async def test_a_reader_that_forgot_reads_the_same_again(self, carrier: Carrier) -> None:
        log = await carrier.new_log()
        await count_up(log, streams=6, times=2)
        feed = carrier.feed(log)
        events, _ = await read_on(feed, Cursor(), 12)
        again, _ = await read_on(feed, Cursor(), 12)
        assert ids(again) == ids(events)

    async def test_a_reader_is_woken_for_a_new_event(self, carrier: Carrier) -> None:
        log = await carrier.new_log()
        await log.append("tally-1", Counted(by=1))
        feed = carrier.feed(log)
        _, cursor = await read_all(feed, Cursor(), 1)
        loop = asyncio.get_running_loop()
        for n in range(2, 5):
            began = loop.time()
            await log.append("tally-1", Counted(by=n))
            while not (batch := await feed.read(cursor, 100)).events:
                cursor = batch.cursor
                await feed.wait(PATIENCE)
            assert loop.time() - began < PROMPT
            assert [event.payload for event in batch.events] == [Counted(by=n)]
            cursor = batch.cursor

    async def test_an_empty_log_has_nothing_to_read_and_is_complete(self, carrier: Carrier) -> None:
        log = await carrier.new_log()
        events, cursor = await read_all(carrier.feed(log), Cursor(), 0)
        assert events == []
        assert cursor.positions == (0,) * PARTITIONS

    async def test_a_reader_with_a_watermark_has_all_that_was_sealed_up_to_it(self, carrier: Carrier) -> None:
        log = await carrier.new_log()
        feed, cursor, events = carrier.feed(log), Cursor(), list[Recorded]()
        complete: list[tuple[int, datetime]] = []
        writing = asyncio.create_task(count_up(log, streams=6, times=15))
        async with asyncio.timeout(PATIENCE):
            while len(events) < 90:
                batch = await feed.read(cursor, 5)
                events.extend(batch.events)
                cursor = batch.cursor
                if cursor.watermark is not None:
                    complete.append((len(events), cursor.watermark))
                if not batch.events:
                    await feed.wait(0.2)
        await writing
        assert complete
        for read, watermark in complete:
            assert all(event.sealed_at > watermark for event in events[read:])

    async def test_the_watermark_of_a_quiet_log_moves_on(self, carrier: Carrier) -> None:
        log = await carrier.new_log()
        await log.append("tally-1", Counted(by=1))
        feed = carrier.feed(log)
        _, first = await read_all(feed, Cursor(), 1)
        cursor = first
        async with asyncio.timeout(PATIENCE):
            while first.watermark is None or cursor.watermark is None or cursor.watermark <= first.watermark:
                await feed.wait(0.2)
                batch = await feed.read(cursor, 100)
                assert list(batch.events) == []
                cursor = batch.cursor
        assert cursor.positions == first.positions

    async def test_nothing_is_missed_while_several_writers_write(self, carrier: Carrier) -> None:
        log = await carrier.new_log()
        feed = carrier.feed(log)
        async with asyncio.TaskGroup() as group:
            group.create_task(count_up(log, streams=8, times=20))
            reading = group.create_task(read_on(feed, Cursor(), 160, limit=7))
        events, cursor = reading.result()
        assert of_streams(events) == {f"tally-{n}": list(range(1, 21)) for n in range(8)}
        assert list((await feed.read(cursor, 100)).events) == []

    async def test_each_feed_reads_its_own_services_log(self, carrier: Carrier) -> None:
        one, other = await carrier.new_log(), await carrier.new_log()
        await asyncio.gather(count_up(one, streams=3, times=2), count_up(other, streams=2, times=1))
        for log, size in ((one, 6), (other, 2)):
            feed = carrier.feed(log)
            assert feed.service == log.service
            events, _ = await read_on(feed, Cursor(), size)
            assert {event.service for event in events} == {log.service}
            assert len(events) == size

    async def test_after_a_restoration_only_a_reader_that_has_lost_events_is_stopped(self, carrier: Carrier) -> None:
        log = await carrier.new_log()
        await count_up(log, streams=1, times=3)
        _, cursor = await read_all(carrier.feed(log), Cursor(), 3)
        async with log.engine.begin() as tx:
            await tx.execute(text(_RESTORED))
        await log.append("tally-0", Counted(by=4))

        (event,), after = await read_on(carrier.feed(log), cursor, 1)
        assert (event.payload, event.generation, after.generation) == (Counted(by=4), 2, 2)
        ahead = replace(cursor, positions=tuple(position + 9 for position in cursor.positions))
        with pytest.raises(LogRewound):
            await read_on(carrier.feed(log), ahead, 1)


_RESTORED = (
    "INSERT INTO log.generations SELECT 2, h.position, g.system_identifier, g.timeline_id + 1"
    " FROM log.generations g, log.head h"
)
