"""The keys of people's records, as whoever shows a name has them: for minutes, in memory only."""

import asyncio
from collections.abc import Collection, Mapping
from typing import Protocol
from uuid import UUID

KEPT_SECONDS = 300.0
"""How long a key is used again. Whose record says that it was erased is not shown, whatever is kept."""

MOMENT_SECONDS = 5.0
"""How soon it is asked again for a key that was not there, or of who could not tell."""

MOST_KEPT = 20_000


class KeysUnavailable(Exception):
    """The keys can't be had now; the text says why."""


class Keys(Protocol):
    """Where the keys of subjects are had from."""

    async def find(self, subjects: Collection[UUID]) -> Mapping[UUID, bytes]:
        """The keys of those subjects that have one. Raises `KeysUnavailable`."""
        ...


class NoKeys:
    """There are none to be had: nothing is shown."""

    async def find(self, subjects: Collection[UUID]) -> Mapping[UUID, bytes]:
        """None."""
        if subjects:
            raise KeysUnavailable("this process was not told where the keys are")
        return {}


class KeptKeys:
    """Keys from elsewhere, kept for five minutes; that there is none, or that it can't be told, for a moment."""

    def __init__(self, source: Keys) -> None:
        self._source = source
        self._kept: dict[UUID, tuple[float, bytes | None]] = {}
        self._failure: tuple[float, str] = (0.0, "")

    async def find(self, subjects: Collection[UUID]) -> Mapping[UUID, bytes]:
        """The keys of those subjects that have one. Raises `KeysUnavailable`."""
        now = asyncio.get_running_loop().time()
        held = {each: self._kept[each] for each in subjects if each in self._kept}
        known = {subject: key for subject, (until, key) in held.items() if now < until}
        if missing := set(subjects) - known.keys():
            known |= await self._found(missing, now)
        return {subject: key for subject, key in known.items() if key is not None}

    async def _found(self, missing: Collection[UUID], now: float) -> Mapping[UUID, bytes | None]:
        until, failure = self._failure
        if now < until:
            raise KeysUnavailable(failure)
        try:
            found = await self._source.find(missing)
        except KeysUnavailable as error:
            self._failure = now + MOMENT_SECONDS, str(error)
            raise
        if len(self._kept) + len(missing) > MOST_KEPT:
            self._kept.clear()
        answers = {subject: found.get(subject) for subject in missing}
        for subject, key in answers.items():
            self._kept[subject] = now + (MOMENT_SECONDS if key is None else KEPT_SECONDS), key
        return answers
