"""The key that signs the heads of logs, and the check of what it signed: Ed25519, as JWK."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from steerco_events.heads_file import HeadsFile


class LogKey:
    """A `SigningKey`."""

    def __init__(self, key: OKPKey) -> None:
        self._key = key

    @classmethod
    def generate(cls) -> "LogKey":
        """A new key."""
        return cls(OKPKey.generate_key("Ed25519"))

    @classmethod
    def from_private(cls, jwk: dict[str, Any]) -> "LogKey":
        """A kept key. Raises `ValueError` for one that is none or has no private half."""
        key = OKPKey.import_key(jwk)
        if not key.is_private:
            raise ValueError("the key has no private half")
        return cls(key)

    def private(self) -> dict[str, Any]:
        """The key to keep (a secret)."""
        return dict(self._key.as_dict(private=True))

    def public(self) -> dict[str, Any]:
        """The key to give to whoever verifies."""
        return dict(self._key.as_dict(private=False))

    @property
    def key_id(self) -> str:
        """The thumbprint of the public half (RFC 7638)."""
        return self._key.thumbprint()

    def sign(self, data: bytes) -> bytes:
        """The signature over the bytes."""
        return cast(Ed25519PrivateKey, self._key.private_key).sign(data)


@dataclass(frozen=True, slots=True)
class PublicLogKey:
    """The public half of a key that signed heads."""

    key: OKPKey

    @classmethod
    def of(cls, jwk: dict[str, Any]) -> "PublicLogKey":
        """The key of a JWK. Raises `ValueError`."""
        try:
            key = OKPKey.import_key(jwk)
        except JoseError as error:
            raise ValueError(f"no JWK: {error}") from error
        if not isinstance(key.public_key, Ed25519PublicKey):
            raise ValueError("the key is none of Ed25519")
        return cls(key)

    def public(self) -> dict[str, Any]:
        """The key itself (JWK)."""
        return dict(self.key.as_dict(private=False))

    @property
    def key_id(self) -> str:
        """The thumbprint (RFC 7638)."""
        return self.key.thumbprint()

    def has_signed(self, data: bytes, signature: bytes) -> bool:
        """Whether the signature over the bytes is this key's."""
        try:
            cast(Ed25519PublicKey, self.key.public_key).verify(signature, data)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class Signing:
    """With what, and into which folder, a process signs the heads of the logs that it seals."""

    key: LogKey
    heads: Path | None = None

    def file(self, service: str) -> HeadsFile | None:
        """Where the signed heads of a service's log are kept outside of its database."""
        return HeadsFile(self.heads / f"{service}.jsonl") if self.heads else None
