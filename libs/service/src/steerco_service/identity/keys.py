"""The keys that tokens are checked with, and the port that they come through."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from warnings import catch_warnings, simplefilter

from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey, import_key
from joserfc.jws import JWSRegistry

SUPPORTED = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512"),
    *("EdDSA", "Ed25519"),
)
"""The algorithms that tokens may be signed by, as their headers name them: none with a shared secret. `EdDSA` is the
older name of `Ed25519`."""

SMALLEST_RSA = 2048
"""Bits of an RSA key."""


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """A public key, and the algorithms that it is for. It is the same as another by its id and thumbprint."""

    kid: str
    thumbprint: str
    algorithms: frozenset[str] = field(compare=False)
    key: RSAKey | ECKey | OKPKey = field(compare=False, repr=False)


class KeySource(Protocol):
    """Where an issuer's keys come from."""

    async def keys_of(self, kid: str | None) -> Sequence[VerificationKey]:
        """The issuer's keys with this id; all of them for `None`.

        Raises a 503 `Problem` while it can't be known.
        """
        ...

    @property
    def failure(self) -> str | None:
        """Why the keys could not be fetched when that was tried last; `None` if they could."""
        ...


class KnownKeys:
    """A `KeySource` of keys that never change: a JWK or a JWK Set. Raises `ValueError` if it has none to use."""

    failure = None

    def __init__(self, document: Any) -> None:
        is_set = isinstance(document, dict) and "keys" in document
        self._keys = usable_keys(document if is_set else {"keys": [document]})
        if not self._keys:
            raise ValueError("it has no public key that tokens could be signed for")

    async def keys_of(self, kid: str | None) -> Sequence[VerificationKey]:
        """Those with this id."""
        return with_id(self._keys, kid)


def with_id(keys: Sequence[VerificationKey], kid: str | None) -> Sequence[VerificationKey]:
    """The keys with an id; all of them for `None`."""
    return [key for key in keys if kid is None or key.kid == kid]


def usable_keys(document: Any) -> Sequence[VerificationKey]:
    """The keys of a JWK Set (RFC 7517) that signatures can be checked with. Raises `ValueError` if it is none.

    Left out are symmetric keys, those of another use, RSA below 2048 bits, curves other than P-256, P-384, P-521 and
    Ed25519, and what is broken. A key without `kid` goes by its thumbprint (RFC 7638).
    """
    match document:
        case {"keys": list(found)}:
            return [key for each in found if (key := _usable(each))]
        case _:
            raise ValueError("it is no JWK Set")


def _usable(jwk: Any) -> VerificationKey | None:
    match jwk:
        case {"kty": "RSA"} | {"kty": "EC", "crv": "P-256" | "P-384" | "P-521"} | {"kty": "OKP", "crv": "Ed25519"}:
            pass
        case _:
            return None
    try:
        with catch_warnings():
            simplefilter("ignore", SecurityWarning)  # of short RSA keys: they are left out below
            key = import_key(jwk)
        key.check_key_op("verify")
    except (JoseError, ValueError):
        return None
    if isinstance(key, OctKey) or (isinstance(key, RSAKey) and key.public_key.key_size < SMALLEST_RSA):
        return None
    algorithms = frozenset(each.name for each in JWSRegistry.filter_algorithms(key, list(SUPPORTED)))
    thumbprint = key.thumbprint()
    return VerificationKey(key.kid or thumbprint, thumbprint, algorithms, key) if algorithms else None
