"""What may be said of an error: never the values that a statement was given, nor those of the row that it was about.

PostgreSQL puts a row into the detail of its error, and a value that is bad in itself into the message; asyncpg does so
with an argument, and the error that led to it says the same. Whatever logs, keeps or shows an error asks here.
"""

import re
from traceback import TracebackException

import asyncpg
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_dbapi
from sqlalchemy.exc import DBAPIError, SQLAlchemyError, StatementError

LONGEST_LINE = 2000

_DRIVER_ERRORS: tuple[type[BaseException], ...] = (asyncpg.PostgresError, asyncpg.InterfaceError)
_OF_A_VALUE = "22"
"""The class of SQLSTATE of what is wrong with a value."""

_ARGUMENT = "query argument $"
_VALUE = re.compile("[:\"'].*", re.DOTALL)
"""Where a message goes on with a value."""


def said(error: BaseException) -> str:
    """An error in one line, its first: those below may hold statements."""
    line = f"{type(error).__name__}: {_text(error).partition(chr(10))[0]}"[:LONGEST_LINE]
    return line.replace("\0", "\\0").encode("utf-8", "backslashreplace").decode()


def said_in_full(error: BaseException) -> str:
    """An error with all that led to it, as Python writes it."""
    return "".join(_captured(error, is_of_a_value=False, seen=set()).format()).removesuffix("\n")


def _captured(error: BaseException, *, is_of_a_value: bool, seen: set[int]) -> TracebackException:
    """An error and those behind it; of what led to one that is of a value, there is the type alone."""
    seen.add(id(error))
    shown = error
    if _is_of_database(error):
        shown = Exception(_text(error))
    elif is_of_a_value:
        shown = Exception()
    kind = Exception if isinstance(error, SyntaxError) and shown is not error else type(error)  # it is shown by more
    found = TracebackException(kind, shown, error.__traceback__)
    found.__notes__ = getattr(error, "__notes__", None)
    is_of_a_value = is_of_a_value or _is_of_a_value(error)

    def behind(other: BaseException | None) -> TracebackException | None:
        if other is None or id(other) in seen:
            return None
        return _captured(other, is_of_a_value=is_of_a_value, seen=seen)

    found.__cause__, found.__context__ = behind(error.__cause__), behind(error.__context__)
    found.__suppress_context__ = error.__suppress_context__
    if isinstance(error, BaseExceptionGroup):
        found.exceptions = [each for each in map(behind, error.exceptions) if each]
    return found


def _text(error: BaseException) -> str:
    if isinstance(error, StatementError) and error.orig:
        of = f"({type(error.orig).__module__}.{type(error.orig).__name__})"
        is_sayable = isinstance(error, DBAPIError) or isinstance(error.orig, SQLAlchemyError)
        what = f"{of} {_text(error.orig)}" if is_sayable else of
        return f"{what}\n[SQL: {error.statement}]" if error.statement else what
    driver = _driver_error(error)
    if driver is None:
        return str(error)
    message = str(driver.args[0])
    return _VALUE.sub("", message).rstrip() if _is_of_a_value(driver) else message


def _is_of_database(error: BaseException) -> bool:
    return isinstance(error, StatementError) or _driver_error(error) is not None


def _is_of_a_value(error: BaseException) -> bool:
    if isinstance(error, StatementError) and not isinstance(error, DBAPIError):
        return not isinstance(error.orig, SQLAlchemyError)  # its own errors name parameters and states
    driver = _driver_error(error)
    if driver is None:
        return False
    return (getattr(driver, "sqlstate", None) or "").startswith(_OF_A_VALUE) or _ARGUMENT in str(driver.args[0])


def _driver_error(error: BaseException | None) -> BaseException | None:
    """The error as asyncpg raised it, of which SQLAlchemy makes two more."""
    if isinstance(error, StatementError):
        return _driver_error(error.orig)
    if isinstance(error, AsyncAdapt_asyncpg_dbapi.Error):
        return _driver_error(error.__cause__)
    return error if isinstance(error, _DRIVER_ERRORS) else None
