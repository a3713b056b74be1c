"""Who asked a service for what, written some at once: off the way of what is asked, but for what is sensitive."""

import asyncio
import logging
from collections import deque
from collections.abc import Mapping
from itertools import islice

from sqlalchemy.ext.asyncio import AsyncEngine

from steerco_events.postgres.accesses import Accessed, write
from steerco_events.postgres.faults import DATABASE_FAULTS
from steerco_events.postgres.statements import driver_transaction
from steerco_events.retrying import retrying

GATHER_SECONDS = 0.5
"""So long requests wait to be written together."""

WRITTEN_AT_ONCE = 1000
MOST_WAITING = 20_000
"""What comes while so many wait is not written at all: nobody who asks waits for this."""

PATIENCE_SECONDS = 5.0
"""What a sensitive question waits for, and the end of a process."""

_logger = logging.getLogger("steerco.accesses")


class AccessLog:
    """One for each service in a process. What fails is tried again, and said by `failing_now` and `degraded`."""

    def __init__(self, service: str, engine: AsyncEngine) -> None:
        self._service = service
        self._engine = engine
        self._waiting: deque[Accessed] = deque()
        self._lost = 0
        self._turn = asyncio.Lock()
        self._writing: asyncio.Task[None] | None = None

    @property
    def degraded(self) -> Mapping[str, str]:
        """How many requests stand nowhere, since the last that could be written."""
        if not self._lost:
            return {}
        return {f"{self._service} access log": f"{self._lost} requests are not recorded: {MOST_WAITING} wait for that"}

    def put(self, row: Accessed) -> None:
        """Have a request written soon."""
        if len(self._waiting) >= MOST_WAITING:
            self._lose()
            return
        self._waiting.append(row)
        if self._writing is None or self._writing.done():
            writing = retrying(self._write, f"{self._service} access log", self._service)
            self._writing = asyncio.create_task(writing, name="accesses")

    async def write(self, row: Accessed) -> None:
        """Write a request now. Raises what the database raises, and `TimeoutError`."""
        async with asyncio.timeout(PATIENCE_SECONDS), driver_transaction(self._engine) as tx:
            await write(tx, [row])

    async def flush(self) -> None:
        """Write what waits now. Raises what the database raises."""
        async with self._turn:
            left = len(self._waiting)
            while left > 0:
                rows = list(islice(self._waiting, min(left, WRITTEN_AT_ONCE)))
                async with driver_transaction(self._engine) as tx:
                    await write(tx, rows)
                for _ in rows:
                    self._waiting.popleft()
                left -= len(rows)
            if self._lost:
                _logger.error("%s: %d requests were not recorded in the access log", self._service, self._lost)
                self._lost = 0

    async def close(self) -> None:
        """Write what waits; what can't be written by now is lost, and said to be."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                async with self._turn:
                    self._end()
                await self.flush()
        except DATABASE_FAULTS as error:
            self._end()
            _logger.error(
                "%s: %d requests were not recorded in the access log", self._service, len(self._waiting), exc_info=error
            )

    async def _write(self) -> None:
        while self._waiting:
            await asyncio.sleep(GATHER_SECONDS)
            await self.flush()

    def _end(self) -> None:
        if self._writing:
            self._writing.cancel()

    def _lose(self) -> None:
        if not self._lost:
            _logger.error("%s: requests are not recorded: %d wait for that", self._service, MOST_WAITING)
        self._lost += 1
