"""Signed heads: now and then somebody who holds a key stands up for the newest seal, inside the log and outside.

A seal's hash covers every event up to it, so one signature covers the whole log so far. Whoever has the signed
heads can tell a log that was altered, or cut short, from the one that was signed; so they are kept in the log,
sent to its readers with its head, and appended to a file, which also witnesses that a log was restored.
"""

import asyncio
import fcntl
import os
from pathlib import Path
from typing import BinaryIO, Protocol

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from steerco_events.positions import Head, SignedHead, signed_bytes
from steerco_events.postgres.feed import sealed_end

SIGN_EVERY_SECONDS = 10.0

BLOCK = 4096
"""Bytes that are read at once from the end of a file of heads; a head has a few hundred."""

_KEEP = text(
    "INSERT INTO log.signed_heads (position, generation, hash, watermark, key_id, signature)"
    " VALUES (:position, :generation, :hash, :watermark, :key_id, :signature) ON CONFLICT DO NOTHING"
)


class SigningKey(Protocol):
    """An Ed25519 key."""

    @property
    def key_id(self) -> str:
        """The thumbprint of its public half (RFC 7638)."""
        ...

    def sign(self, data: bytes) -> bytes:
        """The signature over the bytes, 64 bytes long."""
        ...


class HeadsFile:
    """The signed heads of one log, a JSON object per line, oldest first. Only ever appended to.

    A line without its end was cut off, by a full disk or a loss of power: it holds no head, and the next one takes
    its place.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, head: SignedHead) -> None:
        """Add one, safely on the disk on return."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            end = file.seek(0, os.SEEK_END)
            if (start := _line_start(file, end)) < end:
                file.truncate(start)
            file.write(msgspec.json.encode(head) + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def heads(self) -> list[SignedHead]:
        """All of them. Raises `ValueError` for a line that is no head."""
        try:
            lines = self.path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return []
        return [_head(line) for line in lines[:-1] if line]

    def last(self) -> SignedHead | None:
        """The newest; only the end of the file is read. Raises `ValueError` if its last line is no head."""
        try:
            with self.path.open("rb") as file:
                end = _line_start(file, file.seek(0, os.SEEK_END))
                while end > 0:
                    start = _line_start(file, end - 1)
                    file.seek(start)
                    if line := file.read(end - 1 - start):
                        return _head(line)
                    end = start
        except FileNotFoundError:
            pass
        return None


def _head(line: bytes) -> SignedHead:
    return msgspec.json.decode(line, type=SignedHead)


def _line_start(file: BinaryIO, end: int) -> int:
    """After the last line break of the first `end` bytes: where the line begins that they end in."""
    while end > 0:
        start = max(0, end - BLOCK)
        file.seek(start)
        at = file.read(end - start).rfind(b"\n")
        if at >= 0:
            return start + at + 1
        end = start
    return 0


class HeadSigner:
    """Signs the head of one log, by the process that seals it."""

    def __init__(self, engine: AsyncEngine, service: str, key: SigningKey, file: HeadsFile | None = None) -> None:
        self._engine = engine
        self._service = service
        self._key = key
        self._file = file
        self._signed_at: float | None = None
        self._signed: bytes | None = None

    def is_due(self) -> bool:
        """Whether it is long enough since the last signature."""
        now = asyncio.get_running_loop().time()
        return self._signed_at is None or now - self._signed_at >= SIGN_EVERY_SECONDS

    async def sign(self) -> None:
        """Sign the head, if it is not the one that was signed last. In an empty log, the first seal is not waited for.

        So a log that has events has a signed head, but for a moment. The file has it before the log has it for good:
        what is in the file alone is signed again.
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
                await asyncio.to_thread(self._file.append, signed)
        self._signed = head.hash

    def _stand_up_for(self, head: Head, position: int) -> SignedHead:
        about = (self._service, head.generation, position, head.hash, head.watermark)
        return SignedHead(*about, self._key.key_id, self._key.sign(signed_bytes(*about)))


_COLUMNS = ("position", "generation", "hash", "watermark", "key_id", "signature")
