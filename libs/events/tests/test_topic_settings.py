"""A topic that somebody else made keeps all of the log, or nothing is published into it."""

import logging
from collections.abc import AsyncIterator, Mapping
from functools import partial

import pytest
from aiokafka.admin import NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from steerco_events.kafka.broker import Broker
from steerco_events.kafka.publisher import KafkaPublisher
from steerco_events.kafka.topic_settings import TopicUnfit, set_right
from steerco_events.testkit.logs import until
from steerco_events.testkit.topics import Topics, fresh_topics
from steerco_servers.testing import TemporaryKafka

pytestmark = pytest.mark.kafka


@pytest.fixture
async def topics(kafka: TemporaryKafka) -> AsyncIterator[Topics]:
    """Those of a service before anybody made them."""
    async with fresh_topics(Broker(kafka.bootstrap)) as topics:
        await topics.delete(*topics.names)
        yield topics


async def prepare(topics: Topics) -> bool:
    publisher = KafkaPublisher(topics.service, topics.broker, replication=1)
    try:
        return await publisher.prepare()
    finally:
        await publisher.close()


async def make(topics: Topics, name: str, partitions: int, **settings: str) -> None:
    configs = {setting.replace("_", "."): value for setting, value in settings.items()}
    await topics.admin.create_topics([NewTopic(name, partitions, 1, topic_configs=configs)])


async def settings(topics: Topics, name: str) -> Mapping[str, str]:
    (answer,) = await topics.admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name)])
    ((_, _, _, _, entries),) = answer.resources
    return {setting: value for setting, value, *_ in entries}


async def keeps_all(topics: Topics) -> bool:
    events, head = [await settings(topics, name) for name in topics.names]
    kept = (events["retention.ms"], events["retention.bytes"], events["cleanup.policy"])
    return kept == ("-1", "-1", "delete") and head["cleanup.policy"] == "compact"


async def test_a_topic_that_forgets_is_set_right_and_keeps_its_other_settings(
    topics: Topics, caplog: pytest.LogCaptureFixture
) -> None:
    events, head = topics.names
    await make(topics, events, 12, retention_ms="604800000", cleanup_policy="compact,delete", segment_bytes="1048576")
    await make(topics, head, 1)
    with caplog.at_level(logging.WARNING, "steerco.kafka"):
        await prepare(topics)
    await until(partial(keeps_all, topics), "what was set is so")
    assert (await settings(topics, events))["segment.bytes"] == "1048576"
    assert {record.message for record in caplog.records if record.name == "steerco.kafka"} == {
        f"topic {events} has cleanup.policy=compact,delete and needs delete,"
        " retention.ms=604800000 and needs -1, which is set right",
        f"topic {head} has cleanup.policy=delete and needs compact, which is set right",
    }


async def test_a_topic_that_is_as_we_make_it_is_left_alone(topics: Topics, caplog: pytest.LogCaptureFixture) -> None:
    await topics.create()
    before = [await settings(topics, name) for name in topics.names]
    with caplog.at_level(logging.WARNING, "steerco.kafka"):
        await prepare(topics)
    assert [await settings(topics, name) for name in topics.names] == before
    assert not [record.message for record in caplog.records if record.name == "steerco.kafka"]


@pytest.mark.parametrize(("which", "needs"), [(0, 12), (1, 1)])
async def test_a_topic_with_another_number_of_partitions_is_refused(topics: Topics, which: int, needs: int) -> None:
    await make(topics, topics.names[which], 3)
    with pytest.raises(
        TopicUnfit, match=rf"^topic {topics.names[which]} has partitions=3 and needs {needs}: delete it"
    ):
        await prepare(topics)


async def test_what_the_broker_does_not_let_us_set_is_refused(topics: Topics) -> None:
    await topics.create()
    name = topics.names[0]
    impossible = NewTopic(name, 12, 1, topic_configs={"retention.ms": "ever"})
    said = f"^topic {name} has retention.ms=-1 and needs ever; the broker does not let us set it: InvalidConfig"
    with pytest.raises(TopicUnfit, match=said):
        await set_right(topics.broker, topics.admin, [impossible])
