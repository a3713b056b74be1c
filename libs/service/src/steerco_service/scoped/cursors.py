"""Where who reads a scope's share of a log stands, as text that only the service can read and nobody can make.

The place would tell how much happens elsewhere: positions count all events of a log.
"""

import base64
import os
from dataclasses import astuple, dataclass
from datetime import datetime
from uuid import UUID

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from steerco_events.postgres.event_pages import Place

NONCE_BYTES = 12

_KEY = text("SELECT key FROM log.cursor_key")


class CursorUnreadable(Exception):
    """It is no cursor of this service for this scope."""


@dataclass(frozen=True, slots=True)
class ScopedCursor:
    """A place in a log, and up to which instant it was told what entered and left; `None`: nothing was read yet."""

    generation: int
    position: int
    told_at: datetime | None = None

    @property
    def place(self) -> Place:
        """The place."""
        return Place(self.generation, self.position)


class Cursors:
    """Those of one service; its database keeps the key, so every process of it reads what another has written."""

    def __init__(self, service: str, engine: AsyncEngine) -> None:
        self._service = service
        self._engine = engine
        self._cipher: AESGCM | None = None

    async def written(self, cursor: ScopedCursor, unit_id: UUID) -> str:
        """The text of a cursor in the share of a scope."""
        nonce = os.urandom(NONCE_BYTES)
        sealed = (await self._key()).encrypt(nonce, msgspec.msgpack.encode(astuple(cursor)), self._bound(unit_id))
        return base64.urlsafe_b64encode(nonce + sealed).decode().rstrip("=")

    async def read(self, text: str, unit_id: UUID) -> ScopedCursor:
        """The cursor of a text. Raises `CursorUnreadable`."""
        try:
            sealed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            cipher = await self._key()
            opened = cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], self._bound(unit_id))
            return ScopedCursor(*msgspec.msgpack.decode(opened, type=tuple[int, int, datetime | None]))
        except (ValueError, InvalidTag) as error:
            raise CursorUnreadable("it is none that this service gave for this scope") from error

    def _bound(self, unit_id: UUID) -> bytes:
        return f"{self._service} {unit_id}".encode()

    async def _key(self) -> AESGCM:
        if self._cipher is None:
            async with self._engine.connect() as connection:
                self._cipher = AESGCM((await connection.execute(_KEY)).scalar_one())
        return self._cipher
