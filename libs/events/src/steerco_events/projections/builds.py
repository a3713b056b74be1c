"""Builds of a view: which one is read, which one is being made, and their tables.

A rebuild never touches the build that is read. When it has caught up, one row changes (the pointer), in the
transaction that checks it; readers take the pointer at the start of theirs, so they never wait.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Table, text
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.schema import CreateIndex, CreateTable, DropTable

from steerco_events.postgres.checkpoints import Checkpoints
from steerco_events.projections.model import View
from steerco_events.projections.tables import view_table

_LOCK = text("SELECT pg_advisory_xact_lock(hashtext(:view))")
_FIND = text(
    "SELECT build FROM log.builds WHERE view = :view AND version = :version AND state = :state ORDER BY build DESC"
)
_NEXT = text(
    "INSERT INTO log.builds (view, version, build, state, requested_at)"
    " SELECT :view, :version, coalesce(max(build), 0) + 1, 'building', :at"
    " FROM log.builds WHERE view = :view AND version = :version RETURNING build"
)
_RETIRE = text("UPDATE log.builds SET state = 'retired' WHERE view = :view AND version = :version AND state = 'live'")
_GO_LIVE = text(
    "UPDATE log.builds SET state = 'live', live_at = :at"
    " WHERE view = :view AND version = :version AND build = :build AND state = 'building'"
)
_DROP = text("DELETE FROM log.builds WHERE view = :view AND version = :version AND build = :build")


class ViewNotBuilt(Exception):
    """No build of the view's version is finished yet."""


@dataclass(frozen=True, slots=True)
class Build:
    """One build of a view: a set of tables and the checkpoints behind them."""

    view: View
    number: int

    @property
    def checkpoints(self) -> Checkpoints:
        """How far the build has come in each log."""
        return Checkpoints(self.view.consumer(self.number))

    def table(self, projection: str) -> Table:
        """The build's table of a projection."""
        return view_table(self.view, self.view.projection(projection), self.number)

    @property
    def tables(self) -> Sequence[Table]:
        """All the build's tables."""
        return [view_table(self.view, each, self.number) for each in self.view.projections]


class Builds:
    """The builds of one view. Every method works inside the caller's transaction."""

    def __init__(self, view: View) -> None:
        self.view = view

    def _key(self, **more: object) -> dict[str, object]:
        return {"view": self.view.name, "version": self.view.version} | more

    async def in_state(self, tx: AsyncConnection, state: str) -> Sequence[Build]:
        """The builds that are `building`, `live` or `retired`, newest first."""
        rows = await tx.execute(_FIND, self._key(state=state))
        return [Build(self.view, number) for number in rows.scalars()]

    async def live(self, tx: AsyncConnection) -> Build:
        """The build to read. Raises `ViewNotBuilt`."""
        for build in await self.in_state(tx, "live"):
            return build
        raise ViewNotBuilt(f"{self.view.name} version {self.view.version}")

    async def building(self, tx: AsyncConnection) -> Build | None:
        """The build that is being made, if one is."""
        for build in await self.in_state(tx, "building"):
            return build
        return None

    async def begin(self, tx: AsyncConnection, at: datetime) -> Build:
        """Start a build, or return the one that is being made already."""
        await tx.execute(_LOCK, {"view": self.view.name})
        if building := await self.building(tx):
            return building
        number = (await tx.execute(_NEXT, self._key(at=at))).scalar_one()
        build = Build(self.view, number)
        for table in build.tables:
            await tx.execute(CreateTable(table))
            for index in sorted(table.indexes, key=lambda index: str(index.name)):
                await tx.execute(CreateIndex(index))
        return build

    async def go_live(self, tx: AsyncConnection, build: Build, at: datetime) -> None:
        """Make this build the one to read; nothing is left to do if another worker has done so."""
        await tx.execute(_LOCK, {"view": self.view.name})
        if await self.building(tx) != build:
            return
        await tx.execute(_RETIRE, self._key())
        await tx.execute(_GO_LIVE, self._key(build=build.number, at=at))

    async def drop_retired(self, tx: AsyncConnection) -> None:
        """Drop the tables and checkpoints of builds that nobody reads any more, but for the newest of them."""
        for build in (await self.in_state(tx, "retired"))[1:]:
            for table in build.tables:
                await tx.execute(DropTable(table, if_exists=True))
            await build.checkpoints.forget(tx)
            await tx.execute(_DROP, self._key(build=build.number))
