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
"""SQLAlchemy's; and what asyncpg and the socket raise while a connection is made, which SQLAlchemy passes on."""

_NOT_THE_STATEMENT = ("08", "28", "3D", "40", "53", "57")
"""Classes of SQLSTATE: no connection, no admission, no such database, a deadlock, no room, a shutdown."""


def is_unavailable(fault: Exception) -> bool:
    """Whether the database, not the statement, is to blame: the same may go well later."""
    if not isinstance(fault, DBAPIError):
        return True
    state = getattr(fault.orig, "sqlstate", None) or ""
    return fault.connection_invalidated or state.startswith(_NOT_THE_STATEMENT)
