"""A server's data directory: one process at a time, and small private files that survive a crash."""

import asyncio
import fcntl
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from steerco_servers.child import ServerFailed

_LOCK = "lock"


class DirectoryLock:
    """Held by the one process that runs a server in a directory; the kernel lets go when that process dies."""

    def __init__(self, directory: Path, descriptor: int) -> None:
        self.directory = directory
        self._descriptor: int | None = descriptor

    @classmethod
    async def take(cls, directory: Path, patience: float = 3.0) -> "DirectoryLock":
        """Make the directory (0700) if it isn't there and take its lock.

        A holder that was just killed needs a moment to go, hence `patience`, in seconds.
        Raises ServerFailed naming the process that holds it.
        """
        deadline = time.monotonic() + patience
        while True:
            taken = cls.try_take(directory)
            if taken is not None:
                return taken
            if time.monotonic() > deadline:
                holder = (directory / _LOCK).read_text().strip() or "another process"
                raise ServerFailed(f"{directory} is in use by process {holder}")
            await asyncio.sleep(0.02)

    @classmethod
    def try_take(cls, directory: Path) -> "DirectoryLock | None":
        """The lock, or None when another process holds it."""
        try:
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(directory / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ServerFailed(f"the data directory {directory} cannot be used: {error}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The holder before us may have removed the directory while we were opening the file.
            if os.fstat(descriptor).st_ino != (directory / _LOCK).stat().st_ino:
                raise FileNotFoundError(_LOCK)
        except (BlockingIOError, FileNotFoundError):
            os.close(descriptor)
            return None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        return cls(directory, descriptor)

    def release(self) -> None:
        """Let go. May be called again."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def release_and_remove(self) -> None:
        """Let go, and remove the lock and the directory if nothing else is in it."""
        (self.directory / _LOCK).unlink(missing_ok=True)
        self.release()
        try:
            self.directory.rmdir()
        except OSError:
            return  # something of somebody else is in it: it stays


async def lock_let_go(lock_file: Path, name: str, progress: Callable[[str], None]) -> None:
    """Wait (60 s) for the server of a killed process: it holds a lock of its own on that file while it stops.

    Raises ServerFailed when it is still there then.
    """
    deadline = time.monotonic() + 60
    told = False
    while _is_locked(lock_file):
        if time.monotonic() > deadline:
            raise ServerFailed(f"{lock_file} is in use by another {name}")
        if not told:
            progress(f"waiting for the former {name} to stop")
            told = True
        await asyncio.sleep(0.05)


def _is_locked(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def read_private(path: Path) -> dict[str, Any]:
    """The JSON object of a private file; empty when there is none."""
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ServerFailed(f"{path} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise ServerFailed(f"{path} does not hold a JSON object")
    return content


def write_private(path: Path, content: dict[str, Any]) -> None:
    """Replace a private file (0600) as a whole: after a crash it holds the old or the new content."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(content, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
