"""Both ways to read a log, held to the same behaviour."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from steerco_events.testkit.feeds import Carrier, FeedBehaviour, KafkaCarrier
from steerco_servers.testing import TemporaryKafka, TemporaryPostgres


class TestFeedFromTheStore(FeedBehaviour):
    @pytest.fixture
    async def carrier(self, postgres: TemporaryPostgres) -> AsyncIterator[Carrier]:
        async with AsyncExitStack() as stack:
            yield Carrier(postgres, stack)


@pytest.mark.kafka
class TestFeedFromKafka(FeedBehaviour):
    @pytest.fixture
    async def carrier(self, postgres: TemporaryPostgres, kafka: TemporaryKafka) -> AsyncIterator[Carrier]:
        async with AsyncExitStack() as stack:
            yield KafkaCarrier(postgres, stack, kafka.bootstrap)
