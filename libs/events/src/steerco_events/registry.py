"""Event types by wire name: how a payload becomes bytes and comes back.

A payload is a frozen dataclass that a `Registry` has registered under a wire name, a literal that never
changes, and an integer version, from 1. msgspec encodes it; the bytes are stored and published as they are.

An event's older versions stay registered, each with a pure upcaster to the next: whoever reads meets the
newest only. One version is written, the newest that is not declared `written=False`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, dataclass_transform, get_type_hints

import msgspec

type Payload = Any
"""An instance of a registered event dataclass."""

type Upcaster = Callable[[Any], Any]
"""A pure function from the payload of one version to that of the next."""


@dataclass(frozen=True, slots=True)
class UnknownEvent:
    """An event of a type that this release does not know; consumers pass over it."""

    type: str
    version: int


class NewerVersion(Exception):
    """An event of a type that this release knows, in a version that it does not: to pass over it would lose a fact.

    `stream`: where it is, if that is known.
    """

    def __init__(self, type: str, version: int, newest: int, stream: str | None = None) -> None:
        super().__init__(
            f"{type} is of version {version} here, and this release knows it up to version {newest}:"
            " it can be read by a newer release only"
        )
        self.type = type
        self.version = version
        self.newest = newest
        self.stream = stream


class VersionNotWritten(Exception):
    """A payload of a version that this release reads but does not write."""


@dataclass(frozen=True, slots=True)
class EventType:
    """One version of a published event: its wire name and the dataclass that holds its data.

    With `written=False` this release reads it only; the next one writes it.
    """

    name: str
    version: int
    payload: type[Any]
    written: bool = True

    @property
    def schema(self) -> str:
        """The `ce_dataschema` of the event."""
        return schema_urn(self.name, self.version)


@lru_cache
def schema_urn(name: str, version: int) -> str:
    """The name of the schema of an event type's version."""
    _, service, event = name.split(".", 2)
    return f"urn:steerco:{service}:{event}:{version}"


def data_of(payload: Payload) -> bytes:
    """A payload as JSON in UTF-8, whether or not this release writes its version."""
    return msgspec.json.encode(payload)


class Registry:
    """The event types that a reader knows."""

    def __init__(self, service: str | None = None) -> None:
        self._service = service
        self._by_name: dict[str, dict[int, EventType]] = {}
        self._by_class: dict[type[Any], EventType] = {}
        self._written: dict[str, EventType] = {}
        self._upcasters: dict[type[Any], Upcaster] = {}
        self._decoders: dict[tuple[str, int], msgspec.json.Decoder[Any]] = {}

    @property
    def service(self) -> str | None:
        """The owner of the event types, if they have one."""
        return self._service

    def add(self, event_type: EventType) -> None:
        """Know one more event type. Raises `ValueError` for a name and version that are taken."""
        versions = self._by_name.setdefault(event_type.name, {})
        if event_type.version in versions:
            raise ValueError(f"{event_type.name} version {event_type.version} is registered twice")
        versions[event_type.version] = event_type
        self._by_class[event_type.payload] = event_type
        written = self._written.get(event_type.name)
        if event_type.written and (written is None or written.version < event_type.version):
            self._written[event_type.name] = event_type

    def add_upcaster(self, old: type[Any], new: type[Any], upcast: Upcaster) -> None:
        """Read payloads of `old` as `new`. Raises `ValueError` unless that is the event's next version."""
        before, after = self._by_class.get(old), self._by_class.get(new)
        if before is None or after is None or (before.name, before.version + 1) != (after.name, after.version):
            raise ValueError(f"{new.__name__} is not the version after {old.__name__}")
        if old in self._upcasters:
            raise ValueError(f"{before.name} version {before.version} has two upcasters")
        self._upcasters[old] = upcast

    def including(self, *others: "Registry") -> "Registry":
        """A registry that knows this one's event types and those of `others`."""
        merged = Registry()
        for registry in (self, *others):
            for event_type in registry:
                merged.add(event_type)
            merged._upcasters |= registry._upcasters
        return merged

    def __iter__(self) -> Iterator[EventType]:
        for versions in self._by_name.values():
            yield from versions.values()

    def type_of(self, payload: Payload) -> EventType:
        """The event type of a payload; `KeyError` if its class was never registered."""
        return self._by_class[type(payload)]

    def payload_of(self, name: str, version: int) -> type[Any] | None:
        """The dataclass of a version's data as it is stored; `None` for one that this release does not know."""
        found = self._by_name.get(name, {}).get(version)
        return found.payload if found else None

    def written(self, name: str) -> EventType | None:
        """The one version of an event that this release writes, if it writes any."""
        return self._written.get(name)

    def encode(self, payload: Payload) -> bytes:
        """The exact bytes to store and publish. Raises `VersionNotWritten` for all but the one version."""
        event_type = self.type_of(payload)
        written = self.written(event_type.name)
        if event_type != written:
            instead = f"it writes version {written.version}" if written else "it writes none yet"
            raise VersionNotWritten(
                f"this release only reads {event_type.name} version {event_type.version}; {instead}"
            )
        return data_of(payload)

    def decode(self, name: str, version: int, data: bytes, stream: str | None = None) -> Payload:
        """The payload in the newest version known, or `UnknownEvent`.

        Raises `NewerVersion`, which names the stream, and `msgspec.ValidationError` for bytes out of contract.
        """
        decoder = self._decoders.get((name, version))
        if decoder is None:
            versions = self._by_name.get(name)
            if versions is None:
                return UnknownEvent(name, version)
            if version not in versions:
                raise NewerVersion(name, version, max(versions), stream)
            decoder = self._decoders[name, version] = msgspec.json.Decoder(versions[version].payload)
        return self.newest(decoder.decode(data))

    def newest(self, payload: Payload) -> Payload:
        """The payload in the newest version known: what it will be when it is read back."""
        while upcast := self._upcasters.get(type(payload)):
            payload = upcast(payload)
        return payload

    def check(self) -> None:
        """Raise `ValueError`, naming each event whose older versions can't all be read as its newest."""
        problems = [problem for name, versions in self._by_name.items() for problem in self._gaps(name, versions)]
        if problems:
            raise ValueError("; ".join(problems))

    def _gaps(self, name: str, versions: Mapping[int, EventType]) -> Iterator[str]:
        for n in range(1, max(versions)):
            older = versions.get(n)
            if older is None:
                yield f"{name} has no version {n}"
            elif older.payload not in self._upcasters:
                yield f"{name} version {n} has no upcaster to the next"
            elif not older.written:
                yield f"{name} version {n} is not written, though there is a newer one"


@dataclass_transform(frozen_default=True, kw_only_default=True)
def event[T](registry: Registry, name: str, version: int = 1, *, written: bool = True) -> Callable[[type[T]], type[T]]:
    """Class decorator: makes a frozen dataclass and registers it as `steerco.<service>.<name>`.

    `written=False`: this release reads the version, and writes the one before it, if there is one.
    """

    def register(cls: type[T]) -> type[T]:
        payload = dataclass(frozen=True, kw_only=True)(cls)
        registry.add(EventType(f"steerco.{registry.service}.{name}", version, payload, written))
        return payload

    return register


def upcaster[F: Upcaster](registry: Registry) -> Callable[[F], F]:
    """Decorator of a pure function from one version's payload to the next one's: its annotations say which."""

    def register(upcast: F) -> F:
        hints = get_type_hints(upcast)
        new = hints.pop("return")
        (old,) = hints.values()
        registry.add_upcaster(old, new, upcast)
        return upcast

    return register
