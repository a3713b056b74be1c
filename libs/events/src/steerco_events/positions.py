"""Where a reader stands in a log, and the token that lets a caller wait for it.

A log has 12 partitions for ever; a stream belongs to the partition that Kafka's own partitioner would
choose for its id, in the embedded edition too. Positions are per log and grow; 0 is before the first event.
"""

import base64
import binascii
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Self

import msgspec
from aiokafka.partitioner import murmur2

PARTITIONS = 12

type Positions = tuple[int, ...]
"""The highest position seen of each partition; always `PARTITIONS` long."""

START: Positions = (0,) * PARTITIONS


def partition_of(stream: str) -> int:
    """The partition of a stream, as Kafka's default partitioner computes it (murmur2)."""
    return int((murmur2(stream.encode()) & 0x7FFFFFFF) % PARTITIONS)


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
        return min(self.began[generation:], default=None)

    def has(self, generation: int, position: int) -> bool:
        """Whether what was sealed there in that generation is still in the log, as far as generations tell."""
        kept = self.kept_of(generation)
        return kept is None or position <= kept


class TokenMalformed(ValueError):
    """The text is no consistency token."""


@dataclass(frozen=True, slots=True)
class Token:
    """Per service, the generation and the highest position of each partition that a caller has seen."""

    seen: Mapping[str, tuple[int, Mapping[int, int]]] = field(default_factory=dict)

    @classmethod
    def of(cls, service: str, generation: int, positions: Mapping[str, int]) -> Self:
        """The token that covers these positions of one service's streams."""
        seen: dict[int, int] = {}
        for stream, position in positions.items():
            partition = partition_of(stream)
            seen[partition] = max(position, seen.get(partition, 0))
        return cls({service: (generation, seen)})

    def merged(self, other: "Token") -> "Token":
        """What either has seen; of two generations of one log, the newer counts."""
        seen = dict(self.seen)
        for service, (generation, positions) in other.seen.items():
            mine = seen.get(service, (0, {}))
            if generation > mine[0]:
                seen[service] = (generation, positions)
            elif generation == mine[0]:
                both = {
                    partition: max(positions.get(partition, 0), mine[1].get(partition, 0))
                    for partition in positions.keys() | mine[1].keys()
                }
                seen[service] = (generation, both)
        return Token(seen)

    def target(self, service: str) -> tuple[int, Positions]:
        """The generation and the positions that a reader of `service` must have reached."""
        generation, positions = self.seen.get(service, (0, {}))
        return generation, advanced(START, positions.items())

    def encode(self) -> str:
        """The token as opaque text, fit for a header."""
        return base64.urlsafe_b64encode(msgspec.json.encode(self.seen)).decode().rstrip("=")

    @classmethod
    def decode(cls, text: str) -> Self:
        """The token of a text; raises `TokenMalformed`."""
        try:
            raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
            seen = msgspec.json.decode(raw, type=dict[str, tuple[int, dict[int, int]]])
        except (binascii.Error, ValueError) as error:
            raise TokenMalformed("the consistency token is not one that a command answered with") from error
        partitions = {partition for _, positions in seen.values() for partition in positions}
        if not partitions <= set(range(PARTITIONS)):
            raise TokenMalformed("the consistency token names a partition that does not exist")
        return cls(seen)
