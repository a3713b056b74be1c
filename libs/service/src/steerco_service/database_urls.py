"""The URL of a database, as a setting says it."""

from typing import Annotated

from pydantic import AfterValidator
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

DRIVER = "postgresql+asyncpg"


def _of_postgresql(url: str) -> str:
    """The value is a secret: it is not in the error."""
    try:
        usable = make_url(url).drivername == DRIVER
    except (ArgumentError, ValueError):
        usable = False
    if not usable:
        raise ValueError(f"no URL such as {DRIVER}://role:password@host/database")
    return url


type DatabaseUrl = Annotated[str, AfterValidator(_of_postgresql)]
"""An SQLAlchemy URL of PostgreSQL by asyncpg."""
