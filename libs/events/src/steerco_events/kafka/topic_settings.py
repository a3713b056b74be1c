"""Whether a topic that is there can hold a log, whoever made it; what is wrong with it is set right, or refused."""

import logging
from collections.abc import Mapping, Sequence

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import for_code

from steerco_events.kafka.broker import Broker

KEEPING = frozenset({"cleanup.policy", "retention.ms", "retention.bytes"})
"""The settings by which a topic keeps its records, or loses them."""

_OWN = 1
"""The source of a setting that is the topic's own, and not its broker's."""

_logger = logging.getLogger("steerco.kafka")


class TopicUnfit(Exception):
    """A topic is not as it has to be, and that can't be set right."""


def check_partitions(topic: NewTopic, partitions: int) -> None:
    """Raise `TopicUnfit` for a topic that has another number of partitions than it has to."""
    if partitions != topic.num_partitions:
        has = f"topic {topic.name} has partitions={partitions} and needs {topic.num_partitions}"
        raise TopicUnfit(f"{has}: delete it, and it is made anew and filled from the store")


async def set_right(broker: Broker, admin: AIOKafkaAdminClient, topics: Sequence[NewTopic]) -> None:
    """Let these topics, which are there, keep what we would have them keep.

    Raises `TopicUnfit` if the broker does not let us, `BrokerRefuses` if not even look, aiokafka's `KafkaError`.
    """
    asked = [ConfigResource(ConfigResourceType.TOPIC, topic.name) for topic in topics]
    wanted = {topic.name: topic.topic_configs for topic in topics}
    for answer in await admin.describe_configs(asked):
        for code, message, _, name, entries in answer.resources:
            if code:
                with broker.doing(f"read the settings of topic {name}"):
                    raise for_code(code)(f"the settings of topic {name}: {message}")
            found = {setting: value for setting, value, *_ in entries}
            wrong = {setting: wanted[name][setting] for setting in KEEPING & wanted[name].keys()}
            wrong = {setting: value for setting, value in sorted(wrong.items()) if found.get(setting) != value}
            if wrong:
                own = {setting: value for setting, value, _, source, *_ in entries if source == _OWN}
                await _set(admin, name, own | wrong, _said(name, found, wrong))


async def _set(admin: AIOKafkaAdminClient, topic: str, settings: Mapping[str, str], wrong: str) -> None:
    """Give a topic these settings of its own; it loses all others."""
    for answer in await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, settings)]):
        for code, message, *_ in answer.resources:
            if code:
                raise TopicUnfit(f"{wrong}; the broker does not let us set it: {for_code(code).__name__}: {message}")
    _logger.warning("%s, which is set right", wrong)


def _said(topic: str, found: Mapping[str, str], wrong: Mapping[str, str]) -> str:
    settings = (f"{setting}={found.get(setting)} and needs {value}" for setting, value in wrong.items())
    return f"topic {topic} has {', '.join(settings)}"
