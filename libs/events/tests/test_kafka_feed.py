"""What a reader of Kafka makes of topics that are deleted, made anew, cut short, or hold what is no event."""

import asyncio
import logging
import shutil
import tempfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from steerco_events.envelope import Recorded
from steerco_events.kafka import feed as kafka_feed
from steerco_events.kafka.broker import Broker
from steerco_events.kafka.feed import KafkaFeed
from steerco_events.kafka.gaps import EventsMissing
from steerco_events.kafka.headers import headers_of
from steerco_events.ports import Cursor, FeedStalled, Shard
from steerco_events.positions import PARTITIONS, partition_of
from steerco_events.testkit.logs import PATIENCE, read_on, until
from steerco_events.testkit.topics import STREAM, Topics, counted, fresh_topics, opened, positions, read_for_ever
from steerco_servers.kafka import remove_kafka, start_kafka
from steerco_servers.testing import TemporaryKafka

pytestmark = pytest.mark.kafka


@pytest.fixture
async def topics(kafka: TemporaryKafka) -> AsyncIterator[Topics]:
    async with fresh_topics(Broker(kafka.bootstrap)) as topics:
        yield topics


async def was_sent(feed: KafkaFeed, topics: Topics, offset: int) -> bool:
    """Whether the reader was sent all up to an offset; until it takes them, nothing more is asked for."""
    assert feed._reader
    return bool(feed._reader._consumer.highwater(TopicPartition(topics.names[0], partition_of(STREAM))) == offset)


async def test_a_topic_that_was_made_anew_has_another_id(topics: Topics) -> None:
    events, head = topics.names
    first = await topics.ids.of(events, head)
    assert set(first) == {events, head}
    await topics.delete(events)
    assert set(await topics.ids.of(events, head)) == {head}
    await topics.create()
    second = await topics.ids.of(events, head)
    assert second[events] != first[events]
    assert second[head] == first[head]


async def test_a_topic_that_was_made_anew_and_is_longer_than_before_loses_nothing(topics: Topics) -> None:
    events = counted(topics, 40)
    await topics.publish([*events[:4], *events[:4], *events[:4]], topics.head(events[:4]))
    async with opened(topics) as feed:
        first, cursor = await read_on(feed, Cursor(), 4)
        while cursor.offsets[partition_of(STREAM)] < 12:
            await feed.wait(0.1)
            cursor = (await feed.read(cursor, 100)).cursor
        await topics.publish(events[:4])
        await until(partial(was_sent, feed, topics, 16), "what the old topic had was sent to the reader")
        await topics.delete(*topics.names)
        await topics.create()
        await topics.publish(events)
        rest, cursor = await read_on(feed, cursor, 36)
    assert positions([*first, *rest]) == list(range(1, 41))
    assert cursor.offsets[partition_of(STREAM)] == 40


async def test_a_topic_that_was_made_anew_and_is_shorter_than_before_loses_nothing(topics: Topics) -> None:
    events = counted(topics, 10)
    await topics.publish([*events[:6], *events[:6], *events[:6]], topics.head(events[:6]))
    async with opened(topics) as feed:
        first, cursor = await read_on(feed, Cursor(), 6)
        await topics.delete(*topics.names)
        await topics.create()
        await topics.publish(events)
        rest, _ = await read_on(feed, cursor, 4)
    assert positions([*first, *rest]) == list(range(1, 11))


async def test_a_reader_whose_topic_was_made_anew_while_it_was_away_loses_nothing(topics: Topics) -> None:
    events = counted(topics, 40)
    await topics.publish([*events[:4], *events[:4], *events[:4]], topics.head(events[:4]))
    async with opened(topics) as feed:
        first, cursor = await read_on(feed, Cursor(), 4)
    cursor = replace(cursor, offsets=tuple(12 if at else 0 for at in cursor.offsets))
    await topics.delete(*topics.names)
    await topics.create()
    await topics.publish(events)
    async with opened(topics) as feed:
        rest, _ = await read_on(feed, cursor, 36)
    assert positions([*first, *rest]) == list(range(1, 41))


async def test_when_only_the_head_was_made_anew_the_log_goes_on(topics: Topics) -> None:
    events = counted(topics, 6)
    for n in range(1, 5):
        await topics.publish([], topics.head(events[:n]))
    await topics.publish(events[:4])
    async with opened(topics) as feed:
        first, cursor = await read_on(feed, Cursor(), 4)
        await topics.delete(topics.names[1])
        await topics.create()
        await topics.publish(events[4:], topics.head(events))
        rest, cursor = await read_on(feed, cursor, 2)
        async with asyncio.timeout(PATIENCE):
            while cursor.watermark != topics.head(events).watermark:
                await feed.wait(0.1)
                cursor = (await feed.read(cursor, 100)).cursor
    assert positions([*first, *rest]) == [1, 2, 3, 4, 5, 6]


async def test_records_that_are_no_events_are_passed_over_and_said_once(
    topics: Topics, caplog: pytest.LogCaptureFixture
) -> None:
    events = counted(topics, 3)
    partition = partition_of(STREAM)
    good = dict(headers_of(events[1]))
    await topics.publish(events[:1])
    for value, headers in (
        (b"{}", {}),
        (None, good),
        (b"{}", good | {"ce_sequence": b"soon"}),
        (b"{}", good | {"ce_actor": b"\xff"}),
        (b"{}", {name: value for name, value in good.items() if name != "ce_subject"}),
    ):
        await topics.put(topics.names[0], partition, value, headers)
    await topics.put(topics.names[1], 0, b"no head", {})
    await topics.publish(events[1:], topics.head(events))
    async with opened(topics) as feed:
        with caplog.at_level(logging.WARNING, "steerco.kafka"):
            found, _ = await read_on(feed, Cursor(), 3)
        assert feed.passed_over == 5
    assert positions(found) == [1, 2, 3]
    assert [record.message for record in caplog.records if record.name == "steerco.kafka"] == [
        f"{topics.names[0]} {partition}:1 is no event; it and its like are passed over"
    ]


@pytest.mark.parametrize("shards", [1, 2, 5, 12])
async def test_the_shards_of_a_log_are_the_whole_of_it(topics: Topics, shards: int) -> None:
    events = counted(topics, 2, [f"tally-{n}" for n in range(30)])
    await topics.publish(events)
    found: list[Recorded] = []
    for shard in (Shard(number, shards) for number in range(shards)):
        mine = [event for event in events if event.partition in shard.partitions]
        async with opened(topics, shard) as feed:
            part, cursor = await read_on(feed, Cursor(), len(mine))
            while cursor.watermark is None:
                await feed.wait(0.1)
                cursor = (await feed.read(cursor, 100)).cursor
        assert {event.partition for event in part} <= set(shard.partitions)
        assert all(cursor.positions[n] == 0 for n in range(PARTITIONS) if n not in shard.partitions)
        found += part
    assert sorted(positions(found)) == positions(events)


async def test_an_event_that_the_topic_lacks_is_missed_until_all_is_published_again(topics: Topics) -> None:
    events = counted(topics, 6)
    await topics.publish([*events[:2], *events[3:5]], topics.head(events[:5]))
    async with opened(topics) as feed:
        first, cursor = await read_on(feed, Cursor(), 2)
        with pytest.raises(EventsMissing, match=r"tally-1 goes on from version 2 to 4"):
            await read_on(feed, cursor, 1)
    assert positions(first) == [1, 2]
    cursor = replace(cursor, offsets=(0,) * PARTITIONS)
    async with opened(topics) as feed:
        with pytest.raises(EventsMissing):
            await read_on(feed, cursor, 1)
        await topics.publish(events)
        rest, cursor = await read_on(feed, cursor, 4)
    assert positions(rest) == [3, 4, 5, 6]
    assert cursor.offsets[partition_of(STREAM)] == 10


async def test_a_gap_in_what_was_read_since_is_seen_too_and_where_to_read_it_again_is_kept(topics: Topics) -> None:
    events = counted(topics, 6)
    await topics.publish(events[:2])
    async with opened(topics) as feed:
        _, cursor = await read_on(feed, Cursor(), 2)
        await topics.publish(events[3:5], topics.head(events[:5]))
        seen = [cursor]
        with pytest.raises(EventsMissing):
            await read_for_ever(feed, seen)
    cursor = seen[-1]
    assert (cursor.positions[partition_of(STREAM)], max(cursor.offsets)) == (2, 0)


async def test_a_log_that_goes_on_while_nothing_comes_is_told(topics: Topics, monkeypatch: pytest.MonkeyPatch) -> None:
    events = counted(topics, 3)
    await topics.publish(events[:2], topics.head(events))
    async with opened(topics) as feed:
        _, cursor = await read_on(feed, Cursor(), 2)
        monkeypatch.setattr(kafka_feed, "WATCHDOG_SECONDS", 0.2)
        with pytest.raises(FeedStalled, match="nothing comes"):
            await read_for_ever(feed, [cursor])


async def test_topics_that_are_not_there_are_told(topics: Topics, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka_feed, "WATCHDOG_SECONDS", 0.2)
    await topics.delete(*topics.names)
    async with opened(topics) as feed:
        with pytest.raises(FeedStalled, match="not there"):
            await read_for_ever(feed, [Cursor()])


async def test_a_quiet_log_is_no_reason_to_worry(topics: Topics, monkeypatch: pytest.MonkeyPatch) -> None:
    events = counted(topics, 3)
    await topics.publish(events)
    async with opened(topics) as feed:
        _, cursor = await read_on(feed, Cursor(), 3)
        monkeypatch.setattr(kafka_feed, "WATCHDOG_SECONDS", 0.1)
        for _ in range(10):
            await feed.wait(0.1)
            cursor = (await feed.read(cursor, 10)).cursor
    assert cursor.watermark == topics.head(events).watermark


@pytest.fixture
async def directory() -> AsyncIterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="steerco-broker-"))
    yield path
    await remove_kafka(path)
    shutil.rmtree(path, ignore_errors=True)


async def test_a_broker_that_was_away_and_is_there_again_is_read_on(directory: Path) -> None:
    broker = await start_kafka(directory)
    try:
        async with fresh_topics(Broker(broker.bootstrap)) as topics:
            events = counted(topics, 6)
            await topics.publish(events[:3])
            async with opened(topics) as feed:
                first, cursor = await read_on(feed, Cursor(), 3)
                await broker.stop()
                for _ in range(5):
                    await feed.wait(0.2)
                broker = await start_kafka(directory, port=int(broker.bootstrap.rpartition(":")[2]))
                await until(partial(can_publish, topics, events), "the broker is there again")
                rest: list[Recorded] = []
                async with asyncio.timeout(PATIENCE):
                    while len(rest) < 3:
                        try:
                            await feed.wait(0.5)
                            batch = await feed.read(cursor, 10)
                        except KafkaError:
                            await feed.close()
                            continue
                        rest += batch.events
                        cursor = batch.cursor
    finally:
        await broker.stop()
    assert positions([*first, *rest]) == [1, 2, 3, 4, 5, 6]


async def can_publish(topics: Topics, events: Sequence[Recorded]) -> bool:
    try:
        await topics.publish(events)
    except KafkaError:
        return False
    return True
