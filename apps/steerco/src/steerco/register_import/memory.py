"""What the last import said, so that only what the register changed becomes a command.

It only ever suppresses commands: without it, a register is compared with what is there.
"""

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from slugify import slugify

from steerco.register_import.entries import Entry, Json
from steerco.register_import.plan import Memory, facts_of


class KeptMemory:
    """The notes of one source, in a file that is always whole."""

    def __init__(self, notes: Path, source: str) -> None:
        self._path = notes / "imports" / f"{slugify(source)}.json"
        self._said = self._read()

    @property
    def said(self) -> Memory:
        """What the last import said, by reference."""
        return dict(self._said)

    def remember(self, entries: Iterable[Entry]) -> None:
        """These entries are loaded."""
        self._said |= {entry.reference: facts_of(entry) for entry in entries}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        beside = self._path.with_suffix(".new")
        beside.write_text(json.dumps(self._said))
        os.replace(beside, self._path)

    def _read(self) -> dict[str, Mapping[str, Json]]:
        try:
            said = json.loads(self._path.read_text())
        except (OSError, ValueError):
            return {}
        return said if isinstance(said, dict) else {}
