"""Brokers that let us connect and never answer: what is wrong is said, in less time than a step may take."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiokafka.errors import KafkaConnectionError

from steerco_events import relay as relaying
from steerco_events.consuming import consumer
from steerco_events.kafka import broker as brokers
from steerco_events.kafka.broker import ANSWER_SECONDS, REASON_SECONDS, Broker
from steerco_events.kafka.publisher import KafkaPublisher
from steerco_events.kafka.topics import contents_of
from steerco_events.relay import Relay
from steerco_events.retrying import failing_now, retrying
from steerco_events.testkit.logs import PATIENCE, Log, running, until

HOSTS = 3


@asynccontextmanager
async def silent(hosts: int) -> AsyncIterator[Broker]:
    """A cluster of so many brokers that never answer."""
    ended, conversations = asyncio.Event(), set[asyncio.Task[None]]()

    async def say_nothing(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        conversations.add(task)
        await ended.wait()
        writer.close()

    servers = [await asyncio.start_server(say_nothing, "127.0.0.1", 0) for _ in range(hosts)]
    try:
        yield Broker(",".join("{}:{}".format(*server.sockets[0].getsockname()) for server in servers))
    finally:
        ended.set()
        await asyncio.gather(*conversations)
        for server in servers:
            server.close()


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(brokers, "ANSWER_SECONDS", 0.2)
    monkeypatch.setattr(brokers, "REASON_SECONDS", 0.2)


@pytest.mark.usefixtures("hurried")
async def test_a_broker_that_never_answers_is_given_up() -> None:
    async with silent(HOSTS) as broker, asyncio.timeout(PATIENCE):
        with pytest.raises(KafkaConnectionError, match="Unable to bootstrap"):
            await contents_of(broker, "finance")


@pytest.mark.usefixtures("hurried")
async def test_a_relay_says_that_its_brokers_are_not_reached_and_not_that_it_hangs(log: Log) -> None:
    async with silent(HOSTS) as broker:
        work = Relay(log.engine, log.feed(), KafkaPublisher(log.service, broker))

        async def failed() -> bool:
            return "silent relay" in failing_now()

        async with running(lambda: retrying(work.run, "silent relay")):
            await until(failed, "the relay says what is wrong")
            assert failing_now()["silent relay"].startswith("KafkaConnectionError: ")


def test_all_brokers_of_a_cluster_are_given_up_before_a_step_is_cut_off() -> None:
    assert min(relaying.STEP_SECONDS, consumer.STEP_SECONDS) > HOSTS * ANSWER_SECONDS + REASON_SECONDS
    assert Broker("127.0.0.1:9092").options["request_timeout_ms"] == 1000 * ANSWER_SECONDS
