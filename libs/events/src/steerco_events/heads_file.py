"""The file of the signed heads of a log, which is kept outside of its database."""

import fcntl
import os
from pathlib import Path
from typing import BinaryIO

import msgspec

from steerco_events.positions import SignedHead

SIGN_EVERY_SECONDS = 10.0
"""How often a head is signed at most."""

BLOCK = 4096
"""Bytes that are read at once from the end of a file of heads; a head has a few hundred."""


class HeadsFile:
    """The signed heads of one log, a JSON object per line, oldest first. Only ever appended to.

    A line without its end was cut off, by a full disk or a loss of power: it holds no head, and the next one takes
    its place.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, head: SignedHead) -> None:
        """Add one, safely on the disk on return."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            end = file.seek(0, os.SEEK_END)
            if (start := _line_start(file, end)) < end:
                file.truncate(start)
            file.write(msgspec.json.encode(head) + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def heads(self) -> list[SignedHead]:
        """All of them. Raises `ValueError` for a line that is no head."""
        try:
            lines = self.path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return []
        return [_head(line) for line in lines[:-1] if line]

    def last(self) -> SignedHead | None:
        """The newest; only the end of the file is read. Raises `ValueError` if its last line is no head."""
        try:
            with self.path.open("rb") as file:
                end = _line_start(file, file.seek(0, os.SEEK_END))
                while end > 0:
                    start = _line_start(file, end - 1)
                    file.seek(start)
                    if line := file.read(end - 1 - start):
                        return _head(line)
                    end = start
        except FileNotFoundError:
            pass
        return None


def _head(line: bytes) -> SignedHead:
    return msgspec.json.decode(line, type=SignedHead)


def _line_start(file: BinaryIO, end: int) -> int:
    """After the last line break of the first `end` bytes: where the line begins that they end in."""
    while end > 0:
        start = max(0, end - BLOCK)
        file.seek(start)
        at = file.read(end - start).rfind(b"\n")
        if at >= 0:
            return start + at + 1
        end = start
    return 0
