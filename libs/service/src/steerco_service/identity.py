"""Who asks: bearer tokens of one issuer, checked by signature, issuer, audience and expiry."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from steerco_events.clock import Clock
from steerco_events.envelope import Actor
from steerco_service.problems import Problem

ISSUER = "urn:steerco:local"
AUDIENCE = "steerco"
ALGORITHM = "Ed25519"
TOKENS_KEPT = 256
"""Of so many tokens the signature is checked once; their claims are checked at every request."""


@dataclass(frozen=True, slots=True)
class Principal:
    """A person or machine that asks, and the client program it asks through."""

    actor: Actor
    client: str


class Issuer:
    """The local issuer: signs tokens with a key that stays on this machine."""

    def __init__(self, key: OKPKey) -> None:
        self._key = key

    @classmethod
    def generate(cls) -> "Issuer":
        """An issuer with a new key."""
        return cls(OKPKey.generate_key("Ed25519"))

    @classmethod
    def from_private(cls, jwk: dict[str, Any]) -> "Issuer":
        """The issuer of a kept key."""
        return cls(OKPKey.import_key(jwk))

    def private(self) -> dict[str, Any]:
        """The key to keep (a secret)."""
        return dict(self._key.as_dict(private=True))

    def public(self) -> dict[str, Any]:
        """The key to give to services."""
        return dict(self._key.as_dict(private=False))

    def token(self, principal: Principal, now: datetime, lasts: timedelta) -> str:
        """A bearer token for a principal."""
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": str(principal.actor.id),
            "job_title": principal.actor.job_title,
            "azp": principal.client,
            "iat": int(now.timestamp()),
            "exp": int((now + lasts).timestamp()),
        }
        return jwt.encode({"alg": ALGORITHM}, claims, self._key, algorithms=[ALGORITHM])


class Authenticator:
    """Checks bearer tokens against the issuer's public key."""

    def __init__(self, public: dict[str, Any], clock: Clock) -> None:
        self._key = OKPKey.import_key(public)
        self._clock = clock
        self._signed = lru_cache(TOKENS_KEPT)(self._verified)

    def _verified(self, token: str) -> dict[str, Any]:
        """The claims that the issuer signed, whether they hold now or not."""
        return jwt.decode(token, self._key, algorithms=[ALGORITHM]).claims

    def principal(self, authorization: str | None) -> Principal:
        """The principal of an `Authorization` header. Raises a 401 `Problem` that says what is wrong."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise _unauthorized("an Authorization header with a bearer token is needed")
        try:
            claims = self._signed(token)
            self._registry().validate(claims)
            actor = Actor(UUID(claims["sub"]), str(claims["job_title"]))
            return Principal(actor, str(claims.get("azp", "unknown")))
        except (JoseError, ValueError, KeyError) as error:
            raise _unauthorized(f"the bearer token is not valid: {error}") from error

    def _registry(self) -> jwt.JWTClaimsRegistry:
        return jwt.JWTClaimsRegistry(
            now=lambda: int(self._clock.now().timestamp()),
            leeway=30,
            iss={"essential": True, "value": ISSUER},
            aud={"essential": True, "value": AUDIENCE},
            sub={"essential": True},
            exp={"essential": True},
        )


def _unauthorized(detail: str) -> Problem:
    return Problem(401, "unauthorized", detail, headers={"WWW-Authenticate": "Bearer"})
