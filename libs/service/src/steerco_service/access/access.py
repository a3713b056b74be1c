"""Who may act where, as one process knows it from the service's view of portfolio's log; at most a second old."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import Select, and_, func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from steerco_events.clock import Clock
from steerco_events.contracts.portfolio import Duties
from steerco_events.projections.builds import Build, Builds, ViewNotBuilt
from steerco_events.projections.tables import known_at, row_of
from steerco_service.access.duties import Requirement, requirement
from steerco_service.access.groups import GroupRole
from steerco_service.access.placed import AppointmentHeld, UnitPlaced, appointments_held, in_force, units_placed
from steerco_service.access.scope import Grant, Tree
from steerco_service.identity.principal import Principal
from steerco_service.problems import Problem

SOURCE = "portfolio"
"""Whose log tells of units and appointments."""

FRESH_SECONDS = 1.0
"""So long an answer is used again: a revocation takes effect within this and the way of the event."""

PEOPLE_KEPT = 5_000
"""Of so many the grants are kept between two requests."""

STALE_AFTER = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Organization:
    """The tree of units and their codes, and the build that it was read from; whole up to `watermark`.

    `policies` are the units that adopted anything of duties that are kept apart.

    `version` is that of portfolio's one stream of units, as far as the tree has it.
    """

    build: Build
    watermark: datetime
    read_at: float
    version: int | None = None
    tree: Tree = field(default_factory=Tree)
    codes: Mapping[str, UUID] = field(default_factory=dict)
    policies: Mapping[UUID, UnitPlaced] = field(default_factory=dict)

    def requirement(self, duties: Duties, unit_id: UUID, day: date) -> Requirement | None:
        """Which unit requires on a day that these duties are kept apart at a unit, if one does."""
        above = (self.policies[each] for each in self.tree.above(unit_id) if each in self.policies)
        return requirement(duties, ((each.unit_id, each.duties) for each in above), day)


@dataclass(frozen=True, slots=True)
class Places:
    """The units and the projects at which somebody is."""

    units: frozenset[UUID]
    projects: frozenset[UUID]


class Access:
    """One for each service in a process. Staler than `stale_after`, it answers nobody."""

    def __init__(
        self,
        engine: AsyncEngine,
        builds: Builds,
        clock: Clock,
        groups: Mapping[str, Sequence[GroupRole]],
        stale_after: timedelta = STALE_AFTER,
    ) -> None:
        self._engine = engine
        self._builds = builds
        self._clock = clock
        self._groups = groups
        self._stale_after = stale_after
        self._reading = asyncio.Lock()
        self._organization: Organization | None = None
        self._granted: dict[tuple[UUID, frozenset[str]], tuple[float, Sequence[Grant]]] = {}

    async def organization(self, *, fresh: bool = False) -> Organization:
        """The organization as it is known now. Raises a 503 `Problem` while it is not known, or not well enough."""
        known = self._organization
        asked_at = asyncio.get_running_loop().time()
        good_since = asked_at if fresh else asked_at - FRESH_SECONDS
        if known is None or known.read_at < good_since:
            async with self._reading:
                known = self._organization
                if known is None or known.read_at < good_since:
                    known = self._organization = await self._read(known)
        behind = self._clock.now() - known.watermark
        if behind > self._stale_after:
            raise _unknown(f"what is known of units and appointments is {int(behind.total_seconds())} s old")
        return known

    async def grants(self, principal: Principal, *, fresh: bool = False) -> Sequence[Grant]:
        """What somebody may by appointment, as a project's manager, or by a group."""
        organization = await self.organization(fresh=fresh)
        key = (principal.actor.id, principal.groups)
        now = asyncio.get_running_loop().time()
        found = self._granted.get(key)
        if fresh or found is None or now - found[0] > FRESH_SECONDS:
            if len(self._granted) >= PEOPLE_KEPT:
                self._granted.clear()
            async with self._engine.connect() as connection:
                appointed = await self._appointed(connection, organization.build, principal.actor.id)
            found = now, [*appointed, *self._by_groups(organization, principal.groups)]
            self._granted[key] = found
        return found[1]

    async def places(self, person_id: UUID) -> Places:
        """Where a person has a role, and which projects they manage."""
        today = self._clock.now().date()
        build = (await self.organization()).build
        held, placed = build.table("appointments_held"), build.table("projects_placed")
        appointed = select(held.c.unit_id, held.c.project_id).where(
            held.c.person_id == person_id, known_at(held, None), in_force(held, today)
        )
        managed = select(placed.c.unit_id, placed.c.project_id).where(
            placed.c.manager_id == person_id, placed.c.manager_from_on <= today, known_at(placed, None)
        )
        async with self._engine.connect() as connection:
            rows = [*(await connection.execute(appointed)).all(), *(await connection.execute(managed)).all()]
        return Places(
            frozenset(row.unit_id for row in rows if row.unit_id),
            frozenset(row.project_id for row in rows if row.project_id),
        )

    async def _read(self, known: Organization | None) -> Organization:
        now = asyncio.get_running_loop().time()
        async with self._engine.connect() as connection:
            try:
                build = await self._builds.live(connection)
            except ViewNotBuilt as error:
                raise _unknown(f"{error} is being built") from error
            watermark = (await build.checkpoints.load(connection, SOURCE)).watermark
            if watermark is None:
                raise _unknown(f"the log of {SOURCE} was not read yet")
            units = build.table("units_placed")
            version = (await connection.execute(select(func.max(units.c.stream_version)))).scalar()
            if known and known.build == build and known.version == version:
                return replace(known, watermark=watermark, read_at=now)
            query = select(units).where(known_at(units, None))
            rows = [row_of(units_placed, row) for row in (await connection.execute(query)).mappings()]
        return Organization(
            build,
            watermark,
            now,
            version,
            Tree({row.unit_id: row.parent_id for row in rows}),
            {row.code.upper(): row.unit_id for row in rows},
            {row.unit_id: row for row in rows if row.duties},
        )

    async def _appointed(self, connection: AsyncConnection, build: Build, person_id: UUID) -> Sequence[Grant]:
        today = self._clock.now().date()
        rows = (await connection.execute(_appointments(build, person_id))).mappings()
        held = [row_of(appointments_held, row) for row in rows]
        originals = {each.appointment_id: each for each in held}
        appointed = [
            Grant(each.role, each.unit_id, each.project_id, is_delegated=each.delegated_from is not None)
            for each in held
            if each.person_id == person_id and _holds(each, originals, today)
        ]
        managed = (await connection.execute(_managed(build, person_id, today))).all()
        return [*appointed, *(Grant("project_manager", project_id=row.project_id) for row in managed)]

    def _by_groups(self, organization: Organization, groups: Collection[str]) -> Sequence[Grant]:
        granted = []
        for each in (role for group in groups for role in self._groups.get(group, ())):
            if each.unit_code is None:
                granted.append(Grant(each.role))
            elif unit_id := organization.codes.get(each.unit_code.upper()):
                granted.append(Grant(each.role, unit_id))
        return granted


def _appointments(build: Build, person_id: UUID) -> Select[tuple[object, ...]]:
    """A person's appointments, and those that he stands in for."""
    held = build.table("appointments_held")
    delegated = select(held.c.delegated_from).where(held.c.person_id == person_id, known_at(held, None))
    is_concerned = (held.c.person_id == person_id) | held.c.appointment_id.in_(delegated)
    return select(held).where(is_concerned, known_at(held, None))


def _managed(build: Build, person_id: UUID, today: date) -> Select[tuple[UUID]]:
    placed = build.table("projects_placed")
    is_managed = and_(placed.c.manager_id == person_id, placed.c.manager_from_on <= today)
    return select(placed.c.project_id).where(is_managed, known_at(placed, None))


def _holds(held: AppointmentHeld, originals: Mapping[UUID, AppointmentHeld], today: date) -> bool:
    """A delegated one holds no longer than the one that it stands in for."""
    if not held.is_in_force(today):
        return False
    if held.delegated_from is None:
        return True
    original = originals.get(held.delegated_from)
    return original is not None and original.is_in_force(today)


def _unknown(detail: str) -> Problem:
    return Problem(503, "access-unknown", f"who may do this can't be told now: {detail}", headers={"Retry-After": "1"})
