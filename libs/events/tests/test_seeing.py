"""What a broker does not come to know is not waited for for ever: it is said what that is."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaTimeoutError, TopicAlreadyExistsError

from steerco_events.ids import new_id
from steerco_events.kafka import seeing
from steerco_events.kafka.broker import Broker
from steerco_events.kafka.seeing import seen
from steerco_events.kafka.topics import create_topics, events_topic, make_anew
from steerco_events.testkit.logs import PATIENCE
from steerco_events.testkit.topics import fresh_topics
from steerco_servers.testing import TemporaryKafka


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seeing, "SEEN_WITHIN", 0.2)


async def test_what_comes_to_be_so_is_waited_for() -> None:
    reasons: list[Exception | None] = [None, ValueError("not yet"), ValueError("not yet")]

    async def why_not() -> Exception | None:
        return reasons.pop()

    await seen(why_not)
    assert reasons == []


async def test_what_never_comes_to_be_so_is_given_up_with_its_reason() -> None:
    async def why_not() -> Exception:
        return ValueError("never")

    async with asyncio.timeout(PATIENCE):
        with pytest.raises(ValueError, match="never"):
            await seen(why_not)


@pytest.mark.kafka
async def test_a_topic_that_is_there_again_all_the_time_is_not_waited_for_for_ever(
    kafka: TemporaryKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with fresh_topics(Broker(kafka.bootstrap)) as topics:

        async def names(_: AIOKafkaAdminClient) -> list[str]:
            return list(topics.names)

        monkeypatch.setattr(AIOKafkaAdminClient, "list_topics", names)
        async with asyncio.timeout(PATIENCE):
            with pytest.raises(KafkaTimeoutError, match=f"{topics.names[0]} is there still, or again"):
                await make_anew(topics.broker, topics.service, replication=1)


@pytest.mark.kafka
async def test_a_topic_that_only_others_know_of_is_not_waited_for_for_ever(
    kafka: TemporaryKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def there_already(_: AIOKafkaAdminClient, topics: list[Any]) -> SimpleNamespace:
        return SimpleNamespace(topic_errors=[(each.name, TopicAlreadyExistsError.errno, None) for each in topics])

    monkeypatch.setattr(AIOKafkaAdminClient, "create_topics", there_already)
    service = f"tally_{new_id().hex[-12:]}"
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(KafkaTimeoutError, match=f"{events_topic(service)}.*: made by somebody, and not known yet"):
            await create_topics(Broker(kafka.bootstrap), [service], replication=1)
