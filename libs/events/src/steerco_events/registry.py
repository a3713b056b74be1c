"""Event types by wire name: how a payload becomes bytes and comes back.

A payload is a frozen dataclass that a `Registry` has registered under a wire name, a literal that never
changes, and an integer version. msgspec encodes it; the bytes are stored and published as they are.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, dataclass_transform

import msgspec

type Payload = Any
"""An instance of a registered event dataclass."""


@dataclass(frozen=True, slots=True)
class UnknownEvent:
    """An event whose type or version this release does not know; consumers pass over it."""

    type: str
    version: int


@dataclass(frozen=True, slots=True)
class EventType:
    """One published event: its wire name, its version and the dataclass that holds its data."""

    name: str
    version: int
    payload: type[Any]

    @property
    def schema(self) -> str:
        """The `ce_dataschema` of the event."""
        return schema_urn(self.name, self.version)


def schema_urn(name: str, version: int) -> str:
    """The name of the schema of an event type's version."""
    _, service, event = name.split(".", 2)
    return f"urn:steerco:{service}:{event}:{version}"


class Registry:
    """The event types that a reader knows."""

    def __init__(self, service: str | None = None) -> None:
        self._service = service
        self._by_name: dict[tuple[str, int], EventType] = {}
        self._by_class: dict[type[Any], EventType] = {}
        self._decoders: dict[tuple[str, int], msgspec.json.Decoder[Any]] = {}

    @property
    def service(self) -> str | None:
        """The owner of the event types, if they have one."""
        return self._service

    def add(self, event_type: EventType) -> None:
        """Know one more event type. Raises `ValueError` for a name and version that are taken."""
        key = (event_type.name, event_type.version)
        if key in self._by_name:
            raise ValueError(f"{event_type.name} version {event_type.version} is registered twice")
        self._by_name[key] = event_type
        self._by_class[event_type.payload] = event_type

    def including(self, *others: "Registry") -> "Registry":
        """A registry that knows this one's event types and those of `others`."""
        merged = Registry()
        for registry in (self, *others):
            for event_type in registry:
                merged.add(event_type)
        return merged

    def __iter__(self) -> Iterator[EventType]:
        return iter(self._by_name.values())

    def type_of(self, payload: Payload) -> EventType:
        """The event type of a payload; `KeyError` if its class was never registered."""
        return self._by_class[type(payload)]

    def encode(self, payload: Payload) -> bytes:
        """The exact bytes to store and publish (JSON, UTF-8)."""
        return msgspec.json.encode(payload)

    def decode(self, name: str, version: int, data: bytes) -> Payload:
        """The payload, or `UnknownEvent`. Raises `msgspec.ValidationError` for bytes out of contract."""
        key = (name, version)
        decoder = self._decoders.get(key)
        if decoder is None:
            event_type = self._by_name.get(key)
            if event_type is None:
                return UnknownEvent(name, version)
            decoder = self._decoders[key] = msgspec.json.Decoder(event_type.payload)
        return decoder.decode(data)


@dataclass_transform(frozen_default=True, kw_only_default=True)
def event[T](registry: Registry, name: str, version: int = 1) -> Callable[[type[T]], type[T]]:
    """Class decorator: makes a frozen dataclass and registers it as `steerco.<service>.<name>`."""

    def register(cls: type[T]) -> type[T]:
        payload = dataclass(frozen=True, kw_only=True)(cls)
        registry.add(EventType(f"steerco.{registry.service}.{name}", version, payload))
        return payload

    return register
