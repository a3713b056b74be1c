"""Where databases are: in a data directory, or as a file or folder says."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from steerco.archives.files import KEY, read_keys
from steerco.backups.manifest import BackupFailed
from steerco.backups.taking import Beside
from steerco.edition.directory import DataDirectory
from steerco.edition.services import SERVICES
from steerco_servers.attaching import attached, owner_urls
from steerco_servers.child import Progress
from steerco_service.hosting import databases_of

DRIVER = "postgresql+asyncpg"
HEADS = "heads"


@asynccontextmanager
async def databases_in(directory: DataDirectory, progress: Progress) -> AsyncIterator[Mapping[str, str]]:
    """The owner URLs of an edition's databases, whether it runs or not. Raises `ServerFailed`."""
    async with attached(directory.postgres, progress) as admin_url:
        yield owner_urls(admin_url, databases_of(SERVICES), passwords=directory.roles)


def databases_told(path: Path) -> Mapping[str, str]:
    """The owner URLs of a file, or of a folder with a file for each database. Raises `BackupFailed`.

    The file is a JSON object; a folder is what Kubernetes makes of a Secret, with links beside that begin with a dot.
    """
    known = databases_of(SERVICES)
    try:
        if path.is_dir():
            files = [file for file in sorted(path.iterdir()) if not file.name.startswith(".")]
            found = {file.name: file.read_text().strip() for file in files}
        else:
            found = msgspec.json.decode(path.read_bytes(), type=dict[str, str])
    except OSError as error:
        raise BackupFailed(f"{path} can't be read: {error.strerror}") from error
    except msgspec.MsgspecError as error:
        raise BackupFailed(f"{path} holds no JSON object of a URL for each database") from error
    except UnicodeDecodeError as error:
        raise BackupFailed(f"{path} holds a file that is no text") from error
    if not found or (unknown := found.keys() - set(known)):
        wrong = f"{', '.join(sorted(unknown))}: no database" if found else "it names no database"
        raise BackupFailed(f"{path}: {wrong}; there is {', '.join(known)}")
    for name, url in found.items():
        _check_url(path, name, url)
    return found


def not_told(urls: Mapping[str, str]) -> Sequence[str]:
    """The databases that an edition has beside these."""
    return [name for name in databases_of(SERVICES) if name not in urls]


def _check_url(path: Path, name: str, url: str) -> None:
    """The URL is a secret: it is not in the error."""
    try:
        usable = make_url(url).drivername == DRIVER
    except (ArgumentError, ValueError):
        usable = False
    if not usable:
        raise BackupFailed(f"{path}: {name} has no URL such as {DRIVER}://role:password@host/database")


def beside_in(directory: DataDirectory) -> Beside:
    """What else an edition of a data directory needs."""
    heads = {f"{HEADS}/{file.name}": file for file in sorted(directory.heads.glob("*.jsonl"))}
    signed = read_keys(directory.log_key) if directory.log_key.exists() else []
    return Beside(
        directory.content(),
        plain=heads | {directory.earlier_log_keys.name: directory.earlier_log_keys},
        public={KEY: signed[0]} if signed else {},
        secret={file.name: file for file in (directory.issuer_key, directory.log_key)},
    )
