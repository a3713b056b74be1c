"""Who reads a topic has each event once, and a cursor for what it was given, whatever the relay publishes twice."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial

import pytest

from steerco_events.envelope import Recorded
from steerco_events.kafka.broker import Broker
from steerco_events.kafka.feed import KafkaFeed
from steerco_events.kafka.publisher import KafkaPublisher
from steerco_events.kafka.topics import create_topics
from steerco_events.ports import Cursor
from steerco_events.testkit.feeds import count_up, ids, of_streams
from steerco_events.testkit.logs import PATIENCE, Log, read_on, until
from steerco_servers.testing import TemporaryKafka

pytestmark = pytest.mark.kafka


@pytest.fixture
async def published(log: Log, kafka: TemporaryKafka) -> AsyncIterator[KafkaPublisher]:
    await create_topics(Broker(kafka.bootstrap), [log.service], replication=1)
    publisher = KafkaPublisher(log.service, Broker(kafka.bootstrap))
    yield publisher
    await publisher.close()


async def test_a_topic_with_duplicates_reads_as_each_event_once(
    log: Log, kafka: TemporaryKafka, published: KafkaPublisher
) -> None:
    await count_up(log, streams=5, times=4)
    await log.seal()
    events, _ = await read_on(log.feed(), Cursor(), 20)
    for end in (7, 7, 13, 20, 20):
        await published.publish(events[:end])
    await published.publish_head(await log.feed().head())

    feed, cursor, read = KafkaFeed(log.service, Broker(kafka.bootstrap), log.registry), Cursor(), list[Recorded]()
    try:
        async with asyncio.timeout(PATIENCE):
            while sum(cursor.offsets) < 67:
                batch = await feed.read(cursor, 3)
                read.extend(batch.events)
                cursor = batch.cursor
                await feed.wait(0.05)
    finally:
        await feed.close()
    assert ids(read) == ids(events)
    assert of_streams(read) == {f"tally-{n}": [1, 2, 3, 4] for n in range(5)}


async def test_a_reader_that_meets_another_generation_has_a_cursor_for_what_it_gave(
    log: Log, kafka: TemporaryKafka, published: KafkaPublisher
) -> None:
    await count_up(log, streams=1, times=3)
    await log.seal()
    events, _ = await read_on(log.feed(), Cursor(), 3)
    head = await log.feed().head()
    feed = KafkaFeed(log.service, Broker(kafka.bootstrap), log.registry)
    try:
        await published.publish_head(head)
        await until(partial(knows_the_head, feed), "the head is known")
        await published.publish([*events[:2], replace(events[2], generation=2)])
        await feed.wait(PATIENCE)
        batch = await feed.read(Cursor(), 10)
        assert ids(batch.events) == ids(events[:2])
        assert (batch.cursor.generation, max(batch.cursor.positions)) == (1, 2)
        await published.publish_head(replace(head, began=(0, 2)))
        rest, cursor = await read_on(feed, batch.cursor, 1)
    finally:
        await feed.close()
    assert ids(rest) == ids(events[2:])
    assert cursor.generation == 2


async def knows_the_head(feed: KafkaFeed) -> bool:
    await feed.wait(0.05)
    return (await feed.read(Cursor(), 10)).cursor.generation == 1
