"""The form of a bearer token: a compact JWS of a pinned algorithm. joserfc reads it and checks the signature."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from joserfc import jws, jwt
from joserfc.errors import BadSignatureError, JoseError
from joserfc.jws import JWSRegistry

from steerco_service.identity.keys import VerificationKey

TOKENS_KEPT = 256
"""Of so many tokens the header is read and the signature is checked once; their claims are checked at every request."""

LONGEST_TOKEN = 16 * 1024
"""Characters of a token. Those of people who are in very many groups have some thousand."""

TYPES = ("jwt", "at+jwt")
"""What `typ` may say: a JWT, or of those an access token (RFC 9068)."""


class InvalidToken(Exception):
    """A token that is not accepted. The message says by which rule, and shows nothing of the token."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a token says of its signature."""

    algorithm: str
    kid: str | None


class _Registry(JWSRegistry):
    max_header_length = max_signature_length = LONGEST_TOKEN  # the token as a whole is bounded

    def get_alg(self, name: str) -> Any:
        """joserfc warns of `EdDSA`, whose curve its name leaves open (RFC 9864): a key that is taken has but one."""
        if name == "EdDSA" and name in (self.allowed or ()):
            return self.algorithms[name]
        return super().get_alg(name)


class Tokens:
    """Reads tokens that are signed by one of these algorithms."""

    def __init__(self, algorithms: Sequence[str]) -> None:
        self._algorithms = tuple(algorithms)
        self._registry = _Registry(algorithms=self._algorithms, strict_check_header=False)
        self.header = lru_cache(TOKENS_KEPT)(self._header)
        self.claims = lru_cache(TOKENS_KEPT)(self._claims)

    def _header(self, token: str) -> Header:
        """The header of a token, of which nothing is proven yet. Raises `InvalidToken`."""
        if len(token) > LONGEST_TOKEN:
            raise InvalidToken(f"it is longer than {LONGEST_TOKEN} characters")
        try:
            found: Any = jws.extract_compact(token.encode(), registry=self._registry).headers()
        except (JoseError, ValueError, RecursionError) as error:
            raise InvalidToken("it is no compact JWS") from error
        if not isinstance(found, dict) or found.get("alg") not in self._algorithms:
            raise InvalidToken(f"alg in its header must be one of {', '.join(self._algorithms)}")
        if "crit" in found:
            raise InvalidToken("crit in its header is not supported")
        kind, kid = found.get("typ", "JWT"), found.get("kid")
        if not isinstance(kind, str) or kind.lower().removeprefix("application/") not in TYPES:
            raise InvalidToken("typ in its header must be JWT or at+jwt")
        if not isinstance(kid, str | None):
            raise InvalidToken("kid in its header must be a text")
        return Header(found["alg"], kid)

    def _claims(self, token: str, key: VerificationKey) -> Mapping[str, Any]:
        """The claims that were signed with the key, whether they hold now or not. Raises `InvalidToken`."""
        try:
            return jwt.decode(token, key.key, registry=self._registry).claims
        except BadSignatureError as error:
            raise InvalidToken("its signature is not one of the issuer's key") from error
        except (JoseError, ValueError, RecursionError) as error:
            raise InvalidToken("it is no compact JWS of a JSON object") from error
