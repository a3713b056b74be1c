"""The sealer's loop: wake on an append, scan until everything is settled, beat while the log is quiet."""

import asyncio
import logging
from contextlib import AbstractAsyncContextManager, suppress
from datetime import timedelta
from math import inf

from steerco_events import tracing
from steerco_events.bounding import bounded
from steerco_events.metrics import SEALED_EVENTS, SEALER_LEADER, SEALS
from steerco_events.postgres.lease import LeaseLost
from steerco_events.postgres.sealer import Sealed, Sealer
from steerco_events.retrying import failed
from steerco_events.saying import said
from steerco_events.signals import Signal
from steerco_events.signing import HeadNotKept, HeadSigner

POLL_SECONDS = 1.0
GATHER_SECONDS = 0.005
"""From one scan to the next, while appends come."""

LONGEST_GATHER_SECONDS = 0.05
"""The same while an append stays open and nothing can be sealed: it comes to that little by little."""

GROWTH = 1.2

BEAT_SECONDS = 2.0
STARVED_SECONDS = 2 * BEAT_SECONDS
"""So long a quiet log waits for its beat while it is woken all the time, such as by a reaction that appends nothing."""

TRACE_SECONDS = 1.0
"""How long it may take to see which traces a seal is of."""

STEP_SECONDS = 300.0
"""After so long a step hangs. A seal of all that was appended while nobody sealed may take minutes."""

_logger = logging.getLogger("steerco.sealing")


class Rhythm:
    """When a sealer beats, when it renews its lease, and how long it gathers until the next scan, by the loop's time.

    A beat comes in the place of a scan that would find nothing: soon after the last one where the log rested, later
    where it was woken for nothing, and never while it goes on.
    """

    def __init__(self, renew_seconds: float, now: float) -> None:
        """It beats `now`."""
        self._renew_seconds = renew_seconds
        self._renewed = self._beaten = now
        self._beats_after = inf
        self.gather = GATHER_SECONDS
        self.is_quiet = False

    def is_beat_due(self, now: float) -> bool:
        """Whether it is time for a beat."""
        return now - self._beaten >= self._beats_after

    def is_renewal_due(self, now: float) -> bool:
        """Whether no beat has kept the lease for long."""
        return now - self._renewed > self._renew_seconds

    def renews(self, now: float) -> None:
        """The lease was renewed by itself."""
        self._renewed = now

    def beats(self, now: float, is_quiet: bool) -> None:
        """It beat, which renews the lease, and found the log quiet, or not."""
        self._renewed = self._beaten = now
        self._found(is_quiet)

    def scans(self, scan: Sealed) -> None:
        """It scanned."""
        self._found(is_quiet=not scan.pending and not scan.events)
        self.gather = GATHER_SECONDS if scan.events else min(GROWTH * self.gather, LONGEST_GATHER_SECONDS)

    def _found(self, is_quiet: bool) -> None:
        self.is_quiet = is_quiet
        self._beats_after = inf

    def rests(self, is_woken: bool) -> None:
        """Nothing was there to be sealed: until some time was over, or it was woken."""
        self._beats_after = STARVED_SECONDS if is_woken else BEAT_SECONDS
        self.gather = GATHER_SECONDS


class Sealing:
    """Runs a `Sealer` in one process; a standby tries for the lease when it would run out.

    `rested` says each time that a quiet log is complete up to now. It is the log of `service`, in metrics and spans.
    """

    def __init__(
        self,
        sealer: Sealer,
        appended: Signal,
        sealed: Signal,
        lasts: timedelta = timedelta(seconds=10),
        signer: HeadSigner | None = None,
        rested: Signal | None = None,
        service: str = "",
    ) -> None:
        self._sealer = sealer
        self._appended = appended.subscribe()
        self._sealed = sealed
        self._renew_seconds = lasts.total_seconds() / 3
        self._signer = signer
        self._rested = rested or Signal()
        self._service = service
        self._is_signed = False

    async def run(self) -> None:
        """Run until cancelled; leaves the lease to a successor. Raises `Hangs`, and what the sealer raises."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                with suppress(LeaseLost):
                    await self._lead(loop)
        finally:
            SEALER_LEADER.set(0, self._service)
            await self._sealer.stop()

    async def _lead(self, loop: asyncio.AbstractEventLoop) -> None:
        """Until the lease is lost. A quiet log costs one statement a second: a scan, or in its place a beat."""
        await self._begin()
        rhythm = Rhythm(self._renew_seconds, loop.time())
        while True:
            now = loop.time()
            async with self._bounded():
                if rhythm.is_beat_due(now):
                    rhythm.beats(now, await self._beat())
                else:
                    if rhythm.is_renewal_due(now):
                        if not await self._sealer.renew():
                            return
                        rhythm.renews(now)
                    rhythm.scans(await self._scan())
            if rhythm.is_quiet:
                rhythm.rests(await self._appended.wait(POLL_SECONDS))
            else:
                await asyncio.sleep(now + rhythm.gather - loop.time())

    async def _begin(self) -> None:
        """Return once the lease is ours, and those who wait know it."""
        SEALER_LEADER.set(0, self._service)
        while not await self._has_turn():
            pass
        SEALER_LEADER.set(1, self._service)
        async with self._bounded():
            if await self._sealer.beat():
                self._sealed.notify()  # those who begin now need not wait to learn that it is quiet
        self._is_signed = False

    async def _beat(self) -> bool:
        is_quiet = await self._sealer.beat()
        if is_quiet:
            self._rested.notify()
        return is_quiet

    async def _trace(self, scan: Sealed, began: int, ended: int) -> None:
        """The spans of a seal. They are worth no interruption: what goes wrong is logged."""
        if not tracing.is_on():
            return
        try:
            async with asyncio.timeout(TRACE_SECONDS):
                tracing.sealed(self._service, await self._sealer.contexts(scan), scan.events, began, ended)
        except Exception as error:
            _logger.warning("a seal of %s has no spans: %s", self._service, said(error))

    def _bounded(self) -> AbstractAsyncContextManager[None]:
        return bounded(STEP_SECONDS, f"the sealer of {self._service}")

    async def _has_turn(self) -> bool:
        """Whether the lease is ours; if not, once it is worth while to ask again."""
        async with self._bounded():
            if await self._sealer.start():
                return True
            await self._sealer.turn()
            return False

    async def _scan(self) -> Sealed:
        began = tracing.now()
        scan = await self._sealer.scan()
        if scan.events:
            self._sealed.notify()
            await self._trace(scan, began, tracing.now())
            SEALS.add(self._service)
            SEALED_EVENTS.add(self._service, amount=scan.events)
            self._is_signed = False
        if self._signer and not self._is_signed and self._signer.is_due():
            await self._sign(self._signer)
        return scan

    async def _sign(self, signer: HeadSigner) -> None:
        """What can't be kept now is signed later, and keeps nothing from being sealed."""
        try:
            await signer.sign()
            self._is_signed = True
        except HeadNotKept as error:
            failed(error, "signing", self._service)
            _logger.warning("%s", error)
