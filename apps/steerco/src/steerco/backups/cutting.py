"""One cut through all databases: no consumer's copy stands beyond where the copy of the log ends that it reads.

What a consumer has read was sealed before it was read. So every log's head is held, which only a seal moves; then a
snapshot of each database is exported; then the heads are let go. A position that a snapshot has of another log was
read before that log's head was held, or since: either way it is not beyond the head, and the snapshot of that log has
the head that was held. Commands go on meanwhile, and are sealed some milliseconds later.

The keys come last: a key is made before the event that needs it, so every name in the copy of the log has its key,
and whoever was erased in between is among the erased of the keys, which a start tells the log again.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from steerco.backups.aside import SCHEMAS
from steerco.backups.connecting import connected
from steerco.backups.manifest import BackupFailed, LogAt
from steerco_events.postgres.faults import DATABASE_FAULTS, is_unavailable
from steerco_events.saying import said
from steerco_service.migrations import BEING_RESTORED

HELD_SECONDS = 10
"""So long the heads are waited for and held, at most; nothing is sealed meanwhile."""

ATTEMPTS = 3

_HOLD = text("SELECT position FROM log.head FOR UPDATE")
_LOG = text(
    "SELECT h.position, h.watermark, encode(h.hash, 'hex') AS hash,"
    " (SELECT max(generation) FROM log.generations) AS generation FROM log.head h"
)
_ABOUT = text(
    "SELECT current_database() AS database, pg_export_snapshot() AS snapshot,"
    " current_setting('server_version') AS postgresql,"
    " current_setting('server_version_num')::int / 10000 AS major, pg_database_size(current_database()) AS size,"
    " (SELECT version_num FROM public.alembic_version) AS revision, clock_timestamp() AS at,"
    " coalesce((SELECT setconfig FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase"
    " WHERE datname = current_database() AND setrole = 0), '{}') AS settings"
)
_TABLES = text(
    "SELECT string_agg(format('%I.%I', nspname, relname), ', ') FROM pg_class c JOIN pg_namespace n"
    " ON n.oid = relnamespace WHERE relkind = 'r' AND nspname = ANY(:schemas)"
)
_BEING_RESTORED = text("SELECT to_regnamespace(:schema) IS NOT NULL")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One database as it is copied: what it is, the name of the snapshot, and where its log ends if it has one."""

    database: str
    snapshot: str
    postgresql: str
    major: int
    size: int
    revision: str
    settings: Sequence[str]
    at: datetime
    log: LogAt | None = None


@asynccontextmanager
async def cut(urls: Mapping[str, str], logs: Sequence[str], last: Sequence[str]) -> AsyncIterator[dict[str, Snapshot]]:
    """The snapshots of the databases of these owner URLs, by name; they are there while inside.

    `logs` are those that own a log, `last` those of which the snapshot is taken after all others. Raises
    `BackupFailed`. Tables are kept from being dropped meanwhile: a build of a view that was to go goes afterwards.
    """
    for attempts_left in range(ATTEMPTS - 1, -1, -1):
        async with AsyncExitStack() as stack:
            try:
                readers = await _taken(stack, urls, logs, last)
                for reader, _ in readers.values():
                    await _keep_tables(reader)
            except TimeoutError as error:
                raise BackupFailed(f"no cut can be made: the logs could not be held within {HELD_SECONDS} s") from error
            except DATABASE_FAULTS as error:
                if attempts_left and not is_unavailable(error):
                    continue  # a table was dropped between the snapshot and its lock: in the next cut it is not there
                raise BackupFailed(f"no cut can be made: {said(error)}") from error
            yield {name: snapshot for name, (_, snapshot) in readers.items()}
            return


async def _taken(
    stack: AsyncExitStack, urls: Mapping[str, str], logs: Sequence[str], last: Sequence[str]
) -> dict[str, tuple[AsyncConnection, Snapshot]]:
    """Hold the heads in the order of their names, export the snapshots, let the heads go."""
    readers = {name: await stack.enter_async_context(connected(url)) for name, url in urls.items()}
    for name, reader in readers.items():
        await _refuse_half_restored(name, reader)
    async with AsyncExitStack() as holding, asyncio.timeout(HELD_SECONDS):
        holders = [await holding.enter_async_context(connected(urls[name])) for name in sorted(logs)]
        for holder in holders:
            # Longer than we hold: it never ends one that we need, but lets go of the log when we are gone.
            await holder.execute(text(f"SET LOCAL idle_in_transaction_session_timeout = '{2 * HELD_SECONDS}s'"))
        for holder in holders:
            await holder.execute(_HOLD)
        found = {}
        for name in sorted(urls, key=lambda each: (each in last, each)):
            snapshot = await _snapshot(readers[name])
            if name in logs:
                snapshot = await _with_log(readers[name], snapshot)
            found[name] = readers[name], snapshot
        for holder in holders:
            await holder.execute(text("SELECT 1"))  # the cut is one only if all held until here
        return found


async def _refuse_half_restored(name: str, reader: AsyncConnection) -> None:
    found = (await reader.execute(_BEING_RESTORED, {"schema": BEING_RESTORED})).scalar_one()
    await reader.rollback()
    if found:
        raise BackupFailed(f"a restore of {name} has not ended: if it was cut off, run it again with --replace")


async def _snapshot(reader: AsyncConnection) -> Snapshot:
    await reader.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    await reader.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
    about = (await reader.execute(_ABOUT)).one()
    return Snapshot(**about._mapping)


async def _with_log(reader: AsyncConnection, snapshot: Snapshot) -> Snapshot:
    """The same, with where the log ends in it."""
    return replace(snapshot, log=LogAt(**(await reader.execute(_LOG)).one()._mapping))


async def _keep_tables(reader: AsyncConnection) -> None:
    """As a dump does, but for all of them at once: a dump may have to wait for its turn."""
    tables = (await reader.execute(_TABLES, {"schemas": ["public", *SCHEMAS]})).scalar()
    if tables:
        await reader.execute(text(f"LOCK TABLE {tables} IN ACCESS SHARE MODE"))
