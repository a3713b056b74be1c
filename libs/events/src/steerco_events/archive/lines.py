"""An archive of a log: JSON lines, each of which says what it is.

First `Beginning`; then each `Seal`, after it its events, which are CloudEvents in JSON as the feed gives them,
`data` byte for byte, and the heads that were signed from there on; at last `End`. So an archive is read once, from
the beginning, in little memory.
"""

from datetime import datetime
from typing import Any

import msgspec

from steerco_events.archive import hashing
from steerco_events.cloudevents import json_of, recorded_of
from steerco_events.envelope import Recorded
from steerco_events.positions import SignedHead, partition_of
from steerco_events.registry import Registry

FORMAT = 1


class ArchiveMalformed(ValueError):
    """A line is none of an archive; the text names it."""


class Beginning(msgspec.Struct, frozen=True, tag_field="archive", tag="beginning"):
    """Whose log it is.

    `began`: after which position each generation began. The archive goes from after position `after` to `until`, or
    to where the log ended; `whole`: whether it has every event there, or those that somebody selected.
    """

    format: int
    service: str
    began: tuple[int, ...]
    after: int
    until: int | None
    whole: bool


class Seal(msgspec.Struct, frozen=True, tag_field="archive", tag="seal"):
    """A seal of the log: from `first` to `last`, with the hashes of its events and of the seal before."""

    first: int
    last: int
    sealed_at: datetime
    generation: int
    epoch: int
    hashes: bytes
    previous: bytes
    hash: bytes

    def computed(self) -> bytes:
        """The hash that the seal must have."""
        return hashing.seal_hash(self.previous, self.generation, self.first, self.last, self.sealed_at, self.hashes)


class Signed(msgspec.Struct, frozen=True, tag_field="archive", tag="signed"):
    """A head that was signed."""

    head: SignedHead


class ReactionAt(msgspec.Struct, frozen=True):
    """How far a reaction of this service had come in another's log, when the archive was begun."""

    reaction: str
    service: str
    generation: int
    positions: tuple[int, ...]


class End(msgspec.Struct, frozen=True, tag_field="archive", tag="end"):
    """Up to where the archive goes, the hash there, and how far the service's reactions had come."""

    position: int
    hash: bytes
    watermark: datetime
    reactions: tuple[ReactionAt, ...]


type Line = Beginning | Seal | Signed | End | Recorded

type _Frame = Beginning | Seal | Signed | End

_FRAME: msgspec.json.Decoder[_Frame] = msgspec.json.Decoder(Beginning | Seal | Signed | End)


class _Event(msgspec.Struct):
    """What an event line must have to be read on."""

    source: str
    data: msgspec.Raw


_EVENT = msgspec.json.Decoder(_Event)
_ATTRIBUTES = msgspec.json.Decoder(dict[str, Any])


def encoded(line: Line) -> bytes:
    """A line of an archive, with its end."""
    return (json_of(line) if isinstance(line, Recorded) else msgspec.json.encode(line)) + b"\n"


def decoded(line: bytes, registry: Registry, number: int) -> Line:
    """The line of these bytes. Raises `ArchiveMalformed`, which names its number."""
    try:
        if line.startswith(b'{"specversion"'):
            return _event(line, registry)
        return _FRAME.decode(line)
    except (KeyError, ValueError) as error:
        raise ArchiveMalformed(f"line {number} is none of an archive: {error}") from error


def _event(line: bytes, registry: Registry) -> Recorded:
    found = _EVENT.decode(line)
    attributes = {name: value for name, value in _ATTRIBUTES.decode(line).items() if name != "data"}
    service = found.source.rpartition(":")[2]
    partition = partition_of(attributes["subject"])
    return recorded_of(attributes, bytes(found.data), partition, service, registry)
