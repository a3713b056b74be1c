"""Both ways to read a log, held to the same behaviour."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest

from steerco_events.kafka.broker import Broker
from steerco_events.ports import Cursor
from steerco_events.positions import START, advanced
from steerco_events.testkit.feeds import Carrier, FeedBehaviour, KafkaCarrier, count_up, read_all
from steerco_servers.testing import TemporaryKafka, TemporaryPostgres


class TestFeedFromTheStore(FeedBehaviour):
    @pytest.fixture
    async def carrier(self, postgres: TemporaryPostgres) -> AsyncIterator[Carrier]:
        async with AsyncExitStack() as stack:
            yield Carrier(postgres, stack)

    async def test_what_a_reader_of_kafka_knew_takes_no_room_in_a_batch(self, carrier: Carrier) -> None:
        log = await carrier.new_log()
        await count_up(log, streams=3, times=10)
        feed = carrier.feed(log)
        events, cursor = await read_all(feed, Cursor(), 30)
        there = replace(cursor, positions=advanced(START, ((event.partition, event.position) for event in events)))
        assert 0 in there.positions
        batch = await feed.read(there, 5)
        assert (batch.events, batch.cursor.positions) == ([], cursor.positions)
        assert batch.cursor.watermark


@pytest.mark.kafka
class TestFeedFromKafka(FeedBehaviour):
    @pytest.fixture
    async def carrier(self, postgres: TemporaryPostgres, kafka: TemporaryKafka) -> AsyncIterator[Carrier]:
        async with AsyncExitStack() as stack:
            yield KafkaCarrier(postgres, stack, Broker(kafka.bootstrap))
