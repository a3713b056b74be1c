"""What specs of backups do to databases, and ask them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import asyncpg
from sqlalchemy import text

from steerco.backups.aside import Mark
from steerco.backups.connecting import connected
from steerco.backups.reading import checked
from steerco.backups.replacing import Replaced
from steerco.backups.restoring import restore
from steerco_events.ids import new_id
from steerco_events.postgres.wakeups import asyncpg_dsn
from steerco_servers.child import quiet

HEAD = "SELECT position FROM log.head"
LEFT = "SELECT count(*) FROM pg_namespace WHERE nspname LIKE '%before_restore' OR nspname LIKE '%replaced'"
GENERATIONS = "SELECT array_agg(from_position ORDER BY generation) FROM log.generations"
MOVE = "UPDATE log.head SET position = {0}; INSERT INTO log.streams VALUES ('tally-{0}', 1)"
ERASED = new_id()
OTHER = new_id()


async def tell(url: str, statements: str) -> None:
    """Have the database do that."""
    connection = await asyncpg.connect(asyncpg_dsn(url))
    try:
        await connection.execute(statements)
    finally:
        await connection.close()


async def ask(url: str, query: str) -> Any:
    """The first value of the answer."""
    async with connected(url) as connection:
        return (await connection.execute(text(query))).scalar()


async def put_back(folder: Path, urls: Mapping[str, str], *only: str, replace: bool = True) -> None:
    """Restore a backup, keys and all."""
    found = await checked(folder, None, quiet)
    await restore(found, urls, only, quiet, replace=replace)


async def cut_off(folder: Path, urls: Mapping[str, str], *, settled: int, cleared: int = 0) -> None:
    """A restore of both that is killed when it has filled them, and has let the others into so many."""
    found = await checked(folder, None, quiet)
    targets = [Replaced(name, urls[name], *found.dumps[name]) for name in urls]
    mark = Mark(new_id(), frozenset(urls))
    for target in targets:
        await target.shut(mark)
        await target.put_aside()
        await target.fill()
    for target in targets[:settled]:
        await target.settle()
    for target in targets[:cleared]:
        await target.clear()
