"""Where a reader stands in a log, and the token that lets a caller wait for it.

A log has 12 partitions for ever; a stream belongs to the partition that Kafka's own partitioner would
choose for its id, in the embedded edition too. Positions are per log and grow; 0 is before the first event.
"""

import base64
import binascii
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Self

import msgspec

PARTITIONS = 12

type Positions = tuple[int, ...]
"""The highest position seen of each partition; always `PARTITIONS` long."""

START: Positions = (0,) * PARTITIONS


@lru_cache(4096)
def hash_of(stream: str) -> int:
    """A stream's hash (murmur2), as Kafka's default partitioner computes it."""
    from aiokafka.partitioner import murmur2  # here: who only keeps tokens, as commands do, starts without it

    return int(murmur2(stream.encode()) & 0x7FFFFFFF)


def partition_of(stream: str) -> int:
    """The partition of a stream, as Kafka's default partitioner chooses it."""
    return hash_of(stream) % PARTITIONS


def advanced(positions: Positions, seen: Iterable[tuple[int, int]]) -> Positions:
    """`positions` after having seen these (partition, position) pairs."""
    result = list(positions)
    for partition, position in seen:
        result[partition] = max(result[partition], position)
    return tuple(result)


def reached(positions: Positions, target: Positions) -> bool:
    """Whether a reader at `positions` has everything up to `target`."""
    return all(have >= want for have, want in zip(positions, target, strict=True))


class SignedHead(msgspec.Struct, frozen=True):
    """What the holder of a log's signing key stood up for: the hash of everything up to a position.

    `signature` is Ed25519's, over `signed_bytes()`; `key_id` is the thumbprint of the public key.
    """

    service: str
    generation: int
    position: int
    hash: bytes
    watermark: datetime
    key_id: str
    signature: bytes

    def signed_bytes(self) -> bytes:
        """What the signature is over."""
        return signed_bytes(self.service, self.generation, self.position, self.hash, self.watermark)


def signed_bytes(service: str, generation: int, position: int, hash: bytes, watermark: datetime) -> bytes:
    """One line of text that says all that a signature over a head stands for."""
    at = watermark.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return f"steerco log {service} generation {generation} position {position} at {at} hash {hash.hex()}".encode()


def kept_of(began: Sequence[int], generation: int) -> int | None:
    """Up to where a later generation kept the positions of `generation`; `None` if there is no later one.

    `began` says after which position each generation began.
    """
    return min(began[generation:], default=None)


@dataclass(frozen=True, slots=True)
class Head:
    """The sealed end of a log.

    No event will ever be sealed at or before `watermark`. `began` says after which position each generation began
    (the first after 0); `hash` is that of the last seal, `signed` the newest head that was signed, if one was.
    """

    began: tuple[int, ...]
    positions: Positions
    watermark: datetime
    hash: bytes = b""
    signed: SignedHead | None = None

    @property
    def generation(self) -> int:
        """The present generation, from 1."""
        return len(self.began)

    def kept_of(self, generation: int) -> int | None:
        """Up to where a later generation kept the positions of `generation`; `None` if there is no later one."""
        return kept_of(self.began, generation)

    def has(self, generation: int, position: int) -> bool:
        """Whether what was sealed there in that generation is still in the log, as far as generations tell."""
        kept = self.kept_of(generation)
        return kept is None or position <= kept


MOST_STREAMS = 20
"""Streams of one service that a token tells apart: with every service in it, it is no longer than 4 KiB."""

type Seen = Mapping[int, int]
"""The highest position seen by stream, which is known by its hash; a key below `PARTITIONS` is a whole partition."""


class TokenMalformed(ValueError):
    """The text is no consistency token."""


@dataclass(frozen=True, slots=True)
class Token:
    """What a caller has seen: per service, the generation and the highest position of each stream.

    Where the streams are too many, those with the highest positions are told apart, and the rest is covered by the
    highest position of their partitions: that asks for more, never for less.
    """

    seen: Mapping[str, tuple[int, Seen]] = field(default_factory=dict)

    @classmethod
    def of(cls, service: str, generation: int, positions: Mapping[str, int]) -> Self:
        """The token that covers these positions of one service's streams."""
        return cls({service: (generation, _union({hash_of(stream): at} for stream, at in positions.items()))})

    def merged(self, other: "Token") -> "Token":
        """What either has seen; of two generations of one log, the newer counts."""
        seen = dict(self.seen)
        for service, (generation, positions) in other.seen.items():
            mine = seen.get(service, (0, {}))
            if generation > mine[0]:
                seen[service] = (generation, positions)
            elif generation == mine[0]:
                seen[service] = (generation, _union([positions, mine[1]]))
        return Token(seen)

    def target(self, service: str) -> tuple[int, Positions]:
        """The generation and the positions that a reader of `service` must have reached."""
        generation, seen = self.seen.get(service, (0, {}))
        return generation, advanced(START, ((key % PARTITIONS, position) for key, position in seen.items()))

    def covers(self, service: str, stream: str, position: int) -> bool:
        """Whether the event there may be one that the caller has seen."""
        _, seen = self.seen.get(service, (0, {}))
        key = hash_of(stream)
        return position <= max(seen.get(key, 0), seen.get(key % PARTITIONS, 0))

    def encode(self) -> str:
        """The token as opaque text, fit for a header."""
        return base64.urlsafe_b64encode(msgspec.msgpack.encode(self.seen)).decode().rstrip("=")

    @classmethod
    def decode(cls, text: str) -> Self:
        """The token of a text; raises `TokenMalformed`."""
        try:
            raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            seen = msgspec.msgpack.decode(raw, type=dict[_Service, tuple[_Generation, dict[_Key, _Position]]])
        except (binascii.Error, ValueError) as error:
            raise TokenMalformed("the consistency token is not one that a command answered with") from error
        return cls(seen)


type _Service = Annotated[str, msgspec.Meta(max_length=100)]
type _Generation = Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]
type _Key = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
type _Position = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


def _union(all_seen: Iterable[Seen]) -> Seen:
    highest: dict[int, int] = {}
    for seen in all_seen:
        for key, position in seen.items():
            highest[key] = max(position, highest.get(key, 0))
    streams = sorted((key for key in highest if key >= PARTITIONS), key=lambda key: (highest[key], key))
    for key in streams[: max(0, len(streams) - MOST_STREAMS)]:
        position, partition = highest.pop(key), key % PARTITIONS
        highest[partition] = max(position, highest.get(partition, 0))
    return highest
