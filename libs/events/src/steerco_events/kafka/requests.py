"""Requests that aiokafka does not know, or not as new as needed: each of the one version that is written down here."""

from typing import Any

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.api import Request, RequestStruct
from aiokafka.protocol.types import CompactString

TEXT = CompactString("utf-8")
"""A text, as newer requests hold it."""


class _Asked(Request[RequestStruct]):
    API_KEY = -1

    def __init__(self, struct: type[RequestStruct], *values: Any) -> None:
        self.API_KEY, self._CLASSES, self._values = struct.API_KEY, (struct,), values

    def build(self, request_struct_class: type[RequestStruct]) -> RequestStruct:
        return request_struct_class(*self._values)


async def ask(client: AIOKafkaClient, struct: type[RequestStruct], *values: Any) -> Any:
    """The answer of some broker to a request that holds these values. Raises aiokafka's `KafkaError`."""
    node = client.get_random_node()
    if node is None:
        raise KafkaConnectionError("no broker is known")
    return await client.send(node, _Asked(struct, *values))
