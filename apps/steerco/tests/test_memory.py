"""What an import remembers of the one before it."""

from pathlib import Path

from steerco.register_import.memory import KeptMemory
from steerco.register_import.plan import facts_of
from steerco.testkit.registers import found


def kept(notes: Path) -> KeptMemory:
    return KeptMemory(notes, "Register")


def test_nothing_is_remembered_before_the_first_import(tmp_path: Path) -> None:
    assert kept(tmp_path).said == {}


def test_what_was_loaded_is_remembered_by_the_next_import(tmp_path: Path) -> None:
    entries = found({}, {}).entries
    kept(tmp_path).remember(entries)
    assert kept(tmp_path).said == {entry.reference: facts_of(entry) for entry in entries}


def test_the_newest_word_of_a_reference_counts(tmp_path: Path) -> None:
    memory = kept(tmp_path)
    memory.remember(found({}).entries)
    memory.remember(found({"name": "Another title"}).entries)
    assert kept(tmp_path).said["1"]["title"] == {"title": "Another title"}


def test_the_same_again_writes_nothing(tmp_path: Path) -> None:
    kept(tmp_path).remember(found({}).entries)
    (notes,) = (tmp_path / "imports").iterdir()
    before = notes.read_bytes()
    kept(tmp_path).remember(found({}).entries)
    assert notes.read_bytes() == before


def test_a_line_that_was_cut_off_says_nothing_and_spoils_no_other(tmp_path: Path) -> None:
    kept(tmp_path).remember(found({}, {}).entries)
    (notes,) = (tmp_path / "imports").iterdir()
    notes.write_bytes(notes.read_bytes()[:-7])
    assert set(kept(tmp_path).said) == {"1"}
    kept(tmp_path).remember(found({}, {}).entries)
    assert set(kept(tmp_path).said) == {"1", "2"}
