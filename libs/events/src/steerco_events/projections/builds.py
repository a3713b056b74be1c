"""Builds of a view: which one is read, which one is being made, which one is kept, and their tables.

A rebuild never touches the build that is read. When it has caught up, one row changes (the pointer), in the
transaction that checks it; readers take the pointer at the start of theirs, so they never wait. The build that was
read before is kept for a while: to roll back is to let it catch up, as if it were being made, and to switch again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Row, Table, text
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.schema import CreateIndex, CreateTable

from steerco_events.decider import Refusal
from steerco_events.postgres.checkpoints import Checkpoints
from steerco_events.postgres.statements import Statement, Transaction
from steerco_events.projections.model import Projection, View
from steerco_events.projections.tables import Form, own_index, view_form, view_table

type State = Literal["building", "live", "retired", "dropped"]

_LOCK = text("SELECT pg_advisory_xact_lock(hashtext(:view))")
_FIND = Statement(
    "SELECT build FROM log.builds WHERE view = :view AND version = :version AND state = :state"
    " ORDER BY retired_at DESC, build DESC"
)
_ONCE_LIVE = text(
    "SELECT version, build FROM log.builds WHERE view = :view AND version <= :version AND state IN ('live', 'retired')"
    " ORDER BY version DESC, state = 'live' DESC, retired_at DESC, build DESC"
)
_COLUMNS = text(
    "SELECT column_name FROM information_schema.columns WHERE table_schema = :schema AND table_name = :table"
)
_STANDINGS = text(
    "SELECT build, state, applied, goal, rate, began_at, progressed_at, doing, waits_for, live_at, retired_at"
    " FROM log.builds"
    " WHERE view = :view AND version = :version AND state <> 'dropped' ORDER BY build"
)
_NEXT = text(
    "INSERT INTO log.builds (view, version, build, state, requested_at)"
    " SELECT :view, :version, coalesce(max(build), 0) + 1, 'building', :at"
    " FROM log.builds WHERE view = :view AND version = :version RETURNING build"
)
_NAME_TABLES = text(
    "UPDATE log.builds SET tables = :tables WHERE view = :view AND version = :version AND build = :build"
)
_RETIRE = text(
    "UPDATE log.builds SET state = 'retired', retired_at = :at"
    " WHERE view = :view AND version = :version AND state = 'live'"
)
_GO_LIVE = text(
    "UPDATE log.builds SET state = 'live', live_at = :at, retired_at = NULL, doing = NULL, waits_for = NULL"
    " WHERE view = :view AND version = :version AND build = :build AND state = 'building'"
)
_RETURN = text(
    "UPDATE log.builds SET state = 'building', requested_at = :at, applied = 0, goal = NULL, rate = NULL,"
    " began_at = NULL, progressed_at = NULL, doing = NULL, waits_for = NULL, accepts_parked = false"
    " WHERE view = :view AND version = :version AND build = :build AND state = 'retired'"
)
_PROGRESS = text(
    "UPDATE log.builds SET applied = :applied, goal = :goal, rate = :rate, began_at = coalesce(began_at, :at),"
    " progressed_at = :at, doing = :doing, waits_for = :waits_for"
    " WHERE view = :view AND version = :version AND build = :build"
)
_SAY = text("UPDATE log.builds SET doing = :doing WHERE view = :view AND version = :version AND build = :build")
_ACCEPT_PARKED = text(
    "UPDATE log.builds SET accepts_parked = true WHERE view = :view AND version = :version AND state = 'building'"
)
_ACCEPTS_PARKED = text(
    "SELECT accepts_parked FROM log.builds WHERE view = :view AND version = :version AND build = :build"
)
_HOLD = text(
    "SELECT 1 FROM log.builds WHERE view = :view AND version = :version AND build = :build AND state = 'building'"
    " FOR SHARE"
)


class ViewNotBuilt(Exception):
    """No build of the view's version is finished yet."""


class BuildGivenUp(Exception):
    """The build is not being made any more: it was canceled, or it is live."""


class NothingKept(Refusal):
    """There is no build to go back to."""


class RebuildUnderWay(Refusal):
    """A build is being made; it has to go live or to be given up first."""


class NoRebuild(Refusal):
    """No build is being made."""


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

    def form[Row](self, projection: Projection[Row]) -> Form[Row]:
        """How the build's table holds the rows of a projection."""
        return view_form(self.view, projection, self.number)

    @property
    def tables(self) -> Sequence[Table]:
        """All the build's tables."""
        return [view_table(self.view, each, self.number) for each in self.view.projections]


@dataclass(frozen=True, slots=True)
class Standing:
    """How a build stands. `applied` of `goal` positions are in it; `rate` is in events per second.

    `doing` is what is done beside applying events; `waits_for` says what keeps a build that has all events from going
    live, until somebody decides.
    """

    build: int
    state: State
    applied: int
    goal: int | None
    rate: float | None
    began_at: datetime | None
    progressed_at: datetime | None
    doing: str | None
    waits_for: str | None
    live_at: datetime | None
    retired_at: datetime | None


class Builds:
    """The builds of one view. Every method works inside the caller's transaction."""

    def __init__(self, view: View) -> None:
        self.view = view

    def _key(self, **more: object) -> dict[str, object]:
        return {"view": self.view.name, "version": self.view.version} | more

    async def _lock(self, tx: AsyncConnection) -> None:
        await tx.execute(_LOCK, {"view": self.view.name})

    async def in_state(self, tx: Transaction, state: State) -> Sequence[Build]:
        """The builds in that state: retired ones in the order in which they were, the last first."""
        return [Build(self.view, number) for (number,) in await _FIND.rows(tx, self._key(state=state))]

    async def standings(self, tx: AsyncConnection) -> Sequence[Standing]:
        """All builds that are not dropped."""
        return [_standing(row) for row in await tx.execute(_STANDINGS, self._key())]

    async def live(self, tx: Transaction) -> Build:
        """The build to read. Raises `ViewNotBuilt`."""
        for build in await self.in_state(tx, "live"):
            return build
        raise ViewNotBuilt(f"{self.view.name} version {self.view.version}")

    async def last_live(self, tx: AsyncConnection, *projections: str) -> Build | None:
        """The live build; while the first one of this version is made, the newest of an older version that is kept
        and has the tables of these projections as they are now.
        """
        for row in (await tx.execute(_ONCE_LIVE, self._key())).all():
            build = Build(replace(self.view, version=row.version), row.build)
            if row.version == self.view.version or await _has_all(tx, [build.table(each) for each in projections]):
                return build
        return None

    async def building(self, tx: AsyncConnection) -> Build | None:
        """The build that is being made, if one is."""
        for build in await self.in_state(tx, "building"):
            return build
        return None

    async def begin(self, tx: AsyncConnection, at: datetime) -> Build:
        """Start a build, or return the one that is being made already. Raises `RebuildUnderWay` during a rollback.

        Nobody reads its tables yet, so it has none of their indexes but those by which it finds its own rows.
        """
        await self._lock(tx)
        if building := await self._being_made(tx, is_rollback=False):
            return building
        number = (await tx.execute(_NEXT, self._key(at=at))).scalar_one()
        build = Build(self.view, number)
        await tx.execute(_NAME_TABLES, self._key(build=number, tables=[table.name for table in build.tables]))
        for projection, table in zip(self.view.projections, build.tables, strict=True):
            await tx.execute(CreateTable(table))
            if not projection.is_journal:
                await tx.execute(CreateIndex(own_index(table)))
        return build

    async def _being_made(self, tx: AsyncConnection, *, is_rollback: bool) -> Build | None:
        for each in await self.standings(tx):
            if each.state == "building":
                if is_rollback != (each.live_at is not None):
                    done = "on its way back" if each.live_at else "being made"
                    raise RebuildUnderWay(f"build {each.build} of {self.view.name} is {done}")
                return Build(self.view, each.build)
        return None

    async def go_live(self, tx: AsyncConnection, build: Build, at: datetime) -> None:
        """Make this build the one to read; nothing is left to do if another worker has done so."""
        await self._lock(tx)
        if await self.building(tx) != build:
            return
        await tx.execute(_RETIRE, self._key(at=at))
        await tx.execute(_GO_LIVE, self._key(build=build.number, at=at))

    async def hold(self, tx: AsyncConnection, build: Build) -> None:
        """Let nobody give the build up before the transaction ends. Raises `BuildGivenUp`."""
        if (await tx.execute(_HOLD, self._key(build=build.number))).first() is None:
            raise BuildGivenUp(build.view.consumer(build.number))

    async def progress(
        self,
        tx: AsyncConnection,
        build: Build,
        at: datetime,
        *,
        applied: int,
        goal: int,
        rate: float | None,
        doing: str | None = None,
        waits_for: str | None = None,
    ) -> None:
        """Tell how far a build has come, as `Standing` has it."""
        told = {"at": at, "applied": applied, "goal": goal, "rate": rate, "doing": doing, "waits_for": waits_for}
        await tx.execute(_PROGRESS, self._key(build=build.number, **told))

    async def say(self, tx: AsyncConnection, build: Build, doing: str) -> None:
        """Tell what is done with a build."""
        await tx.execute(_SAY, self._key(build=build.number, doing=doing))

    async def roll_back(self, tx: AsyncConnection, at: datetime) -> Build:
        """Begin to return to the build that was read before. Raises `NothingKept` and `RebuildUnderWay`.

        A build that is on its way back already is returned.
        """
        await self._lock(tx)
        if returning := await self._being_made(tx, is_rollback=True):
            return returning
        for build in await self.in_state(tx, "retired"):
            await tx.execute(_RETURN, self._key(build=build.number, at=at))
            return build
        raise NothingKept(f"no build of {self.view.name} is kept that was read before")

    async def accept_parked(self, tx: AsyncConnection) -> Build:
        """Let the build that is being made go live although it lacks what is parked. Raises `NoRebuild`."""
        await tx.execute(_ACCEPT_PARKED, self._key())
        if building := await self.building(tx):
            return building
        raise NoRebuild(f"no build of {self.view.name} is being made")

    async def accepts_parked(self, tx: AsyncConnection, build: Build) -> bool:
        """Whether it may."""
        return bool((await tx.execute(_ACCEPTS_PARKED, self._key(build=build.number))).scalar_one())


async def _has_all(tx: AsyncConnection, tables: Sequence[Table]) -> bool:
    for table in tables:
        there = set((await tx.execute(_COLUMNS, {"schema": table.schema, "table": table.name})).scalars())
        if not there.issuperset(table.columns.keys()):
            return False
    return True


def _standing(row: Row[Any]) -> Standing:
    return Standing(**row._mapping)
