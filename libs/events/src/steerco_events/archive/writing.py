"""Writing an archive of a log: what is sealed, in pieces, each read by itself, so nothing waits for it."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from steerco_events.archive.hashing import START
from steerco_events.archive.lines import FORMAT, Beginning, End, Line, ReactionAt, Seal, Signed
from steerco_events.positions import SignedHead
from steerco_events.postgres.checkpoints import Checkpoints
from steerco_events.postgres.rows import recorded
from steerco_events.registry import Registry

PIECE = 200
"""Seals that are read at once."""

SETTLE_SECONDS = 10.0

_HEAD = text("SELECT * FROM log.sealed_head")
_UNSEALED = text(
    "SELECT CASE WHEN s.is_called THEN s.last_value ELSE 0 END > h.position FROM log.head h, log.positions s"
)
_KEPT = (
    "NOT EXISTS (SELECT 1 FROM log.generations g WHERE g.generation > h.generation AND g.from_position < h.position)"
)
"""Whether every later generation kept what the signed head `h` stands for: `positions.kept_of` as SQL."""

_BEGINNING = text(
    "SELECT last, hash FROM log.seals WHERE last <= coalesce("
    f"(SELECT max(h.position) FROM log.signed_heads h WHERE h.position <= :after AND {_KEPT}), :after)"
    " ORDER BY last DESC LIMIT 1"
)
_SEALS = text("SELECT * FROM log.seals WHERE last > :after AND first <= :until ORDER BY last LIMIT :limit")
_EVENTS = text("SELECT * FROM log.sealed_events WHERE position >= :first AND position <= :last ORDER BY position")
_SUBJECTS = text(
    "SELECT * FROM log.sealed_events WHERE position >= :first AND position <= :last AND stream = ANY(:subjects)"
    " ORDER BY position"
)
_SIGNED = text(
    "SELECT * FROM log.signed_heads WHERE position >= :first AND position <= :last ORDER BY position, generation"
)
_SIGNED_END = text(
    f"SELECT coalesce(min(h.position), :until) FROM log.signed_heads h WHERE h.position >= :until AND {_KEPT}"
)


class NotSealed(Exception):
    """What was appended is not sealed: no sealer runs, or something holds it up."""


@dataclass(frozen=True, slots=True)
class Slice:
    """Which part of a log: from after a position to another (`None`: the end), of these streams only (none: all).

    It begins with a whole seal and ends with one: after the last head that was signed at or before `after`, and so
    far behind `until` that its end is signed, if it is by now. So a part whose end is too young to be signed still
    follows from a head that was.
    """

    after: int = 0
    until: int | None = None
    subjects: Sequence[str] = ()


WHOLE = Slice()


@dataclass(frozen=True, slots=True)
class ReactionNamed:
    """A reaction of the service, and whose log it reads."""

    name: str
    service: str


async def archive(
    engine: AsyncEngine,
    service: str,
    registry: Registry,
    reactions: Sequence[ReactionNamed] = (),
    part: Slice = WHOLE,
) -> AsyncIterator[Line]:
    """The lines of an archive of what is sealed now.

    How far the reactions have come is read first, and what was appended then is waited for: the archive has all
    that they did. Raises `NotSealed` if that takes more than 10 seconds.
    """
    async with engine.connect() as connection:
        at = [await _reaction_at(connection, each) for each in reactions]
    head = await _settled_head(engine)
    async with engine.connect() as connection:
        seal = (await connection.execute(_BEGINNING, {"after": part.after})).one_or_none()
        until = min(head.position, await _signed_end(connection, part.until or head.position))
    position, digest = (seal.last, seal.hash) if seal else (0, START)
    subjects = tuple(part.subjects)
    yield Beginning(FORMAT, service, tuple(head.began), position, part.until, not subjects, subjects)
    while True:
        async with engine.connect() as connection:
            values = {"after": position, "until": until, "limit": PIECE}
            seals = (await connection.execute(_SEALS, values)).all()
            if not seals:
                signed = deque(await _signed_heads(connection, position, max(position, until)))
                break
            events = deque(await _events(connection, seals, part))
            signed = deque(await _signed_heads(connection, position, seals[-1].last - 1))
        for seal in seals:
            while signed and signed[0].position < seal.last:
                yield Signed(_signed(signed.popleft(), service))
            yield Seal(*(getattr(seal, name) for name in Seal.__struct_fields__))
            while events and events[0].position <= seal.last:
                yield recorded(events.popleft(), service, registry)
            position, digest = seal.last, seal.hash
    for row in signed:
        yield Signed(_signed(row, service))
    yield End(max(position, until), digest, head.watermark, tuple(at))


async def _events(connection: AsyncConnection, seals: Sequence[Row[Any]], part: Slice) -> Sequence[Row[Any]]:
    values: dict[str, object] = {"first": seals[0].first, "last": seals[-1].last}
    if not part.subjects:
        return (await connection.execute(_EVENTS, values)).all()
    return (await connection.execute(_SUBJECTS, values | {"subjects": list(part.subjects)})).all()


async def _signed_end(connection: AsyncConnection, until: int) -> int:
    return int((await connection.execute(_SIGNED_END, {"until": until})).scalar_one())


async def _signed_heads(connection: AsyncConnection, first: int, last: int) -> Sequence[Row[Any]]:
    return (await connection.execute(_SIGNED, {"first": first, "last": last})).all()


async def _settled_head(engine: AsyncEngine) -> Row[Any]:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + SETTLE_SECONDS
    while True:
        async with engine.connect() as connection:
            unsealed = (await connection.execute(_UNSEALED)).scalar_one()
            head = (await connection.execute(_HEAD)).one()
        if not unsealed:
            return head
        if loop.time() > deadline:
            raise NotSealed(f"what was appended after position {head.position} is not sealed yet")
        await asyncio.sleep(0.05)


async def _reaction_at(connection: AsyncConnection, reaction: ReactionNamed) -> ReactionAt:
    cursor = await Checkpoints(reaction.name).load(connection, reaction.service)
    return ReactionAt(reaction.name, reaction.service, cursor.generation, cursor.positions)


def _signed(row: Row[Any], service: str) -> SignedHead:
    return SignedHead(service, row.generation, row.position, row.hash, row.watermark, row.key_id, row.signature)
