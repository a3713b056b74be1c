"""A reader never passes over what was deleted from a topic: it says so, and goes on once the topic was made anew."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from steerco_events.kafka.broker import Broker
from steerco_events.kafka.gaps import EventsMissing
from steerco_events.ports import Cursor, Shard
from steerco_events.positions import PARTITIONS, START, partition_of
from steerco_events.testkit.logs import PATIENCE, read_on
from steerco_events.testkit.tally import Counted
from steerco_events.testkit.topics import STREAM, Topics, counted, fresh_topics, opened, positions, read_for_ever
from steerco_servers.testing import TemporaryKafka

pytestmark = pytest.mark.kafka

CUT = partition_of(STREAM)
OTHER = next(name for n in range(100) if partition_of(name := f"tally-{n}") != CUT)
SAME = next(name for n in range(2, 1000) if partition_of(name := f"tally-{n}") == CUT)


@pytest.fixture
async def topics(kafka: TemporaryKafka) -> AsyncIterator[Topics]:
    async with fresh_topics(Broker(kafka.bootstrap)) as topics:
        yield topics


async def make_anew(topics: Topics) -> None:
    await topics.delete(topics.names[0])
    await topics.create()


async def stopped(topics: Topics, after: Cursor, what: str, shard: Shard | None = None) -> Cursor:
    """Where a reader stops that misses this."""
    seen = [after]
    async with opened(topics, shard or Shard()) as feed:
        with pytest.raises(EventsMissing, match=what):
            await read_for_ever(feed, seen)
    assert {cursor.watermark for cursor in seen[1:]} <= {None}
    return seen[-1]


async def test_a_new_reader_does_not_begin_after_what_was_cut(topics: Topics) -> None:
    events = counted(topics, 6, [STREAM, OTHER])
    await topics.publish(events)
    await topics.cut(CUT, before=3)
    cursor = await stopped(
        topics, Cursor(), f"partition {CUT} was cut, up to position 7 or beyond, and is read up to 0"
    )
    assert cursor.positions[CUT] == 0
    assert cursor.positions[partition_of(OTHER)] == 12
    await stopped(topics, cursor, "was cut")


async def test_that_streams_are_gone_as_a_whole_is_seen_too(topics: Topics) -> None:
    events = topics.log([[(stream, Counted(by=n)) for n in (1, 2)] for stream in (STREAM, SAME)])
    await topics.publish(events)
    await topics.cut(CUT, before=2)
    cursor = await stopped(topics, Cursor(), "was cut")
    assert cursor.positions == START


async def test_that_a_partition_has_nothing_any_more_is_seen_too(topics: Topics) -> None:
    await topics.publish(counted(topics, 4))
    await topics.cut(CUT, before=4)
    await stopped(topics, Cursor(), f"partition {CUT} was cut, up to position 4, and is read up to 0")


async def test_a_shard_misses_only_what_is_its_own(topics: Topics) -> None:
    events = counted(topics, 4, [STREAM, OTHER])
    await topics.publish(events)
    await topics.cut(CUT, before=2)
    other = Shard(partition_of(OTHER), PARTITIONS)
    async with opened(topics, other) as feed:
        found, _ = await read_on(feed, Cursor(), 4)
    assert {event.stream for event in found} == {OTHER}
    await stopped(topics, Cursor(), "was cut", Shard(CUT, PARTITIONS))


async def test_a_reader_that_was_away_does_not_go_on_after_what_was_cut(topics: Topics) -> None:
    events = counted(topics, 6)
    await topics.publish(events[:2])
    async with opened(topics) as feed:
        _, cursor = await read_on(feed, Cursor(), 2)
    await topics.publish(events[2:], topics.head(events))
    await topics.cut(CUT, before=4)
    cursor = await stopped(topics, replace(cursor, watermark=None), "up to position 5 or beyond, and is read up to 2")
    assert cursor.positions[CUT] == 2
    await topics.publish(events, topics.head(events))
    await stopped(topics, cursor, "was cut")
    await make_anew(topics)
    await topics.publish(events)
    async with opened(topics) as feed:
        rest, _ = await read_on(feed, cursor, 4)
    assert positions(rest) == [3, 4, 5, 6]


async def test_a_reader_goes_on_by_itself_once_the_topic_was_made_anew(topics: Topics) -> None:
    events = counted(topics, 4)
    await topics.publish(events)
    await topics.cut(CUT, before=2)
    async with opened(topics) as feed:
        seen = [Cursor()]
        with pytest.raises(EventsMissing):
            await read_for_ever(feed, seen)
        await make_anew(topics)
        await topics.publish(events)
        found, _ = await read_on(feed, seen[-1], 4)
    assert positions(found) == [1, 2, 3, 4]


async def test_a_topic_that_was_made_anew_and_then_cut_is_not_read_on(topics: Topics) -> None:
    events = counted(topics, 8)
    await topics.publish(events[:3])
    async with opened(topics) as feed:
        _, cursor = await read_on(feed, Cursor(), 3)
    await make_anew(topics)
    await topics.publish([events[0], *events[4:]], topics.head(events))
    await topics.cut(CUT, before=1)
    cursor = await stopped(topics, replace(cursor, watermark=None), "up to position 5 or beyond, and is read up to 3")
    assert cursor.positions[CUT] == 3


async def test_a_topic_that_begins_later_than_its_streams_is_not_read_on(topics: Topics) -> None:
    events = counted(topics, 6)
    await topics.publish(events[4:], topics.head(events))
    cursor = Cursor(1, (2,) * PARTITIONS)
    cursor = await stopped(topics, cursor, "tally-1 goes on from version 0 to 5")
    await topics.publish(events)
    async with opened(topics) as feed:
        rest, _ = await read_on(feed, cursor, 4)
    assert positions(rest) == [3, 4, 5, 6]


async def test_what_was_left_because_of_a_gap_has_to_come_again(topics: Topics) -> None:
    events = counted(topics, 6, [STREAM, SAME])
    await topics.publish([*events[:2], *events[4:6], *events[:3]], topics.head(events[:6]))
    await topics.publish([event for event in events[6:] if event.stream == STREAM], topics.head(events))
    cursor = await stopped(topics, Cursor(), "goes on from")
    assert cursor.positions[CUT] == 3


async def test_a_reader_that_has_what_was_cut_goes_on(topics: Topics) -> None:
    events = counted(topics, 6)
    await topics.publish(events[:4])
    async with opened(topics) as feed:
        _, cursor = await read_on(feed, Cursor(), 4)
    await topics.cut(CUT, before=3)
    await topics.publish(events[4:], topics.head(events))
    async with opened(topics) as feed:
        rest, _ = await read_on(feed, cursor, 2)
    assert positions(rest) == [5, 6]


async def test_a_reader_that_has_all_is_not_troubled_by_an_empty_topic(topics: Topics) -> None:
    events = counted(topics, 4)
    await topics.publish(events)
    async with opened(topics) as feed:
        _, cursor = await read_on(feed, Cursor(), 4)
    await topics.cut(CUT, before=4)
    cursor = replace(cursor, watermark=None)
    async with opened(topics) as feed, asyncio.timeout(PATIENCE):
        while cursor.watermark is None:
            cursor = (await feed.read(cursor, 10)).cursor
            await feed.wait(0.1)
    assert cursor.watermark == topics.head(events).watermark
