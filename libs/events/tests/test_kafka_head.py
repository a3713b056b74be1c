"""While a long log is published, its head comes last: a reader waits for it, and holds little meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from steerco_events.kafka import feed as kafka_feed
from steerco_events.kafka import reader as kafka_reader
from steerco_events.kafka.broker import Broker
from steerco_events.kafka.feed import KafkaFeed
from steerco_events.kafka.publisher import KafkaPublisher
from steerco_events.ports import Cursor, FeedStalled
from steerco_events.testkit.logs import PATIENCE, read_on, until
from steerco_events.testkit.topics import Topics, counted, fresh_topics, opened, positions, read_for_ever
from steerco_servers.testing import TemporaryKafka

pytestmark = pytest.mark.kafka

FEW = 10
ROUNDS = 10
STREAMS = [f"tally-{n}" for n in range(20)]


@pytest.fixture
async def topics(kafka: TemporaryKafka, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Topics]:
    monkeypatch.setattr(kafka_reader, "MOST_AT_ONCE", FEW)
    async with fresh_topics(Broker(kafka.bootstrap)) as topics:
        yield topics


@asynccontextmanager
async def publishing(topics: Topics) -> AsyncIterator[KafkaPublisher]:
    publisher = KafkaPublisher(topics.service, topics.broker)
    try:
        yield publisher
    finally:
        await publisher.close()


async def wait_in_vain(feed: KafkaFeed, cursor: Cursor, least: int = 0) -> int:
    """Wait for a head that does not come, once at least so many are held; what the reader holds then."""

    async def holds_the_least() -> bool:
        assert not (await feed.read(cursor, 100)).events
        await feed.wait(0.05)
        return feed._reader is not None and len(feed._reader.fetched) >= least

    await until(holds_the_least, f"the reader holds {least} records")
    for _ in range(ROUNDS):
        await holds_the_least()
    assert feed._reader
    return len(feed._reader.fetched)


async def test_without_a_head_no_more_is_fetched_than_can_be_taken_at_once(topics: Topics) -> None:
    events = counted(topics, 10, STREAMS)
    async with publishing(topics) as publisher, opened(topics) as feed:
        await publisher.publish(events)
        assert await wait_in_vain(feed, Cursor(), FEW) < 2 * FEW
        await publisher.publish_head(topics.head(events))
        found, _ = await read_on(feed, Cursor(), 200)
    assert sorted(positions(found)) == positions(events)


async def test_what_comes_of_a_newer_generation_is_not_all_held_until_its_head_comes(topics: Topics) -> None:
    events = counted(topics, 10, STREAMS)
    newer = [replace(event, generation=2) for event in events[20:]]
    async with publishing(topics) as publisher, opened(topics) as feed:
        await publisher.publish(events[:20])
        await publisher.publish_head(topics.head(events[:20]))
        first, cursor = await read_on(feed, Cursor(), 20)
        await publisher.publish(newer)
        assert await wait_in_vain(feed, cursor, FEW) < 2 * FEW
        await publisher.publish_head(replace(topics.head(events), began=(0, 20)))
        rest, _ = await read_on(feed, cursor, 180)
    assert sorted(positions([*first, *rest])) == positions(events)


async def test_a_long_publication_is_no_reason_to_worry_and_a_head_that_never_comes_is(
    topics: Topics, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = counted(topics, 10, STREAMS)
    monkeypatch.setattr(kafka_feed, "WATCHDOG_SECONDS", 0.5)
    async with publishing(topics) as publisher, opened(topics) as feed, asyncio.timeout(PATIENCE):
        for n in range(0, 200, 5):
            await publisher.publish(events[n : n + 5])
            await feed.read(Cursor(), 100)
            await feed.wait(0.1)
        with pytest.raises(FeedStalled, match="nothing comes"):
            await read_for_ever(feed, [Cursor()])


async def test_a_quiet_log_whose_head_was_lost_is_no_reason_to_worry(
    topics: Topics, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = counted(topics, 3)
    await topics.publish(events)
    async with opened(topics) as feed:
        _, cursor = await read_on(feed, Cursor(), 3)
    await topics.delete(topics.names[1])
    await topics.create()
    monkeypatch.setattr(kafka_feed, "WATCHDOG_SECONDS", 0.1)
    async with opened(topics) as feed:
        await wait_in_vain(feed, cursor)
