"""Which keys tokens are checked with, and from whom they are taken."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from steerco_service.identity.discovery import is_trustworthy
from steerco_service.identity.keys import KnownKeys, usable_keys
from steerco_service.testkit.issuing import public


def new_key() -> ECKey:
    return ECKey.generate_key("P-256")


def short_rsa() -> dict[str, Any]:
    with pytest.warns(SecurityWarning):
        return public(RSAKey.generate_key(1024))


@pytest.mark.parametrize(
    "jwk",
    [
        lambda: OctKey.generate_key(256).as_dict(private=True),
        short_rsa,
        lambda: public(new_key()) | {"use": "enc"},
        lambda: public(new_key()) | {"use": None},
        lambda: public(new_key()) | {"alg": "ECDH-ES"},
        lambda: public(new_key()) | {"key_ops": ["sign"]},
        lambda: public(new_key()) | {"x": "AA"},
        lambda: public(new_key()) | {"kid": 7},
        lambda: public(ECKey.generate_key("secp256k1")),
        lambda: OKPKey.generate_key("Ed448").as_dict(private=False),
        lambda: OKPKey.generate_key("X25519").as_dict(private=False),
        lambda: {"kty": "EC", "crv": ["P-256"]},
        lambda: {"kty": "AKP", "alg": "ML-DSA-44", "pub": "AA"},
        lambda: "a key",
    ],
)
def test_what_no_token_can_be_signed_for_is_no_key(jwk: Callable[[], Any]) -> None:
    good = new_key()
    assert [key.kid for key in usable_keys({"keys": [jwk(), public(good)]})] == [good.thumbprint()]


@pytest.mark.parametrize("curve", ["P-256", "P-384", "P-521"])
def test_a_key_is_for_the_algorithms_of_its_type_and_size(curve: Any) -> None:
    (key,) = usable_keys({"keys": [ECKey.generate_key(curve).as_dict(private=False)]})
    assert key.algorithms == {{"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}[curve]}
    assert key.kid == key.thumbprint
    (bound,) = usable_keys({"keys": [public(OKPKey.generate_key("Ed25519")) | {"alg": "Ed25519"}]})
    assert bound.algorithms == {"Ed25519"}


async def test_known_keys_are_one_or_a_set() -> None:
    first, second = public(new_key()), public(new_key())
    assert [key.kid for key in await KnownKeys(first).keys_of(None)] == [first["kid"]]
    both = KnownKeys({"keys": [first, second]})
    assert [key.kid for key in await both.keys_of(second["kid"])] == [second["kid"]]
    assert len(await both.keys_of(None)) == 2
    assert both.failure is None


@pytest.mark.parametrize("document", ["{}", "[]", '"key"', '{"keys": []}', '{"keys": 7}', '{"kty": "RSA"}'])
def test_what_holds_no_key_to_use_is_refused(document: str) -> None:
    with pytest.raises(ValueError, match=r"no (public key|JWK Set)"):
        KnownKeys(json.loads(document))


@pytest.mark.parametrize(
    ("url", "trustworthy"),
    [
        ("https://id.example/realms/pmo", True),
        ("http://127.0.0.1:8080/realms/pmo", True),
        ("http://localhost:8080", True),
        ("http://[::1]:8080", True),
        ("http://id.example", False),
        ("http://127.0.0.1.example", False),
        ("https://ada:secret@id.example", False),
        ("https://", False),
        ("https://id.example:port", False),
        ("https://id.example/a b", False),
        ("https://id.exämple", False),
        ("ftp://id.example", False),
        ("id.example", False),
    ],
)
def test_a_url_is_trustworthy_if_nobody_can_answer_instead(url: str, trustworthy: bool) -> None:
    assert is_trustworthy(url) is trustworthy
