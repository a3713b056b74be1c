"""Taking over the logs of an export into a new data directory; views are then built from them at the first start."""

import shutil
from pathlib import Path

from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from steerco.archives.files import KEY, ArchiveFile, archives_in, read_keys, write_keys
from steerco.edition.directory import DataDirectory, EditionFailed
from steerco.edition.embedded import open_directory
from steerco.edition.services import SERVICES
from steerco_events.archive.taking import CannotTakeOver, take_over
from steerco_events.archive.verifying import Altered, Verified, Verifier, verify
from steerco_servers.child import Progress
from steerco_servers.postgres import provision, remove_cluster, start_postgres
from steerco_service.hosting import databases_of
from steerco_service.log_key import PublicLogKey
from steerco_service.migrations import migrate


async def import_logs(archives: Path, data_dir: Path, progress: Progress) -> list[Verified]:
    """Fill a new data directory from a folder of archives; what was taken, log by log.

    Each archive is verified before anything is written. Raises `CommandFailed`, `EditionFailed`, and then the
    directory is as it was.
    """
    files = {archive.path.name.partition(".")[0]: archive for archive in archives_in(archives)}
    missing = [service.name for service in SERVICES if service.owns_log and service.name not in files]
    if missing:
        raise EditionFailed(f"{archives} lacks the logs of {', '.join(missing)}: an edition goes on from all of them")
    keys = read_keys(archives / KEY) if (archives / KEY).exists() else []
    for name, file in files.items():
        progress(f"verifying {name}")
        _verified(file, keys)
    directory = open_directory(data_dir)
    if directory.content() is not None:
        raise EditionFailed(f"{data_dir} holds an edition already; choose another: --data-dir DIR")
    try:
        return await _taken_over(directory, files, keys, progress)
    except OSError as error:
        raise EditionFailed(f"nothing was taken over into {data_dir}: {error.strerror or repr(error)}") from error


async def _taken_over(
    directory: DataDirectory, files: dict[str, ArchiveFile], keys: list[PublicLogKey], progress: Progress
) -> list[Verified]:
    """Make all that the directory holds, or nothing."""
    progress("starting PostgreSQL")
    server = await start_postgres(directory.postgres, progress=progress)
    try:
        taken = await _fill(directory, server.url(), files, keys, progress)
        await server.stop()
        if keys:
            write_keys(directory.earlier_log_keys, keys)
        directory.mark("empty")
    except BaseException:
        await server.stop()
        await remove_cluster(directory.postgres)
        _forget(directory)
        raise
    return taken


def _forget(directory: DataDirectory) -> None:
    """Remove what was written beside the cluster."""
    shutil.rmtree(directory.heads, ignore_errors=True)
    for file in (directory.roles, directory.earlier_log_keys):
        if file.is_file():
            file.unlink()


async def _fill(
    directory: DataDirectory, url: str, files: dict[str, ArchiveFile], keys: list[PublicLogKey], progress: Progress
) -> list[Verified]:
    databases = await provision(url, databases_of(SERVICES), passwords=directory.roles)
    taken = []
    for service in SERVICES:
        progress(f"migrating {service.name}")
        await migrate(service.migrations, databases[service.name].owner_url)
        if service.owns_log:
            progress(f"taking over the log of {service.name}")
            engine = create_async_engine(databases[service.name].app_url, poolclass=NullPool)
            try:
                lines = files[service.name].lines()
                taken.append(await take_over(engine, service.name, lines, Verifier(keys)))
            except (CannotTakeOver, Altered) as error:
                raise EditionFailed(str(error)) from error
            finally:
                await engine.dispose()
    return taken


def _verified(file: ArchiveFile, keys: list[PublicLogKey]) -> None:
    try:
        verify(file.lines(), keys)
    except Altered as error:
        raise EditionFailed(f"{file.path}: {error}") from error
