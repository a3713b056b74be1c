"""Events as Kafka records and back: CloudEvents 1.0, Kafka binding, binary mode.

The value is the event's data, byte for byte; every attribute is a header in UTF-8.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Self

from steerco_events.cloudevents import ATTRIBUTES, recorded_of, values_of
from steerco_events.envelope import Recorded
from steerco_events.registry import Registry

type Headers = Sequence[tuple[str, bytes]]


def header_of(attribute: str) -> str:
    """The header that carries an attribute."""
    return "content-type" if attribute == "datacontenttype" else f"ce_{attribute}"


_NAMES = tuple(map(header_of, ATTRIBUTES))
_TRACEPARENT = header_of("traceparent")


class Outgoing(Recorded):
    """An event that came with its headers; the rest of its envelope is read from them if somebody asks."""

    key: bytes
    headers: Headers

    @classmethod
    def of(
        cls,
        *,
        position: int,
        partition: int,
        key: bytes,
        headers: Headers,
        data: bytes,
        service: str,
        registry: Registry,
    ) -> Self:
        """The event of which this is known."""
        event = cls.__new__(cls)
        known = {
            "position": position,
            "partition": partition,
            "key": key,
            "headers": headers,
            "data": data,
            "service": service,
            "registry": registry,
        }
        object.__setattr__(event, "__dict__", known)
        return event

    def __getattr__(self, name: str) -> Any:
        if name not in Recorded.__dataclass_fields__:
            raise AttributeError(name)
        if name == "traceparent":  # of every event, where traces are recorded
            found = next((value.decode() for header, value in self.headers if header == _TRACEPARENT), None)
            self.__dict__[name] = found
            return found
        whole = event_of(self.headers, self.data, self.partition, self.service, self.registry)
        self.__dict__.update(whole.__dict__)
        return self.__dict__[name]


def key_of(event: Recorded) -> bytes:
    """The key of an event's record: its stream."""
    return event.key if isinstance(event, Outgoing) else event.stream.encode()


def headers_of(event: Recorded) -> Headers:
    """The headers of an event; what it does not have is left out."""
    if isinstance(event, Outgoing):
        return event.headers
    named = zip(_NAMES, values_of(event), strict=True)
    return [(name, value.encode()) for name, value in named if value is not None]


def position_of(headers: Iterable[tuple[str, bytes]]) -> tuple[int, int]:
    """Generation and position of a record, without decoding the rest."""
    found = dict(headers)
    return int(found["ce_loggeneration"]), int(found["ce_sequence"])


def event_of(
    headers: Iterable[tuple[str, bytes]], value: bytes, partition: int, service: str, registry: Registry
) -> Recorded:
    """The event of a record. Raises `KeyError` or `ValueError` for a record that is none."""
    attributes = {name.removeprefix("ce_"): text.decode() for name, text in headers}
    return recorded_of(attributes, value, partition, service, registry)
