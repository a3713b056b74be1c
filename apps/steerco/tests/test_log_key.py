"""The key that signs logs is made for services, and changed in an edition so that nothing signed before is lost."""

import json
import stat
from pathlib import Path

from typer.testing import CliRunner

from steerco.archives.files import read_keys
from steerco.cli import app
from steerco.edition.directory import DataDirectory
from steerco_service.log_key import LogKey


def said(*arguments: str, expect: int = 0) -> str:
    done = CliRunner().invoke(app, ["log", "key", *arguments])
    assert done.exit_code == expect, done.output
    return done.output


def test_a_key_is_made_with_its_public_half_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "log-key.json"
    said("make", str(file))
    made = LogKey.from_private(json.loads(file.read_text()))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [each.key_id for each in read_keys(tmp_path / "log-key.public.json")] == [made.key_id]


def test_no_key_is_written_over_another(tmp_path: Path) -> None:
    file = tmp_path / "log-key.json"
    said("make", str(file))
    before = file.read_bytes()
    assert "is there already" in said("make", str(file), expect=1)
    assert file.read_bytes() == before
    assert "can't be written" in said("make", str(tmp_path / "none" / "key.json"), expect=1)


def test_a_changed_key_leaves_every_earlier_one_to_verify_by(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path)
    used = [directory.signing().key.key_id]
    for _ in range(2):
        said("rotate", "--data-dir", str(tmp_path))
        used.append(directory.signing().key.key_id)
    assert len(set(used)) == 3
    assert {each.key_id for each in read_keys(directory.earlier_log_keys)} == set(used[:2])


def test_there_is_nothing_to_change_before_the_first_start(tmp_path: Path) -> None:
    assert "holds no edition" in said("rotate", "--data-dir", str(tmp_path), expect=1)
    assert not list(tmp_path.iterdir())
