"""Altering one byte of an archive, to see that it is noticed."""

from dataclasses import dataclass

from steerco.archives.files import ArchiveFile
from steerco.client import CommandFailed
from steerco_events.archive.lines import encoded
from steerco_events.envelope import Recorded

SHOWN = 60


@dataclass(frozen=True, slots=True)
class Change:
    """What was altered: the event's position, and the end of its line before and after."""

    position: int
    before: str
    after: str


def flip_a_byte(archive: ArchiveFile) -> Change:
    """Alter the last digit in the data of the event in the middle of an archive."""
    events = [line for line in archive.lines() if isinstance(line, Recorded)]
    if not events:
        raise CommandFailed("the log is empty: there is nothing to alter")
    event = events[len(events) // 2]
    line = encoded(event)
    at = max(n for n, byte in enumerate(line) if chr(byte).isdigit())
    flipped = line[:at] + bytes([line[at] ^ 1]) + line[at + 1 :]
    archive.path.write_bytes(archive.path.read_bytes().replace(line, flipped, 1))
    return Change(event.position, _end(line), _end(flipped))


def _end(line: bytes) -> str:
    return "…" + line.decode().rstrip("\n")[-SHOWN:]
