"""The keys of people's records in a database of their own, which has its own backups. To forget a key is to erase."""

import secrets
from collections.abc import Collection, Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from steerco_events.postgres.faults import DATABASE_FAULTS, is_unavailable
from steerco_service.privacy.encryption import KEY_BYTES
from steerco_service.privacy.keys import KeysUnavailable

MIGRATIONS = "steerco_service.privacy.migrations"
"""The package that makes its tables."""


def keys_of(service: str) -> str:
    """The name of the database beside a service's own that has the keys."""
    return f"{service}_keys"


_MAKE = text(
    "INSERT INTO privacy.keys (subject, key, made_at) SELECT :subject, :key, :at"
    " WHERE NOT EXISTS (SELECT FROM privacy.erasures WHERE subject = :subject) ON CONFLICT (subject) DO NOTHING"
)
_FIND = text("SELECT subject, key FROM privacy.keys WHERE subject = ANY(:subjects)")
_FORGET = text("DELETE FROM privacy.keys WHERE subject = ANY(:subjects)")
_REMEMBER = text(
    "INSERT INTO privacy.erasures (subject, erased_at)"
    " SELECT subject, :at FROM unnest(CAST(:subjects AS uuid[])) subject ON CONFLICT (subject) DO NOTHING"
)
_ERASED = text("SELECT subject FROM privacy.erasures ORDER BY erased_at, subject")


class SubjectErased(Exception):
    """The subject was erased: they get no key any more."""


class KeyDatabase:
    """Makes, finds and forgets the keys."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine

    async def key_of(self, subject: UUID, at: datetime) -> bytes:
        """The subject's key, made if there is none. Raises `SubjectErased`."""
        values = {"subject": subject, "key": secrets.token_bytes(KEY_BYTES), "at": at}
        async with self.engine.begin() as connection:
            await connection.execute(_MAKE, values)
            found = (await connection.execute(_FIND, {"subjects": [subject]})).first()
        if found is None:
            raise SubjectErased(f"{subject} was erased")
        return bytes(found.key)

    async def find(self, subjects: Collection[UUID]) -> Mapping[UUID, bytes]:
        """The keys of those subjects that have one. Raises `KeysUnavailable`."""
        try:
            async with self.engine.connect() as connection:
                rows = (await connection.execute(_FIND, {"subjects": list(subjects)})).all()
        except DATABASE_FAULTS as error:
            if not is_unavailable(error):
                raise
            raise KeysUnavailable("the keys' database can't be reached") from error
        return {row.subject: bytes(row.key) for row in rows}

    async def forget(self, subjects: Collection[UUID], at: datetime) -> None:
        """Forget their keys for good: what was encrypted with them is noise from now on."""
        values = {"subjects": list(subjects)}
        async with self.engine.begin() as connection:
            await connection.execute(_REMEMBER, values | {"at": at})
            await connection.execute(_FORGET, values)

    async def erased(self) -> Collection[UUID]:
        """Whose keys were forgotten, in that order."""
        async with self.engine.connect() as connection:
            return [row.subject for row in (await connection.execute(_ERASED)).all()]
