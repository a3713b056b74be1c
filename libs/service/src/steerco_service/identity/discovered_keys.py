"""The keys of an OIDC issuer, kept: fetched anew in time, never too often, and used on while the issuer is away."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from steerco_events.clock import Clock
from steerco_service.identity.discovery import DIRECT, IssuerUnusable, Way, fetch_keys
from steerco_service.identity.keys import VerificationKey, with_id
from steerco_service.problems import Problem

FRESH_FOR = timedelta(minutes=10)
"""How old the keys may be before a request has them fetched anew. It does not wait for that."""

KEPT_FOR = timedelta(hours=24)
"""How old the keys may be and still be used, while the issuer can't be reached."""

BETWEEN_FETCHES = timedelta(seconds=10)
"""From the beginning of a fetch to that of the next: whoever sends tokens with ids of no key makes no hammer of us."""

_logger = logging.getLogger("steerco.identity")


class DiscoveredKeys:
    """A `KeySource` of what an issuer publishes. A key that it publishes no more is gone with the next fetch."""

    def __init__(self, issuer: str, clock: Clock, way: Way = DIRECT) -> None:
        self._issuer = issuer
        self._way = way
        self._clock = clock
        self._keys: Sequence[VerificationKey] = ()
        self._fetched_at: datetime | None = None
        self._tried_at: datetime | None = None
        self._fetching: asyncio.Task[None] | None = None
        self._failure: str | None = "nothing was fetched yet"

    @property
    def failure(self) -> str | None:
        """Why the last fetch failed; `None` if it did not."""
        return self._failure

    async def keys_of(self, kid: str | None) -> Sequence[VerificationKey]:
        """The keys with this id, after a fetch if none is known. Raises a 503 `Problem` while that fails.

        All who wait share a fetch; when one of them is cancelled, the others go on.
        """
        if not self._is_within(KEPT_FOR, self._fetched_at):
            await self._fetched()
        elif not self._is_within(FRESH_FOR, self._fetched_at):
            self._begin()
        found = with_id(self._keys, kid)
        if found or kid is None:
            return found
        await self._fetched()
        return with_id(self._keys, kid)

    async def _fetched(self) -> None:
        """Wait for a fetch, if one may be made now; raise if the last one failed."""
        if fetching := self._begin():
            await asyncio.shield(fetching)
        if self._failure is not None:
            detail = f"the keys of {self._issuer} can't be fetched now: {self._failure}"
            seconds = f"{BETWEEN_FETCHES.total_seconds():.0f}"
            raise Problem(503, "issuer-unreachable", detail, headers={"Retry-After": seconds})

    def _begin(self) -> asyncio.Task[None] | None:
        """The fetch that is under way, or a new one; `None` soon after the last."""
        if self._fetching is None and not self._is_within(BETWEEN_FETCHES, self._tried_at):
            self._tried_at = self._clock.now()
            self._fetching = asyncio.create_task(self._fetch(), name=f"keys of {self._issuer}")
        return self._fetching

    async def _fetch(self) -> None:
        try:
            self._keys = await fetch_keys(self._issuer, self._way)
            self._fetched_at = self._clock.now()
            self._failure = None
        except IssuerUnusable as error:
            self._failure = str(error)
            _logger.warning("the keys of %s could not be fetched: %s", self._issuer, error)
        finally:
            self._fetching = None

    def _is_within(self, duration: timedelta, at: datetime | None) -> bool:
        """Whether an instant is no further away; a clock that was put back counts as one that went on."""
        return at is not None and abs(self._clock.now() - at) < duration
