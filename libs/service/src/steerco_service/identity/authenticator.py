"""Checks bearer tokens of one issuer: signature, issuer, audience and time."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from joserfc import jwt
from joserfc.errors import ClaimError, MissingClaimError

from steerco_events.clock import Clock
from steerco_service.identity.issuer import AUDIENCE, ISSUER
from steerco_service.identity.keys import KeySource, VerificationKey
from steerco_service.identity.principal import Principal, principal_of
from steerco_service.identity.tokens import Header, InvalidToken, Tokens
from steerco_service.problems import Problem

ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA", "Ed25519")
"""What tokens may be signed by, unless a setting says otherwise."""

LEEWAY = timedelta(seconds=30)
"""How far the issuer's clock and ours may be apart, unless a setting says otherwise."""

NO_ACCESS = ("ID", "Refresh", "Offline", "Logout")
"""What Keycloak says in the claim `typ` of tokens that are for something else than to ask for a person."""

_UNQUOTABLE = re.compile(r'[^\x20-\x7e]|["\\]')


@dataclass(frozen=True, slots=True)
class Expected:
    """What has to be true of a token."""

    issuer: str = ISSUER
    audience: str = AUDIENCE
    algorithms: Sequence[str] = ALGORITHMS
    leeway: timedelta = LEEWAY


LOCAL = Expected()
"""The tokens of the local issuer."""


class Authenticator:
    """Tells who asks. Of a token that it has seen it checks all but the signature again: claims, and that its key is
    still one of the issuer's.
    """

    def __init__(self, keys: KeySource, clock: Clock, expected: Expected = LOCAL) -> None:
        self._keys = keys
        self._expected = expected
        self._tokens = Tokens(expected.algorithms)
        self._claims = _registry(clock, expected)
        self._rules = {
            "iss": f"the issuer {expected.issuer}",
            "aud": f"{expected.audience}, or a list that has it",
            "sub": "a text",
            "jti": "a text",
            "exp": "an instant that is not over",
            "nbf": "an instant that has come",
            "iat": "an instant that has come",
        }

    async def principal(self, authorization: str | None) -> Principal:
        """The principal of an `Authorization` header.

        Raises a 401 `Problem` that says what is wrong, and a 503 one while the issuer's keys can't be had.
        """
        token = _token_of(authorization)
        try:
            header = self._tokens.header(token)
            key = _meant(header, await self._keys.keys_of(header.kid))
            claims = self._tokens.claims(token, key)
            self._check(claims)
            return principal_of(claims, self._expected.issuer)
        except InvalidToken as error:
            raise _refused(f"the bearer token is not valid: {error}") from error

    @property
    def issuer(self) -> str:
        """Whose tokens are taken."""
        return self._expected.issuer

    async def prepare(self) -> None:
        """Have the issuer's keys at hand. Raises a 503 `Problem` while there are none: nobody could be let in."""
        await self._keys.keys_of(None)

    @property
    def degraded(self) -> Mapping[str, str]:
        """What fails while known keys are still used; nothing, if all is well."""
        failure = self._keys.failure
        return {f"keys of {self._expected.issuer}": failure} if failure else {}

    def _check(self, claims: Mapping[str, Any]) -> None:
        try:
            self._claims.validate(dict(claims))
        except MissingClaimError as error:
            raise InvalidToken(f"{error.claim} is missing") from error
        except ClaimError as error:
            raise InvalidToken(f"{error.claim} must be {self._rules[error.claim]}") from error
        if claims.get("typ") in NO_ACCESS:
            raise InvalidToken("typ must be that of an access token")


def _registry(clock: Clock, expected: Expected) -> jwt.JWTClaimsRegistry:
    return jwt.JWTClaimsRegistry(
        now=lambda: int(clock.now().timestamp()),
        leeway=int(expected.leeway.total_seconds()),
        iss={"essential": True, "value": expected.issuer},
        aud={"essential": True, "value": expected.audience},
        sub={"essential": True},
        exp={"essential": True},
    )


def _token_of(authorization: str | None) -> str:
    scheme, _, token = (authorization or "").partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        detail = "an Authorization header with a bearer token is needed"
        raise Problem(401, "unauthorized", detail, headers={"WWW-Authenticate": "Bearer"})
    return token


def _meant(header: Header, keys: Sequence[VerificationKey]) -> VerificationKey:
    """The one key that a header means. Raises `InvalidToken`."""
    if not keys:
        raise InvalidToken("kid in its header is of no key of the issuer")
    match [key for key in keys if header.algorithm in key.algorithms]:
        case [key]:
            return key
        case []:
            raise InvalidToken("alg in its header is not for the issuer's key")
        case _:
            raise InvalidToken("its header must have a kid that is of one key only")


def _refused(detail: str) -> Problem:
    """The problem of a token that was shown and is not accepted (RFC 6750)."""
    said = _UNQUOTABLE.sub("'", detail)
    challenge = f'Bearer error="invalid_token", error_description="{said}"'
    return Problem(401, "unauthorized", detail, headers={"WWW-Authenticate": challenge})
