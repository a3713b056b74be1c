"""Taking a backup: a copy of each database of one cut, and beside them what else an edition needs."""

import asyncio
import hashlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import msgspec

from steerco.archives.files import write_keys
from steerco.backups.aside import REPLACED
from steerco.backups.cutting import Snapshot, cut
from steerco.backups.drafts import LOCK, drafts, sync
from steerco.backups.manifest import FORMAT, NAMES, BackupFailed, Dump, Kind, LogAt, Manifest, Part
from steerco.backups.programs import reached_by, run_program
from steerco.edition.services import SERVICES
from steerco_events.ids import new_id
from steerco_servers.child import Progress
from steerco_service.log_key import PublicLogKey
from steerco_service.privacy.key_database import keys_of

AT_ONCE = 2
"""Databases that are copied at the same time."""

LOGS = tuple(service.name for service in SERVICES if service.owns_log)
KEYS = tuple(keys_of(service.name) for service in SERVICES if service.keeps_keys)


@dataclass(frozen=True, slots=True)
class Beside:
    """The files of an edition that are copied beside its databases: a name in the backup, and where it is.

    `secret` ones go to the keys; `public` are the public halves of such.
    """

    content: str | None = None
    plain: Mapping[str, Path] = field(default_factory=dict)
    public: Mapping[str, PublicLogKey] = field(default_factory=dict)
    secret: Mapping[str, Path] = field(default_factory=dict)


async def take(urls: Mapping[str, str], beside: Beside, folder: Path, keys: Path, progress: Progress) -> Manifest:
    """Copy the databases of these owner URLs into `folder`, those with keys and secret files into `keys`.

    Both are there as a whole in the end, or not at all. Raises `BackupFailed`, `ServerFailed`.
    """
    needed = [keys_of(service.name) for service in SERVICES if service.keeps_keys and service.name in urls]
    if forgotten := sorted(set(needed) - urls.keys()):
        raise BackupFailed(f"without {', '.join(forgotten)} nobody in the copy would have a name: say where it is")
    logs = [name for name in urls if name in LOGS]
    theirs = {name: url for name, url in urls.items() if name in KEYS}
    ours = {name: url for name, url in urls.items() if name not in KEYS}
    async with drafts(folder, keys) as (draft, secret):
        progress("holding the logs for an instant")
        async with cut(urls, logs, KEYS) as snapshots:
            begun = _manifest(snapshots, beside, {name: each.log for name, each in snapshots.items() if each.log})
            into = {name: (secret if name in KEYS else draft) / file_of(name) for name in urls}
            await _dumps(urls, snapshots, into, progress)
        progress("keeping what else it needs")
        _copy(beside.plain, draft)
        for file, key in beside.public.items():
            write_keys(draft / file, [key])
        _copy(beside.secret, secret)
        _write(secret, _of("keys", begun, snapshots, theirs, secret))
        whole = _of("backup", begun, snapshots, ours, draft)
        _write(draft, whole)
    return whole


def file_of(database: str) -> str:
    """What the copy of a database is called."""
    return f"{database}.dump"


async def _dumps(
    urls: Mapping[str, str], snapshots: Mapping[str, Snapshot], into: Mapping[str, Path], progress: Progress
) -> None:
    turn = asyncio.Semaphore(AT_ONCE)
    try:
        async with asyncio.TaskGroup() as group:
            for name, url in urls.items():
                group.create_task(_dump(name, url, snapshots[name], into[name], turn, progress))
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from failed


async def _dump(
    name: str, url: str, snapshot: Snapshot, file: Path, turn: asyncio.Semaphore, progress: Progress
) -> None:
    async with turn:
        progress(f"copying {name} ({snapshot.size / 1e6:,.1f} MB in the database)")
        left_out = f"--exclude-schema=*{REPLACED}"
        arguments = ("--format=custom", f"--snapshot={snapshot.snapshot}", f"--file={file}", "--no-password", left_out)
        await run_program("pg_dump", arguments, reached_by(url), f"{name} can't be copied", snapshot.major)


def _copy(files: Mapping[str, Path], folder: Path) -> None:
    for name, source in files.items():
        if source.exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            shutil.copyfile(source, folder / name)


def _manifest(snapshots: Mapping[str, Snapshot], beside: Beside, logs: Mapping[str, LogAt]) -> Manifest:
    some = next(iter(snapshots.values()))
    return Manifest(
        format=FORMAT,
        kind="backup",
        id=str(new_id()),
        release=version("steerco"),
        taken_at=max(each.at for each in snapshots.values()),
        postgresql=some.postgresql,
        content=beside.content,
        logs=dict(logs),
        databases={},
        files={},
    )


def _of(kind: Kind, begun: Manifest, snapshots: Mapping[str, Snapshot], which: Mapping[str, str], at: Path) -> Manifest:
    databases = {
        name: Dump(each.database, file_of(name), each.revision, each.major, tuple(each.settings))
        for name, each in snapshots.items()
        if name in which
    }
    files = {str(path.relative_to(at)): _part(path) for path in sorted(at.rglob("*")) if path.is_file()}
    del files[LOCK]
    return msgspec.structs.replace(begun, kind=kind, databases=databases, files=files)


def _part(path: Path) -> Part:
    """What is written there, private and safely on the disk."""
    path.chmod(0o600)
    sync(path)
    return Part(digest_of(path), path.stat().st_size)


def digest_of(path: Path) -> str:
    """The SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write(folder: Path, manifest: Manifest) -> None:
    path = folder / NAMES[manifest.kind]
    path.write_bytes(manifest.encoded())
    path.chmod(0o600)
    sync(path)
    sync(folder)
