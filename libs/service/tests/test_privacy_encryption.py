"""A secret is read with its subject's key, for its field, and in no other way."""

import secrets
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as some

from steerco_events.ids import derived_id
from steerco_service.privacy.encryption import KEY_BYTES, Undecipherable, decrypted, encrypted

ADA, GRACE = derived_id("person", "Ada"), derived_id("person", "Grace")
KEY, OTHER = secrets.token_bytes(KEY_BYTES), secrets.token_bytes(KEY_BYTES)


@given(some.text(some.characters(codec="utf-8"), min_size=1, max_size=200))
def test_what_is_encrypted_is_read_with_the_key(text: str) -> None:
    secret = encrypted(text, KEY, ADA, "name")
    assert decrypted(secret, KEY, ADA, "name") == text
    assert secret == encrypted(text, KEY, ADA, "name")
    assert secret.isascii()


def test_the_text_does_not_show() -> None:
    assert encrypted("Ada", KEY, ADA, "name") != encrypted("Ada", KEY, ADA, "email")
    assert encrypted("Ada", KEY, ADA, "name") != encrypted("Ada", OTHER, ADA, "name")


@pytest.mark.parametrize(
    ("key", "subject", "field"),
    [(OTHER, ADA, "name"), (KEY, GRACE, "name"), (KEY, ADA, "email")],
    ids=["another key", "another person", "another field"],
)
def test_nothing_else_reads_it(key: bytes, subject: UUID, field: str) -> None:
    with pytest.raises(Undecipherable):
        decrypted(encrypted("Ada", KEY, ADA, "name"), key, subject, field)


@pytest.mark.parametrize("secret", ["", "A", "not base64!", "AAAA", "Ω", "A" * 1000])
def test_what_is_no_secret_is_said_to_be_none(secret: str) -> None:
    with pytest.raises(Undecipherable):
        decrypted(secret, KEY, ADA, "name")
