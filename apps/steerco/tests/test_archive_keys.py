"""The public keys beside archives: one, or several where a log was taken over from elsewhere."""

from pathlib import Path

import pytest

from steerco.archives.files import read_keys, write_keys
from steerco.client import CommandFailed
from steerco_service.log_key import LogKey, PublicLogKey


@pytest.mark.parametrize("count", [1, 3])
def test_keys_are_kept_without_their_private_halves(count: int, tmp_path: Path) -> None:
    keys = [PublicLogKey.of(LogKey.generate().private()) for _ in range(count)]
    write_keys(tmp_path / "keys", keys)
    kept = (tmp_path / "keys").read_text()
    assert '"d"' not in kept
    assert ('"keys"' in kept) == (count > 1)
    assert [key.key_id for key in read_keys(tmp_path / "keys")] == [key.key_id for key in keys]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "1",
        "[]",
        "{}",
        '{"keys": 1}',
        '{"keys": [{}]}',
        '{"kty": "OKP"}',
        '{"kty": "OKP", "crv": "X25519", "x": "AA"}',
    ],
)
def test_a_file_that_holds_no_key_is_named(content: str, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(content)
    with pytest.raises(CommandFailed, match="keys holds no Ed25519 key"):
        read_keys(tmp_path / "keys")
