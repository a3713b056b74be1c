"""The publisher lets go of a broker that does not answer."""

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from steerco_events.kafka.publisher import STOP_SECONDS, KafkaPublisher
from steerco_events.kafka.topics import create_topics
from steerco_events.testkit.recorded import log_of
from steerco_events.testkit.tally import Counted
from steerco_servers.kafka import KafkaServer, remove_kafka, start_kafka

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
    await create_topics(broker.bootstrap, ["tally"], replication=1)
    publisher = KafkaPublisher("tally", broker.bootstrap)
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
