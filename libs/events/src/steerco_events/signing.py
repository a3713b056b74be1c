"""Signed heads: now and then somebody who holds a key stands up for the newest seal, inside the log and outside.

A seal's hash covers every event up to it, so one signature covers the whole log so far. Whoever has the signed
heads can tell a log that was altered, or cut short, from the one that was signed; so they are kept in the log,
sent to its readers with its head, and appended to a file, which also witnesses that a log was restored.
"""

import asyncio
from typing import Protocol

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from steerco_events.bounding import Hangs
from steerco_events.heads_file import SIGN_EVERY_SECONDS, HeadsFile
from steerco_events.off_loop import OffLoop
from steerco_events.positions import Head, SignedHead, signed_bytes
from steerco_events.postgres.feed import sealed_end
from steerco_events.saying import said

KEEPING_SECONDS = 3.0
"""So long the file is waited for: the lease of whoever signs lasts longer."""

_KEEP = text(
    "INSERT INTO log.signed_heads (position, generation, hash, watermark, key_id, signature)"
    " VALUES (:position, :generation, :hash, :watermark, :key_id, :signature) ON CONFLICT DO NOTHING"
)


class HeadNotKept(Exception):
    """The file can't be written now: nothing was signed."""


class SigningKey(Protocol):
    """An Ed25519 key."""

    @property
    def key_id(self) -> str:
        """The thumbprint of its public half (RFC 7638)."""
        ...

    def sign(self, data: bytes) -> bytes:
        """The signature over the bytes, 64 bytes long."""
        ...


class HeadSigner:
    """Signs the head of one log, by the process that seals it."""

    def __init__(self, engine: AsyncEngine, service: str, key: SigningKey, file: HeadsFile | None = None) -> None:
        self._engine = engine
        self._service = service
        self._key = key
        self._file = file
        self._keeping = OffLoop(KEEPING_SECONDS, f"the file of signed heads of {service}")
        self._signed_at: float | None = None
        self._signed: bytes | None = None

    def is_due(self) -> bool:
        """Whether it is long enough since the last signature."""
        now = asyncio.get_running_loop().time()
        return self._signed_at is None or now - self._signed_at >= SIGN_EVERY_SECONDS

    async def sign(self) -> None:
        """Sign the head, if it is not the one that was signed last. In an empty log, the first seal is not waited for.

        So a log that has events has a signed head, but for a moment. The file has it before the log has it for good:
        what is in the file alone is signed again. Raises `HeadNotKept`.
        """
        async with self._engine.begin() as tx:
            position, head = await sealed_end(tx, self._service)
            if not max(head.positions):
                return
            self._signed_at = asyncio.get_running_loop().time()
            if head.hash == (self._signed or (head.signed and head.signed.hash)):
                return
            signed = self._stand_up_for(head, position)
            await tx.execute(_KEEP, {name: getattr(signed, name) for name in _COLUMNS})
            if self._file:
                await self._keep(signed, self._file)
        self._signed = head.hash

    async def _keep(self, signed: SignedHead, file: HeadsFile) -> None:
        try:
            await self._keeping.call(file.append, signed)
        except (OSError, Hangs) as error:
            raise HeadNotKept(f"a head of {self._service} can't be kept in {file.path}: {said(error)}") from error

    def _stand_up_for(self, head: Head, position: int) -> SignedHead:
        about = (self._service, head.generation, position, head.hash, head.watermark)
        return SignedHead(*about, self._key.key_id, self._key.sign(signed_bytes(*about)))


_COLUMNS = ("position", "generation", "hash", "watermark", "key_id", "signature")
