"""The local issuer: signs tokens with a key that stays on this machine."""

from datetime import datetime, timedelta
from typing import Any

from joserfc import jwt
from joserfc.jwk import OKPKey

from steerco_service.identity.principal import SERVICE_ACCOUNT, Principal

ISSUER = "urn:steerco:local"
AUDIENCE = "steerco"
ALGORITHM = "Ed25519"


class Issuer:
    """Issues tokens of its own; the name of its key is the thumbprint (RFC 7638)."""

    def __init__(self, key: OKPKey) -> None:
        self._key = key
        self._kid = key.thumbprint()

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
        return dict(self._key.as_dict(private=False, kid=self._kid, use="sig"))

    def jwks(self) -> dict[str, Any]:
        """The same as a JWK Set (RFC 7517)."""
        return {"keys": [self.public()]}

    def token(self, principal: Principal, now: datetime, lasts: timedelta) -> str:
        """A bearer token for a principal. That of a machine says so as Keycloak's do."""
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": str(principal.actor.id),
            "job_title": principal.actor.job_title,
            "azp": principal.client,
            "iat": int(now.timestamp()),
            "exp": int((now + lasts).timestamp()),
        }
        if principal.groups:
            claims["groups"] = sorted(principal.groups)
        if principal.is_machine:
            claims["client_id"] = principal.client
            claims["preferred_username"] = SERVICE_ACCOUNT + principal.client
        header = {"alg": ALGORITHM, "kid": self._kid}
        return jwt.encode(header, claims, self._key, algorithms=[ALGORITHM])
