"""Single rows of the service's own view, for commands: those that are looked up at once are read at once."""

import asyncio
from collections.abc import Sequence
from typing import Any, Protocol

from sqlalchemy.ext.asyncio import AsyncEngine

from steerco_events.postgres.statements import driver_connection
from steerco_events.projections.builds import Builds
from steerco_events.projections.model import Projection
from steerco_events.projections.writing import open_rows


class Finder(Protocol):
    """What finds single rows of the service's view: `Lookups`, or a snapshot for one request."""

    async def one[Row](self, projection: Projection[Row], key: str) -> Row | None:
        """The present row of a key, if there is one."""
        ...


type _Found = asyncio.Future[Any]
type _Sought = tuple[Projection[Any], str, _Found]


class Lookups:
    """Looks up rows for one process. While it reads, those who come wait for its next read."""

    def __init__(self, engine: AsyncEngine, builds: Builds) -> None:
        self._engine = engine
        self._builds = builds
        self._waiting: list[_Sought] = []
        self._reading: asyncio.Task[None] | None = None

    async def one[Row](self, projection: Projection[Row], key: str) -> Row | None:
        """The present row of a key, if there is one. Raises `ViewNotBuilt` while the view is being made."""
        found: asyncio.Future[Row | None] = asyncio.get_running_loop().create_future()
        self._waiting.append((projection, key, found))
        if self._reading is None:
            self._reading = asyncio.create_task(self._read(), name="lookups")
        return await found

    async def _read(self) -> None:
        sought: Sequence[_Sought] = ()
        try:
            while self._waiting:
                sought, self._waiting = self._waiting, []
                try:
                    rows = await self._rows(sought)
                except Exception as error:
                    for _, _, found in sought:
                        if not found.done():
                            found.set_exception(error)
                else:
                    for projection, key, found in sought:
                        if not found.done():
                            found.set_result(rows.get((projection.name, key)))
        except BaseException:
            for _, _, found in (*sought, *self._waiting):
                found.cancel()
            self._waiting = []
            raise
        finally:
            self._reading = None

    async def _rows(self, sought: Sequence[_Sought]) -> dict[tuple[str, str], Any]:
        keys: dict[str, set[str]] = {}
        for projection, key, _ in sought:
            keys.setdefault(projection.name, set()).add(key)
        rows: dict[tuple[str, str], Any] = {}
        async with driver_connection(self._engine) as driver:
            build = await self._builds.live(driver)
            for name, wanted in keys.items():
                found = await open_rows(driver, build.form(build.view.projection(name)), wanted)
                rows |= {(name, key): interval.row for key, interval in found.items() if interval.sealed_to is None}
        return rows
