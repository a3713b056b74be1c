"""Reading a backup: nothing of it is believed before its files are what its manifest says."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from steerco.backups.manifest import NAMES, BackupFailed, Dump, Kind, Manifest, decoded
from steerco.backups.programs import NO_DATABASE, run_program
from steerco.backups.taking import digest_of
from steerco_servers.child import Progress


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup on the disk, and the folder with the keys, if there is one."""

    folder: Path
    manifest: Manifest
    keys_folder: Path
    keys: Manifest | None

    @property
    def dumps(self) -> Mapping[str, tuple[Path, Dump]]:
        """The copies of all databases, by name."""
        kept = [(self.folder, self.manifest), *([(self.keys_folder, self.keys)] if self.keys else [])]
        return {name: (at / dump.file, dump) for at, manifest in kept for name, dump in manifest.databases.items()}


def keys_beside(folder: Path) -> Path:
    """Where the keys of a backup are if nobody says."""
    return folder.with_name(f"{folder.name}-keys")


async def checked(folder: Path, keys: Path | None, progress: Progress) -> Backup:
    """A backup of which every byte was checked. Raises `BackupFailed`, which names what is damaged or missing.

    The keys are beside it, if `keys` says nothing else; they may be of another backup of the same edition, such as a
    later one.
    """
    without = await checked_without_keys(folder, progress)
    keys_folder = keys or without.keys_folder
    return replace(without, keys_folder=keys_folder, keys=await _checked(keys_folder, "keys", progress))


async def checked_without_keys(folder: Path, progress: Progress) -> Backup:
    """The same, where the keys are not at hand."""
    return Backup(folder, await _checked(folder, "backup", progress), keys_beside(folder), None)


async def _checked(folder: Path, kind: Kind, progress: Progress) -> Manifest:
    path = folder / NAMES[kind]
    try:
        manifest = decoded(path.read_bytes(), kind)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise BackupFailed(f"{folder} is no backup: it has no {NAMES[kind]}{_where(kind)}") from error
    except OSError as error:
        raise BackupFailed(f"{path} can't be read: {error.strerror}") from error
    for name, part in manifest.files.items():
        progress(f"checking {name}")
        file = folder / name
        try:
            whole = file.stat().st_size == part.size and digest_of(file) == part.sha256
        except FileNotFoundError as error:
            raise BackupFailed(f"{file} is missing") from error
        except OSError as error:
            raise BackupFailed(f"{file} can't be read: {error.strerror}") from error
        if not whole:
            raise BackupFailed(f"{file} is not what was written: it is damaged or was altered")
    for dump in manifest.databases.values():
        await run_program("pg_restore", ("--list", folder / dump.file), NO_DATABASE, f"{dump.file} can't be read")
    return manifest


def _where(kind: Kind) -> str:
    return "; say where the keys are by --keys DIR" if kind == "keys" else ""
