"""The sealer's loop: wake on an append, scan until everything is settled, beat while the log is quiet."""

import asyncio
from datetime import timedelta

from steerco_events.postgres.sealer import Sealer
from steerco_events.signals import Signal
from steerco_events.signing import HeadSigner

POLL_SECONDS = 1.0
GATHER_SECONDS = 0.005
BEAT_SECONDS = 2.0


class Sealing:
    """Runs a `Sealer` in one process; a standby tries for the lease as often as the holder renews it."""

    def __init__(
        self,
        sealer: Sealer,
        appended: Signal,
        sealed: Signal,
        lasts: timedelta = timedelta(seconds=10),
        signer: HeadSigner | None = None,
    ) -> None:
        self._sealer = sealer
        self._appended = appended.subscribe()
        self._sealed = sealed
        self._renew_seconds = lasts.total_seconds() / 3
        self._signer = signer

    async def run(self) -> None:
        """Run until cancelled; leaves the lease to a successor."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                await self._lead(loop)
        finally:
            await self._sealer.stop()

    async def _lead(self, loop: asyncio.AbstractEventLoop) -> None:
        while not await self._sealer.start():
            await asyncio.sleep(self._renew_seconds)
        renewed = beaten = loop.time()
        while True:
            if loop.time() - renewed > self._renew_seconds:
                if not await self._sealer.renew():
                    return
                renewed = loop.time()
            scan = await self._sealer.scan()
            if scan.events:
                self._sealed.notify()
            if self._signer and self._signer.is_due():
                await self._signer.sign()
            if scan.pending or scan.events:
                await asyncio.sleep(GATHER_SECONDS)
            elif not await self._appended.wait(POLL_SECONDS) and (loop.time() - beaten > BEAT_SECONDS):
                await self._sealer.beat()
                beaten = loop.time()
