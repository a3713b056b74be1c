"""Ships that come in all the time, over every API by turns; each is sent again with its key until it is answered."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import count

import httpx

from tests.rolling.fleet import Fleet

DOCKS = 12
WRITERS = 3
PAUSE_SECONDS = 0.1


class Load:
    """What was sent, and what became of it. `accepted`: the ships, with their tonnes. `answers` but those."""

    def __init__(self, fleet: Fleet) -> None:
        self.accepted: dict[str, int] = {}
        self.answers: Counter[str] = Counter()
        self._fleet = fleet
        self._numbers = count(1)
        self._turn = count()
        self._is_ending = False

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Inside, ships come in."""
        self._is_ending = False
        async with self._fleet.client() as client:
            writers = [asyncio.create_task(self._write(client)) for _ in range(WRITERS)]
            try:
                yield
            finally:
                self._is_ending = True
                await asyncio.gather(*writers)

    async def more(self, ships: int) -> None:
        """Return when so many more ships were accepted."""
        goal = len(self.accepted) + ships
        async with asyncio.timeout(60):
            while len(self.accepted) < goal:
                await asyncio.sleep(0.01)

    async def _write(self, client: httpx.AsyncClient) -> None:
        while not self._is_ending:
            number = next(self._numbers)
            await self._send(client, number)
            await asyncio.sleep(PAUSE_SECONDS)

    async def _send(self, client: httpx.AsyncClient, number: int) -> None:
        ship, tonnes = f"ship-{number}", number % 7 + 1
        path, key = f"/docks/{number % DOCKS}/ships", {"Idempotency-Key": ship}
        while True:
            rotation = self._fleet.rotation
            address = rotation[next(self._turn) % len(rotation)]
            with suppress(httpx.TransportError):
                answer = await client.post(address + path, json={"ship": ship, "tonnes": tonnes}, headers=key)
                if answer.status_code == 204:
                    self.accepted[ship] = tonnes
                    return
                self.answers[f"{answer.status_code} {answer.text}"] += 1
            await asyncio.sleep(PAUSE_SECONDS)
