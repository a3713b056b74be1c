"""Archives under test: of a log of some signed seals, and what somebody makes of them who can write everything."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from steerco_events.archive.hashing import START, event_hash, seal_hash
from steerco_events.archive.lines import End, Line, Seal, Signed, decoded, encoded
from steerco_events.archive.writing import WHOLE, ReactionNamed, Slice, archive
from steerco_events.envelope import Recorded
from steerco_events.signing import HeadSigner
from steerco_events.testkit.logs import Log
from steerco_events.testkit.tally import Counted, Labeled

ONE = Counted(by=1)


@dataclass(frozen=True)
class Stamp:
    """A key whose signature anybody can check."""

    key_id: str = "stamp"

    def sign(self, data: bytes) -> bytes:
        """The mark before the data."""
        return b"stamped: " + data

    def has_signed(self, data: bytes, signature: bytes) -> bool:
        """Whether it is the mark before the data."""
        return signature == b"stamped: " + data


STAMP = Stamp()


async def written(log: Log, part: Slice = WHOLE, reactions: Sequence[ReactionNamed] = ()) -> list[Line]:
    """An archive, through its bytes."""
    pieces = [encoded(line) async for line in archive(log.engine, log.service, log.registry, reactions, part)]
    lines = b"".join(pieces).split(b"\n")[:-1]
    return [decoded(line, log.registry, n) for n, line in enumerate(lines, 1)]


async def told(log: Log, *, times: int = 3) -> list[Line]:
    """The archive of a log of some seals of three events, each of them signed."""
    for n in range(times):
        await log.append(f"tally-{n}", ONE, Labeled(label=f"{n}: é\x1f"))
        await log.append("tally-0", ONE)
        await log.seal()
        await HeadSigner(log.engine, log.service, STAMP).sign()
    return await written(log)


def events(lines: Sequence[Line]) -> list[Recorded]:
    """The events of an archive."""
    return [line for line in lines if isinstance(line, Recorded)]


def altered(lines: Sequence[Line], at: int, **changes: Any) -> list[Line]:
    """The archive with one of its events changed."""
    position = events(lines)[at].position
    return [
        replace(line, **changes) if isinstance(line, Recorded) and line.position == position else line for line in lines
    ]


async def alter(log: Log, column: str, value: str, position: int) -> None:
    """Alter an event in the database, as who administers it can. `value`: an SQL expression."""
    owner = create_async_engine(log.urls.owner_url, poolclass=NullPool)
    async with owner.begin() as tx:
        await tx.execute(text("ALTER TABLE log.events DISABLE TRIGGER refuse_change"))
        await tx.execute(text(f"UPDATE log.events SET {column} = {value} WHERE position = :at"), {"at": position})
    await owner.dispose()


def sealed_anew(lines: Sequence[Line]) -> list[Line]:
    """What somebody who can write everything but sign would leave: hashes that fit what is there."""
    previous, result = START, list(lines)
    for n, line in enumerate(lines):
        if isinstance(line, Seal):
            own = [event for event in events(lines) if line.first <= event.position <= line.last]
            hashes = b"".join(map(event_hash, own))
            digest = seal_hash(previous, line.generation, line.first, line.last, line.sealed_at, hashes)
            result[n] = msgspec.structs.replace(line, previous=previous, hashes=hashes, hash=digest)
            previous = digest
        elif isinstance(line, End):
            result[n] = msgspec.structs.replace(line, hash=previous)
    return result


def unsigned(lines: Sequence[Line]) -> list[Line]:
    """The archive without its signed heads."""
    return [line for line in lines if not isinstance(line, Signed)]


def signed_anew(lines: Sequence[Line], key: Stamp) -> list[Line]:
    """The archive with its heads signed by another key, for the hashes that are there."""
    result: list[Line] = []
    digest = START
    for line in lines:
        digest = line.hash if isinstance(line, Seal) else digest
        if isinstance(line, Signed):
            head = msgspec.structs.replace(line.head, hash=digest, key_id=key.key_id)
            line = Signed(msgspec.structs.replace(head, signature=key.sign(head.signed_bytes())))
        result.append(line)
    return result
