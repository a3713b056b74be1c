"""An archive of a log: JSON lines, each of which says what it is.

First `Beginning`, and of a part the head that was signed where it begins; then each `Seal`, after it its events,
which are CloudEvents in JSON as the feed gives them, `data` byte for byte, and the heads that were signed from there
on; at last `End`. So an archive is read once, from the beginning, in little memory.

What was altered in a database may be more than such a line can hold: data that is not one JSON value on one line, a
partition that is not the stream's. Then the data stands in `data_base64` and the partition beside it: so the line is
whole, and the hash can show whose it is.
"""

from datetime import datetime
from typing import Any

import msgspec

from steerco_events.archive import hashing
from steerco_events.cloudevents import ATTRIBUTES, attributes_of, json_of, recorded_of
from steerco_events.envelope import Recorded
from steerco_events.positions import SignedHead, partition_of
from steerco_events.registry import Registry

FORMAT = 1


class ArchiveMalformed(ValueError):
    """A line is none of an archive; the text names it."""


class Beginning(msgspec.Struct, frozen=True, tag_field="archive", tag="beginning"):
    """Whose log it is.

    `began`: after which position each generation began. The archive goes from after position `after` to `until`, or
    to where the log ended; `whole`: whether it has every event there, or those of `subjects` alone.
    """

    format: int
    service: str
    began: tuple[int, ...]
    after: int
    until: int | None
    whole: bool
    subjects: tuple[str, ...] = ()


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


_ATTRIBUTE_FIELDS = [(name, str | None, None) for name in ATTRIBUTES]
_DATA_FIELDS = [("data", msgspec.Raw, msgspec.Raw()), ("data_base64", bytes, b""), ("partition", int | None, None)]
_EVENT = msgspec.json.Decoder(msgspec.defstruct("_Event", [*_ATTRIBUTE_FIELDS, *_DATA_FIELDS]))


def encoded(line: Line) -> bytes:
    """A line of an archive, with its end."""
    if not isinstance(line, Recorded):
        return msgspec.json.encode(line) + b"\n"
    if line.partition == partition_of(line.stream) and _is_one_line_of_json(line.data):
        return json_of(line) + b"\n"
    exact = {"data_base64": line.data, "partition": line.partition}
    return msgspec.json.encode({**attributes_of(line), **exact}) + b"\n"


def _is_one_line_of_json(data: bytes) -> bool:
    try:
        msgspec.json.decode(data)
    except (ValueError, RecursionError):
        return False
    return b"\n" not in data and data == data.strip()


def decoded(line: bytes, registry: Registry, number: int) -> Line:
    """The line of these bytes. Raises `ArchiveMalformed`, which names its number."""
    try:
        if line.startswith(b'{"specversion"'):
            return _event(line, registry)
        return _FRAME.decode(line)
    except (KeyError, ValueError, RecursionError) as error:
        raise ArchiveMalformed(f"line {number} is none of an archive: {error}") from error


def _event(line: bytes, registry: Registry) -> Recorded:
    found: Any = _EVENT.decode(line)
    attributes = {name: value for name in ATTRIBUTES if (value := getattr(found, name)) is not None}
    service = attributes["source"].rpartition(":")[2]
    partition = partition_of(attributes["subject"]) if found.partition is None else found.partition
    return recorded_of(attributes, bytes(found.data) or found.data_base64, partition, service, registry)
