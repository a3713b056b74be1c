"""Somebody who asks with tokens of an issuer whose keys are fetched from it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from joserfc.jwk import ECKey

from steerco_events.clock import ManualClock
from steerco_service.identity.authenticator import Authenticator, Expected
from steerco_service.identity.discovered_keys import KEPT_FOR, DiscoveredKeys
from steerco_service.identity.discovery import DISCOVERY
from steerco_service.identity.principal import Principal
from steerco_service.problems import Problem
from steerco_service.testkit.issuing import JWKS, OidcIssuer, SigningKey, oidc_issuer, signed

NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)
ALGORITHM = {"RSA": "RS256", "EC": "ES256", "OKP": "Ed25519"}


@dataclass(frozen=True)
class Asking:
    """Somebody who asks with tokens of an issuer."""

    issuer: OidcIssuer
    clock: ManualClock
    keys: DiscoveredKeys
    authenticator: Authenticator

    def token(self, key: SigningKey, **header: Any) -> str:
        """A token that is signed by a key."""
        claims = self.issuer.claims(self.clock.now(), exp=(NOW + 3 * KEPT_FOR).timestamp())
        return signed(key, ALGORITHM[key.key_type], claims, **header)

    async def ask(self, key: SigningKey, **header: Any) -> Principal:
        """Whom a token of that key is taken for."""
        return await self.authenticator.principal(f"Bearer {self.token(key, **header)}")

    async def refusal(self, key: SigningKey, **header: Any) -> Problem:
        """Why a token of that key is not taken."""
        try:
            await self.ask(key, **header)
        except Problem as problem:
            return problem
        raise AssertionError("the token was taken")

    async def fetched(self) -> None:
        """Return when no fetch is under way."""
        if self.keys._fetching:
            await self.keys._fetching

    @property
    def asked(self) -> tuple[int, int]:
        """How often the issuer was asked about itself, and for its keys."""
        return self.issuer.asked[DISCOVERY], self.issuer.asked[JWKS]


@asynccontextmanager
async def asking_an_issuer() -> AsyncIterator[Asking]:
    """Inside, there is an issuer, and somebody who asks by a clock that is set by hand."""
    async with oidc_issuer() as issuer:
        clock = ManualClock(NOW)
        keys = DiscoveredKeys(issuer.url, clock)
        yield Asking(issuer, clock, keys, Authenticator(keys, clock, Expected(issuer.url)))


def new_key() -> ECKey:
    """A key of an issuer."""
    return ECKey.generate_key("P-256")
