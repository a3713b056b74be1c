"""The folders that a backup is written into: beside those that are named, whose places they take at the end."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from steerco.backups.manifest import NAMES, BackupFailed, Kind, decoded
from steerco_servers.directory import DirectoryLock

LOCK = "lock"
"""A file of each while it is written, and of none afterwards."""


@asynccontextmanager
async def drafts(folder: Path, keys: Path) -> AsyncIterator[tuple[Path, Path]]:
    """One for the backup and one for its keys; both take their places, or on an error nothing of them stays.

    The keys come first: a folder that looks like a backup has its keys. Where it was killed in between they are there
    alone and of no backup; the next one into the same folders removes them. Raises `BackupFailed`.
    """
    _check_apart(folder, keys)
    async with _draft(folder) as draft:
        if _belong_together(draft, keys):
            shutil.rmtree(keys)
        async with _draft(keys) as secret:
            _clear(draft)
            _clear(secret)
            yield draft, secret
            _put(secret, keys)
            try:
                sync(keys.parent)
                _put(draft, folder)
            except (BackupFailed, OSError):
                os.replace(keys, secret)
                raise
            sync(folder.parent)


def _check_apart(folder: Path, keys: Path) -> None:
    one, other = folder.resolve(), keys.resolve()
    if one.is_relative_to(other) or other.is_relative_to(one):
        raise BackupFailed(f"the keys are kept apart: {keys} and {folder} can't be one in the other, say --keys DIR")


def _belong_together(draft: Path, keys: Path) -> bool:
    """Whether what was written there so far, and those keys, are of one backup."""
    try:
        return _id_of(draft, "backup") == _id_of(keys, "keys")
    except (OSError, BackupFailed):
        return False


def _id_of(folder: Path, kind: Kind) -> str:
    return decoded((folder / NAMES[kind]).read_bytes(), kind).id


@asynccontextmanager
async def _draft(folder: Path) -> AsyncIterator[Path]:
    """A locked folder beside that one, of which nothing stays unless it was put in its place."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise BackupFailed(f"{folder} is there already, and nothing is written over: name another folder")
        draft = folder.with_name(f".{folder.name}.part")
        lock = DirectoryLock.try_take(draft)
    except OSError as error:
        raise BackupFailed(f"{folder} can't be made: {error.strerror}") from error
    if lock is None:
        raise BackupFailed(f"another backup is being taken into {folder}")
    try:
        yield draft
    except OSError as error:
        raise BackupFailed(f"{folder} can't be written: {error.strerror}") from error
    finally:
        lock.release()
        shutil.rmtree(draft, ignore_errors=True)


def _clear(draft: Path) -> None:
    """What a backup left that was killed."""
    for left in draft.iterdir():
        if left.name != LOCK:
            shutil.rmtree(left) if left.is_dir() else left.unlink()


def _put(draft: Path, folder: Path) -> None:
    try:
        (draft / LOCK).unlink()
        os.replace(draft, folder)
    except OSError as error:
        raise BackupFailed(f"{folder} can't be written: {error.strerror}") from error


def sync(path: Path) -> None:
    """Have what was written there safely on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
