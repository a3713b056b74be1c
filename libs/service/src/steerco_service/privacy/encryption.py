"""What of a person only their own key can read: AES-SIV (RFC 5297), bound to the person and the field. Pure.

The same text under the same key is the same secret, so a command that is sent again says nothing new.
"""

import base64
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

KEY_BYTES = 64
"""Of a subject's key: AES-256-SIV."""


class Undecipherable(ValueError):
    """The secret is of another key, subject or field, or none."""


def encrypted(text: str, key: bytes, subject: UUID, field: str) -> str:
    """The secret (base64url without padding) of a text that is in a field of a subject's record."""
    sealed = AESSIV(key).encrypt(text.encode(), [subject.bytes, field.encode()])
    return base64.urlsafe_b64encode(sealed).decode().rstrip("=")


def decrypted(secret: str, key: bytes, subject: UUID, field: str) -> str:
    """The text of a secret. Raises `Undecipherable`."""
    try:
        sealed = base64.b64decode(secret + "=" * (-len(secret) % 4), altchars=b"-_", validate=True)
        return AESSIV(key).decrypt(sealed, [subject.bytes, field.encode()]).decode()
    except (ValueError, InvalidTag) as error:
        raise Undecipherable(f"the {field} of {subject} can't be read with this key") from error
