"""Accepted commands, remembered so that a repetition gets the first answer (rule: only accepted ones)."""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from steerco_events.clock import Clock
from steerco_events.decider import Refusal

KEPT = timedelta(days=30)
FORGET_EVERY_SECONDS = 3600.0

_CLAIM = text(
    "INSERT INTO log.commands (actor, operation, key, body_hash, accepted_at)"
    " VALUES (:actor, :operation, :key, :body_hash, :at)"
    " ON CONFLICT (actor, operation, key) DO NOTHING RETURNING key"
)
_REMEMBERED = text(
    "SELECT body_hash, answer, accepted_at FROM log.commands"
    " WHERE actor = :actor AND operation = :operation AND key = :key"
)
_ANSWER = text(
    "UPDATE log.commands SET answer = :answer WHERE actor = :actor AND operation = :operation AND key = :key"
)
_FORGET = text("DELETE FROM log.commands WHERE accepted_at < :before")


class IdempotencyKeyReused(Refusal):
    """The key was used for another body."""

    kind = "invalid"


@dataclass(frozen=True, slots=True)
class CommandKey:
    """What makes two requests the same: who asks, for which operation, with which key and body."""

    actor: UUID
    operation: str
    key: str
    body_hash: bytes

    def _values(self) -> dict[str, object]:
        return {"actor": self.actor, "operation": self.operation, "key": self.key}


async def claim(tx: AsyncConnection, key: CommandKey, at: datetime) -> bytes | None:
    """The remembered answer, or `None`: then it is ours to do, and a twin waits until we end.

    Raises `IdempotencyKeyReused` if the key came with another body. A refusal rolls the claim back.
    """
    values = key._values() | {"body_hash": key.body_hash, "at": at}
    if (await tx.execute(_CLAIM, values)).first() is not None:
        return None
    row = (await tx.execute(_REMEMBERED, key._values())).one()
    if row.body_hash != key.body_hash:
        raise IdempotencyKeyReused(f"the Idempotency-Key {key.key!r} was already used for another request body")
    answer: bytes = row.answer
    return answer


async def remember(tx: AsyncConnection, key: CommandKey, answer: bytes) -> None:
    """Keep the answer with the claim."""
    await tx.execute(_ANSWER, key._values() | {"answer": answer})


async def forget_old(tx: AsyncConnection, now: datetime) -> None:
    """Drop what was accepted more than 30 days ago."""
    await tx.execute(_FORGET, {"before": now - KEPT})


async def keep_forgetting(engine: AsyncEngine, clock: Clock) -> None:
    """Until cancelled: drop, once an hour, what is too old. Several may do so at once."""
    while True:
        async with engine.begin() as tx:
            await forget_old(tx, clock.now())
        await asyncio.sleep(FORGET_EVERY_SECONDS)
