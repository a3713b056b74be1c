"""SQL with named values, in a transaction of SQLAlchemy's, or straight by the driver where every microsecond counts."""

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Protocol

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

_NAME = re.compile(r"(?<![:\w]):([a-z_]+)")


class Driver(Protocol):
    """What of asyncpg's connection we use."""

    async def fetch(self, query: str, *values: object) -> Sequence[Sequence[Any]]: ...

    def is_closed(self) -> bool: ...

    def is_in_transaction(self) -> bool: ...

    def transaction(self) -> Any: ...


type Transaction = AsyncConnection | Driver
"""What a statement is run in: the caller's transaction, by whichever way it was begun."""


class Statement:
    """One statement; its values are named `:so`."""

    def __init__(self, sql: str) -> None:
        self._names = tuple(dict.fromkeys(_NAME.findall(sql)))
        self._sql = _NAME.sub(lambda found: f"${self._names.index(found[1]) + 1}", sql)

    async def rows(self, tx: Transaction, values: Mapping[str, object]) -> Sequence[Sequence[Any]]:
        """Run it; its rows, as tuples, if it gives any."""
        ordered = tuple([values[name] for name in self._names])
        if isinstance(tx, AsyncConnection):
            result = await tx.exec_driver_sql(self._sql, ordered)
            return result.all() if result.returns_rows else ()
        return await tx.fetch(self._sql, *ordered)


@asynccontextmanager
async def driver_connection(engine: AsyncEngine) -> AsyncIterator[Driver]:
    """A connection of the engine's pool, with nothing between us and the driver; each statement is committed at once.

    It raises asyncpg's errors, not SQLAlchemy's.
    """
    async with engine.connect() as connection:
        driver: Any = (await connection.get_raw_connection()).driver_connection
        if driver.is_closed():
            await connection.invalidate()
            driver = (await connection.get_raw_connection()).driver_connection
        try:
            yield driver
        finally:
            if driver.is_closed() or driver.is_in_transaction():
                await connection.invalidate()


@asynccontextmanager
async def driver_transaction(engine: AsyncEngine) -> AsyncIterator[Driver]:
    """The same, in one transaction."""
    async with driver_connection(engine) as driver, driver.transaction():
        yield driver
