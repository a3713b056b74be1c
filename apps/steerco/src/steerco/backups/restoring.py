"""Restoring a backup: all databases of an edition together, or some of them while the others go on."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text

from steerco.backups.aside import Aside, Mark, present
from steerco.backups.manifest import BackupFailed, Dump
from steerco.backups.reading import Backup
from steerco.backups.recovering import end_what_was_cut_off
from steerco.backups.replacing import Replaced
from steerco.edition.services import BY_NAME
from steerco_events.consumer_names import consumer_name
from steerco_events.ids import new_id
from steerco_events.positions import kept_of
from steerco_servers.child import Progress
from steerco_service.migrations import revisions_of
from steerco_service.privacy.key_database import MIGRATIONS

_CHECKPOINTS = text(
    "SELECT consumer, max(generation) AS generation, max(p) AS position"
    " FROM log.checkpoints, unnest(positions) p WHERE service = :service GROUP BY consumer"
)
_NO_MORE_READ = text("SELECT view, version, build FROM log.builds WHERE state IN ('retired', 'dropped')")
_HEAD = text("SELECT position FROM log.head")
_BEGAN = text("SELECT from_position FROM log.generations ORDER BY generation")


@dataclass(frozen=True, slots=True)
class Beyond:
    """A consumer of `service` that has read more of the log of `source` than this has now; `kept` is left of it."""

    service: str
    consumer: str
    source: str
    position: int
    kept: int


async def restore(
    backup: Backup, urls: Mapping[str, str], only: Collection[str], progress: Progress, *, replace: bool
) -> Sequence[Beyond]:
    """Bring the copies into the databases of these owner URLs; who stands beyond what was restored.

    Of some databases alone if `only` names them. Every database is as before if one fails. Raises `BackupFailed`.
    """
    chosen = _chosen(backup, urls, only)
    for name, (_, dump) in chosen.items():
        _check_revision(name, dump)
    _say_older_keys(backup, progress)
    await end_what_was_cut_off(urls, progress)
    targets = [Replaced(name, urls[name], *chosen[name]) for name in chosen]
    for target in targets:
        await target.check(replace=replace)
    await _fill(targets, progress)
    try:
        for target in targets:
            await target.settle()
        for target in targets:
            await target.clear()
    except BackupFailed as error:
        raise BackupFailed(f"{error}; the copies are in: run the restore again, which ends this one first") from error
    try:
        return [each for name in chosen if only for each in await beyond(urls, name)]
    except BackupFailed as error:
        raise BackupFailed(
            f"{error}; the copies are in: steerco doctor tells who has read more than they have"
        ) from error


async def _fill(targets: Sequence[Replaced], progress: Progress) -> None:
    """All of them; on an error each is as it was. All are marked before anything is put aside."""
    mark = Mark(new_id(), frozenset(target.name for target in targets))
    begun: list[Replaced] = []
    try:
        for target in targets:
            begun.append(target)
            await target.shut(mark)
        for target in targets:
            await target.put_aside()
        for target in targets:
            progress(f"restoring {target.name}")
            await target.fill()
    except BaseException as error:
        await _undo(begun, error)
        raise


async def _undo(begun: Sequence[Replaced], because: BaseException) -> None:
    """Each of them, whatever becomes of the others. Raises `BackupFailed` if one could not be undone."""
    left = []
    for target in begun:
        try:
            await target.undo()
        except BackupFailed as error:
            left.append(str(error))
    if left:
        why = str(because) or "it was interrupted"
        raise BackupFailed(
            f"{why}; not everything could be undone ({'; '.join(left)}): run the restore again, which does so first"
        ) from because


def _say_older_keys(backup: Backup, progress: Progress) -> None:
    if backup.keys and backup.keys.taken_at < backup.manifest.taken_at:
        progress(
            f"these keys are of {backup.keys.taken_at:%Y-%m-%d %H:%M}, and older than the logs: who was registered"
            " in between is readable only if the database still has their key"
        )


def _chosen(backup: Backup, urls: Mapping[str, str], only: Collection[str]) -> dict[str, tuple[Path, Dump]]:
    dumps = backup.dumps
    if unknown := set(only) - dumps.keys():
        raise BackupFailed(f"{backup.folder} has no {', '.join(sorted(unknown))}; it has {', '.join(sorted(dumps))}")
    chosen = {name: found for name, found in dumps.items() if name in (only or dumps)}
    if missing := chosen.keys() - urls.keys():
        raise BackupFailed(f"it is not said where {', '.join(sorted(missing))} is to be restored")
    return chosen


def _check_revision(name: str, dump: Dump) -> None:
    known = revisions_of(BY_NAME[name].migrations if name in BY_NAME else MIGRATIONS)
    if dump.revision not in known:
        raise BackupFailed(
            f"{name} is of schema {dump.revision}, this release knows up to {known[-1]}: restore by the newer release"
        )


async def beyond(urls: Mapping[str, str], source: str) -> Sequence[Beyond]:
    """The consumers of the other databases that have read what the log of `source` has no more.

    In a database that is empty there are none. Raises `BackupFailed`.
    """
    if source not in BY_NAME or not BY_NAME[source].owns_log:
        return []
    async with Aside(source, urls[source]).connected() as connection:
        began = tuple((await connection.execute(_BEGAN)).scalars())
        head = (await connection.execute(_HEAD)).scalar_one()
    found = []
    for name, url in urls.items():
        if name == source or name not in BY_NAME:
            continue
        for consumer, generation, position in await _read(Aside(name, url), source):
            kept = kept_of(began, generation) if generation else None
            kept = head if kept is None else kept
            if position > kept:
                found.append(Beyond(name, consumer, source, position, kept))
    return found


async def _read(database: Aside, source: str) -> Sequence[tuple[str, int | None, int]]:
    """The consumers that go on there, with the generation and the position up to which they have read that log."""
    async with database.connected() as connection:
        if not await present(connection, "", "log"):
            return []
        over = {consumer_name(*build) for build in await connection.execute(_NO_MORE_READ)}
        found = [tuple(row) for row in await connection.execute(_CHECKPOINTS, {"service": source})]
    return [(consumer, *how_far) for consumer, *how_far in found if consumer not in over]
