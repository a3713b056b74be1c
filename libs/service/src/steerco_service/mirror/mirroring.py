"""Receives one service's log for a unit: page after page, each after the history of what entered; by one worker."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import httpx
from sqlalchemy.ext.asyncio import AsyncEngine

from steerco_events.ports import WHOLE
from steerco_events.postgres.lease import LeaseLost
from steerco_events.postgres.lease_keeper import LeaseKeeper
from steerco_events.signals import Signal
from steerco_service.mirror.settings import Source
from steerco_service.mirror.source import ASK_SECONDS, ScopedSource, Tokens
from steerco_service.mirror.store import Mirror
from steerco_service.runtime import Runtime
from steerco_service.workers import Run

POLL_SECONDS = 1.0


class Mirroring:
    """One for each log."""

    def __init__(
        self,
        service: str,
        source: Source,
        tokens: Tokens,
        engine: AsyncEngine,
        leases: LeaseKeeper,
        received: Signal,
    ) -> None:
        self._service = service
        self._source = source
        self._tokens = tokens
        self._mirror = Mirror(service, source.scope, source.url)
        self._engine = engine
        self._leases = leases
        self._received = received

    async def run(self) -> None:
        """Receive until cancelled, whenever the lease is ours. Raises what `step` raises."""
        while True:
            with suppress(LeaseLost):
                async with (
                    self._leases.hold(f"mirror of {self._service}", WHOLE),
                    httpx.AsyncClient(timeout=ASK_SECONDS) as client,
                ):
                    source = ScopedSource(self._source, self._service, self._tokens, client)
                    while True:
                        if await self.step(source):
                            await asyncio.sleep(POLL_SECONDS)

    async def step(self, source: ScopedSource) -> bool:
        """Take one page, after the history of what entered before it; whether there is no more for now.

        Raises what the source raises, `OtherSource` and `MirrorMoved`; of the history, what had come by then is kept,
        and the next step begins with the same page.
        """
        async with self._engine.connect() as connection:
            seen = await self._mirror.reached(connection)
        page = await source.page(seen.after)
        async for events in source.history(page.entered):
            if events:
                async with self._engine.begin() as tx:
                    seen = await self._mirror.take_history(tx, seen, events)
        async with self._engine.begin() as tx:
            await self._mirror.take(tx, seen, page.events, page.end, page.complete_to)
        self._received.notify()
        return page.complete_to is not None


def mirrors(runtime: Runtime, source: Source, tokens: Tokens) -> Sequence[tuple[str, Run]]:
    """What receives the logs that the service's view is built from, by name; each runs until cancelled."""
    return [
        (
            f"{runtime.service.name} mirror of {each}",
            Mirroring(each, source, tokens, runtime.engine, runtime.leases, runtime.signals.sealed).run,
        )
        for each in runtime.service.view.services
    ]
