"""Which topics these are: a topic that is deleted and made anew has the name of the old one, but never its id.

aiokafka speaks older versions of the metadata request, which don't tell the ids; this is version 12 (Kafka 3.1).
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.api import RequestStruct, Response
from aiokafka.protocol.types import (
    Boolean,
    CompactArray,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)

from steerco_events.kafka.broker import NOT_AUTHORIZED, Broker
from steerco_events.kafka.requests import TEXT, ask

_NO_ID = UUID(int=0)


class _Id:
    """16 bytes."""

    @staticmethod
    def encode(value: UUID) -> bytes:
        return value.bytes

    @staticmethod
    def decode(data: Any) -> UUID:
        return UUID(bytes=data.read(16))

    repr = repr


class _Response(Response):
    API_KEY = 3
    API_VERSION = 12
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            CompactArray(("node_id", Int32), ("host", TEXT), ("port", Int32), ("rack", TEXT), ("tags", TaggedFields)),
        ),
        ("cluster_id", TEXT),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("name", TEXT),
                ("topic_id", _Id),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", CompactArray(Int32)),
                        ("isr", CompactArray(Int32)),
                        ("offline_replicas", CompactArray(Int32)),
                        ("tags", TaggedFields),
                    ),
                ),
                ("authorized_operations", Int32),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class _Request(RequestStruct):
    API_KEY = 3
    API_VERSION = 12
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = _Response
    SCHEMA = Schema(
        ("topics", CompactArray(("topic_id", _Id), ("name", TEXT), ("tags", TaggedFields))),
        ("allow_auto_topic_creation", Boolean),
        ("include_authorized_operations", Boolean),
        ("tags", TaggedFields),
    )


class TopicIds:
    """Asks a cluster for the ids of topics, by a connection of its own.

    Raises `BrokerRefuses`, also about a topic of which we may not know whether it is there; aiokafka's `KafkaError`.
    """

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._client = AIOKafkaClient(**broker.options)
        self._is_started = False

    async def of(self, *topics: str) -> Mapping[str, UUID]:
        """The ids of those of the topics that are there."""
        return {name: id for error, name, id, *_ in await self._told(topics) if not error}

    async def partitions(self, *topics: str) -> Mapping[str, int]:
        """How many partitions those of the topics have that are there."""
        return {name: len(each) for error, name, _, _, each, *_ in await self._told(topics) if not error}

    async def _told(self, topics: Sequence[str]) -> Sequence[Any]:
        if not self._is_started:
            await self._broker.begin(self._client.bootstrap)
            self._is_started = True
        asked: Sequence[Any] = [(_NO_ID, name, {}) for name in topics]
        answer = await ask(self._client, _Request, asked, False, False, {})
        for error, name, *_ in answer.topics:
            if error == NOT_AUTHORIZED:  # else it would look as if it was not there
                raise self._broker.refusal(f"know of topic {name}")
        return list(answer.topics)

    async def close(self) -> None:
        """Free the connection."""
        await self._client.close()
