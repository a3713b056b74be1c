"""What the last import said, so that only what the register changed becomes a command.

It only ever suppresses commands: without it, a register is compared with what is there.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from slugify import slugify

from steerco.register_import.entries import Entry, Json
from steerco.register_import.plan import Memory, facts_of


class KeptMemory:
    """The notes of one source: a line per entry that was loaded, the newest of a reference counts.

    A line is added when its entry is loaded whole; one that was cut off in the middle says nothing.
    """

    def __init__(self, notes: Path, source: str) -> None:
        self._path = notes / "imports" / f"{slugify(source)}.jsonl"
        self._said = dict(self._read())

    @property
    def said(self) -> Memory:
        """What the last import said, by reference."""
        return dict(self._said)

    def remember(self, entries: Iterable[Entry]) -> None:
        """These entries are loaded."""
        news = {entry.reference: facts_of(entry) for entry in entries}
        lines = [json.dumps([reference, said]) for reference, said in news.items() if self._said.get(reference) != said]
        if lines:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a") as notes:
                notes.write("".join(f"\n{line}" for line in lines))
        self._said |= news

    def _read(self) -> Iterable[tuple[str, Mapping[str, Json]]]:
        try:
            lines = self._path.read_text().splitlines()
        except (OSError, ValueError):
            return
        for line in lines:
            try:
                reference, said = json.loads(line)
            except ValueError:
                continue
            yield reference, said
