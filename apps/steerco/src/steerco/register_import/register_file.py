"""A register as a CSV file: its rows, or why none of them can be read."""

import codecs
import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from steerco.client import CommandFailed
from steerco.register_import.register_map import FILE_REFUSED, RegisterMap


@dataclass(frozen=True, slots=True)
class Row:
    """A row: its number from 1 below the header, and its cells by column, whitespace collapsed.

    `cells` is `None` when the row has not as many cells as the header.
    """

    number: int
    cells: Mapping[str, str] | None
    width: int


def read_rows(path: Path, register: RegisterMap) -> Sequence[Row]:
    """Every row that is not blank.

    Raises `CommandFailed` before the first one for a wrong encoding, missing or doubled columns, no row at all.
    """
    try:
        encoding = codecs.lookup(register.encoding).name
        text = path.read_bytes().decode("utf-8-sig" if encoding == "utf-8" else encoding)
    except OSError as error:
        raise CommandFailed(f"{path} can't be read: {error.strerror}", FILE_REFUSED) from error
    except UnicodeDecodeError as error:
        place = f"the byte at {error.start} is not {register.encoding}"
        raise CommandFailed(f"{path} is not encoded as the map says: {place}", FILE_REFUSED) from error
    except LookupError as error:
        raise CommandFailed(f"the map's encoding {register.encoding!r} is unknown", FILE_REFUSED) from error
    try:
        rows = list(_rows(path, register, text))
    except csv.Error as error:
        raise CommandFailed(f"{path} is not CSV: {error}", FILE_REFUSED) from error
    if not rows:
        raise CommandFailed(f"{path} has no row below its header", FILE_REFUSED)
    return rows


def _rows(path: Path, register: RegisterMap, text: str) -> Iterator[Row]:
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=register.delimiter, strict=True)
    header = [name.strip() for name in next(lines, [])]
    missing = [name for name in dict.fromkeys(register.used_columns()) if name not in header]
    if missing:
        raise CommandFailed(f"{path} has no column {', '.join(map(repr, missing))}", FILE_REFUSED)
    doubled = [name for name in dict.fromkeys(register.used_columns()) if header.count(name) > 1]
    if doubled:
        raise CommandFailed(f"{path} has the column {', '.join(map(repr, doubled))} more than once", FILE_REFUSED)
    for number, cells in enumerate(lines, start=1):
        if any(cell.strip() for cell in cells):
            named = {name: " ".join(cell.split()) for name, cell in zip(header, cells, strict=False)}
            yield Row(number, named if len(cells) == len(header) else None, len(cells))
