"""The keys of people's records, as whoever shows a name has them: for minutes, in memory only."""

import asyncio
from collections.abc import Collection, Mapping
from typing import Protocol
from uuid import UUID

KEPT_SECONDS = 300.0
"""How long a key is used again. Whose record says that it was erased is not shown, whatever is kept."""

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
    """Keys from elsewhere, kept for five minutes. That there is none is not kept."""

    def __init__(self, source: Keys) -> None:
        self._source = source
        self._kept: dict[UUID, tuple[float, bytes]] = {}

    async def find(self, subjects: Collection[UUID]) -> Mapping[UUID, bytes]:
        """The keys of those subjects that have one. Raises `KeysUnavailable`."""
        now = asyncio.get_running_loop().time()
        self._kept = {subject: kept for subject, kept in self._kept.items() if now < kept[0]}
        if missing := set(subjects) - self._kept.keys():
            found = await self._source.find(missing)
            if len(self._kept) + len(found) > MOST_KEPT:
                self._kept.clear()
            self._kept |= {subject: (now + KEPT_SECONDS, key) for subject, key in found.items()}
            return {each: self._kept[each][1] for each in subjects if each in self._kept} | dict(found)
        return {subject: self._kept[subject][1] for subject in subjects}
