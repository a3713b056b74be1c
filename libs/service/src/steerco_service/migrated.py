"""Whether the database of a service is migrated to what this release needs."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import cache

from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncConnection

from steerco_service.migrations import revisions_of
from steerco_service.problems import Problem
from steerco_service.runtime import Runtime

_REVISION = text("SELECT version_num FROM public.alembic_version")


@asynccontextmanager
async def migrated(runtime: Runtime) -> AsyncIterator[AsyncConnection]:
    """A connection to the database of a service, which is migrated. Raises `Problem` where it is not."""
    async with runtime.engine.connect() as connection:
        try:
            revision = (await connection.execute(_REVISION)).scalar_one_or_none()
            if not suffices(revision, runtime.service.migrations):
                raise _not_migrated(runtime)
            yield connection
        except ProgrammingError as error:
            raise _not_migrated(runtime) from error


def suffices(revision: str | None, package: str) -> bool:
    """Whether a revision is the newest of a package, or one of a newer release: a migration only adds."""
    known = _revisions(package)
    return revision is not None and (revision == known[-1] or revision not in known)


@cache
def _revisions(package: str) -> Sequence[str]:
    return revisions_of(package)


def _not_migrated(runtime: Runtime) -> Problem:
    detail = f"the database of {runtime.service.name} is not migrated to what this release needs"
    return Problem(503, "not-migrated", detail, headers={"Retry-After": "5"})
