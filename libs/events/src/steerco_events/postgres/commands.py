"""Accepted commands, remembered so that a repetition gets the first answer (rule: only accepted ones)."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from steerco_events.clock import Clock
from steerco_events.decider import Refusal
from steerco_events.postgres.statements import Statement, Transaction

KEPT = timedelta(days=30)
FORGET_EVERY_SECONDS = 3600.0

_FIND = Statement(
    "SELECT c.actor, c.operation, c.key, c.body_hash, c.answer FROM log.commands c"
    " JOIN unnest(CAST(:actors AS uuid[]), CAST(:operations AS text[]), CAST(:keys AS text[]))"
    " AS k (actor, operation, key) USING (actor, operation, key)"
)
_REMEMBER = Statement(
    "INSERT INTO log.commands (actor, operation, key, body_hash, answer, accepted_at)"
    " SELECT * FROM unnest(CAST(:actors AS uuid[]), CAST(:operations AS text[]), CAST(:keys AS text[]),"
    " CAST(:hashes AS bytea[]), CAST(:answers AS bytea[]), CAST(:at AS timestamptz[]))"
    " ON CONFLICT (actor, operation, key) DO NOTHING RETURNING 1"
)
_FORGET = text("DELETE FROM log.commands WHERE accepted_at < :before")


class TwinAccepted(Exception):
    """The same command was accepted meanwhile, through another process: its answer can be found now."""


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

    @property
    def identity(self) -> tuple[UUID, str, str]:
        """What one answer is remembered under."""
        return self.actor, self.operation, self.key


@dataclass(frozen=True, slots=True)
class Remembered:
    """An accepted command: what its body was, and the answer."""

    body_hash: bytes
    answer: bytes

    def answer_to(self, key: CommandKey) -> bytes:
        """The answer to a repetition. Raises `IdempotencyKeyReused` if that has another body."""
        if key.body_hash != self.body_hash:
            raise IdempotencyKeyReused(f"the Idempotency-Key {key.key!r} was already used for another request body")
        return self.answer


async def find(tx: Transaction, keys: Sequence[CommandKey]) -> Mapping[tuple[UUID, str, str], Remembered]:
    """Those of the commands that were accepted, by their identities."""
    if not keys:
        return {}
    rows = await _FIND.rows(tx, _columns(keys))
    return {(actor, operation, key): Remembered(body_hash, answer) for actor, operation, key, body_hash, answer in rows}


async def remember(tx: Transaction, accepted: Sequence[tuple[CommandKey, bytes]], at: datetime) -> None:
    """Keep the answers; a twin of one waits until we end.

    Raises `TwinAccepted` when one was faster: the caller rolls back, and finds its answer.
    """
    if not accepted:
        return
    accepted = sorted(accepted, key=lambda each: each[0].identity)
    keys = [key for key, _ in accepted]
    values = _columns(keys) | {
        "hashes": [key.body_hash for key in keys],
        "answers": [answer for _, answer in accepted],
        "at": [at] * len(keys),
    }
    if len(await _REMEMBER.rows(tx, values)) != len(keys):
        raise TwinAccepted


def _columns(keys: Sequence[CommandKey]) -> dict[str, Any]:
    return {
        "actors": [key.actor for key in keys],
        "operations": [key.operation for key in keys],
        "keys": [key.key for key in keys],
    }


async def forget_old(tx: AsyncConnection, now: datetime) -> None:
    """Drop what was accepted more than 30 days ago."""
    await tx.execute(_FORGET, {"before": now - KEPT})


async def keep_forgetting(engine: AsyncEngine, clock: Clock) -> None:
    """Until cancelled: drop, once an hour, what is too old. Several may do so at once."""
    while True:
        async with engine.begin() as tx:
            await forget_old(tx, clock.now())
        await asyncio.sleep(FORGET_EVERY_SECONDS)
