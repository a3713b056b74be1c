"""Restoring into a data directory: a new one, or one whose edition is stopped."""

import shutil
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from steerco.archives.files import KEY, read_keys, write_keys
from steerco.backups.manifest import BackupFailed
from steerco.backups.places import HEADS
from steerco.backups.reading import Backup
from steerco.backups.restoring import Beyond, restore
from steerco.edition.directory import Content, DataDirectory
from steerco.edition.embedded import open_directory
from steerco.edition.services import SERVICES
from steerco_servers.attaching import owner_urls
from steerco_servers.child import Progress
from steerco_servers.cluster import is_cluster
from steerco_servers.directory import read_private, write_private
from steerco_servers.postgres import provision, remove_cluster, start_postgres
from steerco_service.hosting import databases_of

CONTENTS: dict[str, Content] = {"empty": "empty", "example": "example"}


async def restore_directory(
    backup: Backup, path: Path, only: Collection[str], progress: Progress, *, replace: bool
) -> Sequence[Beyond]:
    """Restore a backup into a data directory whose edition does not run; who stands beyond what was restored.

    Into a new one everything; into one that holds an edition with `replace` alone, and then its own keys, and the heads
    that it signed since, stay. On an error it is as before. Raises `BackupFailed`, `EditionFailed`, `ServerFailed`.
    """
    directory = DataDirectory(path)
    is_new = directory.content() is None and not is_cluster(directory.postgres)
    kept: Collection[Path] = ()
    if is_new:
        if only:
            raise BackupFailed(f"{path} holds no edition: a part of a backup goes into the edition that it is of")
        directory = open_directory(path)
        kept = set(_files(directory))
    elif not replace:
        raise BackupFailed(
            f"{path} holds an edition already; choose another by --data-dir DIR, or have it replaced: --replace"
        )
    try:
        async with await start_postgres(directory.postgres, progress=progress) as server:
            await provision(server.url(), databases_of(SERVICES), passwords=directory.roles)
            urls = owner_urls(server.url(), databases_of(SERVICES), passwords=directory.roles)
            found = await restore(backup, urls, only, progress, replace=replace)
        if not only:
            _bring_files(backup, directory)
            directory.mark(CONTENTS.get(backup.manifest.content or "", "empty"))
    except BaseException:
        if is_new:
            await remove_cluster(directory.postgres)
            _remove(directory, kept)
        raise
    return found


def _bring_files(backup: Backup, directory: DataDirectory) -> None:
    """What the directory lacks; the keys that signed before are kept together, also the copy's where ours is another.

    The heads of the directory itself are the newer: they witness what the restored logs have no more.
    """
    for head in sorted((backup.folder / HEADS).glob("*.jsonl")):
        if not (directory.heads / head.name).exists():
            directory.heads.mkdir(exist_ok=True)
            shutil.copyfile(head, directory.heads / head.name)
    for kept in (directory.issuer_key, directory.log_key):
        source = backup.keys_folder / kept.name
        if backup.keys and source.exists() and not kept.exists():
            write_private(kept, read_private(source))
    copies = (backup.folder / directory.earlier_log_keys.name, backup.folder / KEY)
    present = read_keys(directory.log_key) if directory.log_key.exists() else []
    before = [key for file in (directory.earlier_log_keys, *copies) if file.exists() for key in read_keys(file)]
    earlier = {key.key_id: key for key in before if key.key_id not in {each.key_id for each in present}}
    if earlier:
        write_keys(directory.earlier_log_keys, list(earlier.values()))


def _files(directory: DataDirectory) -> Iterator[Path]:
    """What is there beside the cluster."""
    for file in (directory.roles, directory.issuer_key, directory.log_key, directory.earlier_log_keys):
        if file.exists():
            yield file
    yield from directory.heads.glob("*.jsonl")
    if directory.heads.exists():
        yield directory.heads


def _remove(directory: DataDirectory, kept: Collection[Path]) -> None:
    """Remove what this run has written beside the cluster, and nothing that was there."""
    for path in [each for each in _files(directory) if each not in kept]:
        path.rmdir() if path.is_dir() else path.unlink()
