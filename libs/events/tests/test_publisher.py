"""The publisher keeps the order of a partition, whatever fails, and lets go of a broker that does not answer."""

import asyncio
import base64
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from aiokafka.admin import NewTopic
from aiokafka.errors import MessageSizeTooLargeError

from steerco_events.kafka.broker import Broker
from steerco_events.kafka.publisher import MAX_BATCH_BYTES, STOP_SECONDS, KafkaPublisher
from steerco_events.kafka.topics import contents_of, create_topics
from steerco_events.positions import PARTITIONS
from steerco_events.testkit.recorded import log_of
from steerco_events.testkit.tally import Counted
from steerco_events.testkit.topics import counted, fresh_topics
from steerco_servers.kafka import KafkaServer, remove_kafka, start_kafka
from steerco_servers.testing import TemporaryKafka

pytestmark = pytest.mark.kafka


@pytest.fixture
async def broker() -> AsyncIterator[KafkaServer]:
    """A broker of this test's own, which it may stop."""
    home = Path(tempfile.mkdtemp(prefix="steerco-"))
    async with await start_kafka(home / "kafka") as server:
        yield server
    await remove_kafka(home / "kafka")
    shutil.rmtree(home)


async def test_who_is_cancelled_while_the_broker_stands_still_ends_all_the_same(broker: KafkaServer) -> None:
    await create_topics(Broker(broker.bootstrap), ["tally"], replication=1)
    publisher = KafkaPublisher("tally", Broker(broker.bootstrap))
    events = log_of([[("tally-1", Counted(by=1))]])
    await publisher.publish(events)
    os.kill(broker.pid, signal.SIGSTOP)
    try:
        publishing = asyncio.create_task(publisher.publish(events))
        await asyncio.wait([publishing], timeout=0.5)
        publishing.cancel()
        await asyncio.wait([publishing], timeout=2 * STOP_SECONDS)
        assert publishing.cancelled()
    finally:
        os.kill(broker.pid, signal.SIGCONT)


async def test_what_comes_after_a_batch_that_the_broker_does_not_take_is_not_sent(kafka: TemporaryKafka) -> None:
    async with fresh_topics(Broker(kafka.bootstrap)) as topics:
        first, second = counted(topics, 2)
        large = replace(first, data=base64.b64encode(os.urandom(MAX_BATCH_BYTES * 2 // 3)))
        small = replace(second, data=base64.b64encode(os.urandom(MAX_BATCH_BYTES // 10)))
        await topics.delete(topics.names[0])
        limit = {"max.message.bytes": str(MAX_BATCH_BYTES // 4)}
        await topics.admin.create_topics([NewTopic(topics.names[0], PARTITIONS, 1, topic_configs=limit)])
        publisher = KafkaPublisher(topics.service, Broker(kafka.bootstrap))
        try:
            with pytest.raises(MessageSizeTooLargeError):
                await publisher.publish([large, small])
            assert (await contents_of(Broker(kafka.bootstrap), topics.service)).is_new
            await publisher.publish([small])
            assert not (await contents_of(Broker(kafka.bootstrap), topics.service)).is_new
        finally:
            await publisher.close()
