"""What a backup says of itself: a file beside its parts, written last, without which the folder is no backup."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

import msgspec

from steerco.client import CommandFailed

FORMAT = 1
"""Of what this release writes; it reads no later one."""

type Kind = Literal["backup", "keys"]

NAMES: Mapping[Kind, str] = {"backup": "backup.json", "keys": "keys.json"}
"""What the file is called in the folder of each kind."""


class BackupFailed(CommandFailed):
    """A backup can't be taken, read or restored; the text says why in one line."""


class LogAt(msgspec.Struct, frozen=True):
    """How far a log is sealed in the copy, and the hash of its last seal (hexadecimal)."""

    generation: int
    position: int
    watermark: datetime
    hash: str


class Dump(msgspec.Struct, frozen=True):
    """The copy of one database: its name, its file, the revision of its schema, its server's version, its settings."""

    database: str
    file: str
    revision: str
    postgresql: int
    settings: tuple[str, ...]


class Part(msgspec.Struct, frozen=True):
    """One file of the folder."""

    sha256: str
    size: int


class Manifest(msgspec.Struct, frozen=True):
    """All that is in a folder, and of when it is. The folder with the keys has one of its own, of the same `id`."""

    format: int
    kind: Kind
    id: str
    release: str
    taken_at: datetime
    postgresql: str
    content: str | None
    """As what the edition was started; absent where it is no data directory."""
    logs: dict[str, LogAt]
    databases: dict[str, Dump]
    files: dict[str, Part]

    def encoded(self) -> bytes:
        """As it is written."""
        return msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n"


def decoded(content: bytes, kind: Kind) -> Manifest:
    """The manifest of a file. Raises `BackupFailed` for what is none, or is of a later format."""
    name = NAMES[kind]
    try:
        found: Any = msgspec.json.decode(content)
        if isinstance(found, dict) and isinstance(found.get("format"), int) and found["format"] > FORMAT:
            raise BackupFailed(
                f"{name} is of format {found['format']}, and this release reads up to {FORMAT}: take a newer release"
            )
        manifest = msgspec.convert(found, Manifest)
    except msgspec.MsgspecError as error:
        raise BackupFailed(f"{name} is damaged: {error}") from error
    if manifest.kind != kind:
        raise BackupFailed(f"{name} is that of another kind: {manifest.kind}")
    if missing := {each.file for each in manifest.databases.values()} - manifest.files.keys():
        raise BackupFailed(f"{name} is damaged: it does not list {', '.join(sorted(missing))}")
    return manifest
