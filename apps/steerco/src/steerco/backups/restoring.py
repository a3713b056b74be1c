"""Restoring a backup: all databases of an edition together, or some of them while the others go on."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Executable, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from steerco.backups.aside import Mark
from steerco.backups.manifest import BackupFailed, Dump
from steerco.backups.reading import Backup
from steerco.backups.recovering import end_what_was_cut_off
from steerco.backups.replacing import Replaced
from steerco.edition.services import BY_NAME
from steerco_events.ids import new_id
from steerco_events.positions import kept_of
from steerco_service.migrations import revisions_of
from steerco_service.privacy.key_database import MIGRATIONS

type Progress = Callable[[str], None]

_CHECKPOINTS = text(
    "SELECT c.consumer, max(c.generation) AS generation, max(p) AS position FROM log.checkpoints c,"
    " unnest(c.positions) p WHERE c.service = :service AND NOT EXISTS (SELECT FROM log.builds b WHERE b.state IN"
    " ('retired', 'dropped') AND c.consumer = b.view || '_v' || b.version || '_b' || b.build) GROUP BY c.consumer"
)
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
    return [each for name in chosen if only for each in await beyond(urls, name)]


async def _fill(targets: Sequence[Replaced], progress: Progress) -> None:
    """All of them; on an error each is as it was. All are marked before the first is filled."""
    begun: list[Replaced] = []
    try:
        for target in targets:
            begun.append(target)
            await target.shut()
        mark = Mark(new_id(), frozenset(target.name for target in targets))
        for target in targets:
            await target.put_aside(mark)
        for target in targets:
            progress(f"restoring {target.name}")
            await target.fill()
    except BaseException:
        for target in begun:
            await target.undo()
        raise


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
    """The consumers of the other databases that have read what the log of `source` has no more."""
    if source not in BY_NAME or not BY_NAME[source].owns_log:
        return []
    began = tuple(position for (position,) in await _rows(urls[source], _BEGAN, {}))
    ((head,),) = await _rows(urls[source], _HEAD, {})
    found = []
    for name, url in urls.items():
        if name == source or name not in BY_NAME:
            continue
        for consumer, generation, position in await _rows(url, _CHECKPOINTS, {"service": source}):
            kept = kept_of(began, generation) if generation else None
            kept = head if kept is None else kept
            if position > kept:
                found.append(Beyond(name, consumer, source, position, kept))
    return found


async def _rows(url: str, query: Executable, values: Mapping[str, object]) -> Sequence[tuple[Any, ...]]:
    engine = create_async_engine(url, poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            return [tuple(row) for row in await connection.execute(query, values)]
    finally:
        await engine.dispose()
