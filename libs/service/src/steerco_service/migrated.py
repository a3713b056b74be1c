"""Whether the database of a service is migrated to what this release needs."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import cache

from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncConnection

from steerco_service.migrations import revisions_of
from steerco_service.problems import Problem
from steerco_service.runtime import Runtime

LOOK_SECONDS = 1.0
"""How often who waits for a migration looks for it."""

_REVISION = text("SELECT version_num FROM public.alembic_version")

_logger = logging.getLogger("steerco.workers")


@asynccontextmanager
async def migrated(runtime: Runtime) -> AsyncIterator[AsyncConnection]:
    """A connection to the database of a service, which is migrated. Raises `Problem` where it is not."""
    async with runtime.engine.connect() as connection:
        if not await _is_migrated(connection, runtime.service.migrations):
            detail = f"the database of {runtime.service.name} is not migrated to what this release needs"
            raise Problem(503, "not-migrated", detail, headers={"Retry-After": "5"})
        yield connection


async def until_migrated(runtime: Runtime) -> None:
    """Return once the database of a service is migrated; that this is waited for is said in the log, once."""
    is_said = False
    while True:
        async with runtime.engine.connect() as connection:
            if await _is_migrated(connection, runtime.service.migrations):
                return
        if not is_said:
            _logger.warning("%s does not work yet: it waits until its database is migrated", runtime.service.name)
            is_said = True
        await asyncio.sleep(LOOK_SECONDS)


async def _is_migrated(connection: AsyncConnection, package: str) -> bool:
    try:
        revision = (await connection.execute(_REVISION)).scalar_one_or_none()
    except ProgrammingError:
        return False
    return suffices(revision, package)


def suffices(revision: str | None, package: str) -> bool:
    """Whether a revision is the newest of a package, or one of a newer release: a migration only adds."""
    known = _revisions(package)
    return revision is not None and (revision == known[-1] or revision not in known)


@cache
def _revisions(package: str) -> Sequence[str]:
    return revisions_of(package)
