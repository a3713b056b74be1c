"""What goes wrong between us and the database, and whether it says anything about what was asked of it."""

import asyncpg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

DATABASE_FAULTS: tuple[type[Exception], ...] = (
    DBAPIError,
    PoolTimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    OSError,
)
"""SQLAlchemy's; and what asyncpg and the socket raise where SQLAlchemy does not stand between, as while connecting."""

_NOT_THE_STATEMENT = ("08", "28", "3D", "40", "53", "57")
"""Classes of SQLSTATE: no connection, no admission, no such database, a deadlock, no room, a shutdown."""


def is_unavailable(fault: Exception) -> bool:
    """Whether the database, not the statement, is to blame: the same may go well later."""
    if isinstance(fault, DBAPIError):
        return fault.connection_invalidated or _state(fault.orig).startswith(_NOT_THE_STATEMENT)
    return not isinstance(fault, asyncpg.PostgresError) or _state(fault).startswith(_NOT_THE_STATEMENT)


def _state(fault: BaseException | None) -> str:
    return getattr(fault, "sqlstate", None) or ""
