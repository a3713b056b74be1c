"""Who may act where, as one process knows it from the service's view of portfolio's log; at most a second old."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from uuid import UUID
from weakref import WeakValueDictionary

from sqlalchemy import Select, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from steerco_events.clock import Clock
from steerco_events.contracts.portfolio import Role
from steerco_events.projections.builds import Build, Builds, ViewNotBuilt
from steerco_events.projections.tables import known_at, row_of
from steerco_service.access.gaps import SOURCE, Gaps, gaps_of
from steerco_service.access.groups import GroupRole
from steerco_service.access.known import Granted, Organization, Places, access_unknown
from steerco_service.access.placed import appointments_held, in_force, managing, units_placed
from steerco_service.access.scope import Grant, Tree
from steerco_service.identity.principal import Principal

FRESH_SECONDS = 1.0
"""So long an answer is used again: a revocation takes effect within this and the way of the event."""

PEOPLE_KEPT = 5_000
"""Of so many the grants are kept between two requests."""

STALE_AFTER = timedelta(minutes=10)

FIRST_ADMIN: Role = "pmo_admin"
"""The role of who is named by the settings, in the whole enterprise."""


type _Asker = tuple[UUID, frozenset[str]]
"""A person, and the groups that the token names."""


class Access:
    """One for each service in a process. Staler than `stale_after`, it answers nobody but who operates the service.

    `first_admin` operates it as long as nothing was ever known.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        builds: Builds,
        clock: Clock,
        groups: Mapping[str, Sequence[GroupRole]],
        stale_after: timedelta = STALE_AFTER,
        first_admin: UUID | None = None,
    ) -> None:
        self._engine = engine
        self._builds = builds
        self._clock = clock
        self._groups = groups
        self._stale_after = stale_after
        self._first_admin = first_admin
        self._reading = asyncio.Lock()
        self._organization: Organization | None = None
        self._granted: dict[_Asker, Granted] = {}
        self._granting: WeakValueDictionary[_Asker, asyncio.Lock] = WeakValueDictionary()

    async def organization(self, *, fresh: bool = False) -> Organization:
        """The organization as it is now. Raises what `known` raises, and a 503 `Problem` while units are parked."""
        return (await self.known(fresh=fresh)).whole()

    async def known(self, *, fresh: bool = False) -> Organization:
        """What is known now. Raises a 503 `Problem` while nothing is, or not well enough.

        A role in the whole enterprise holds without the units: who tries again what is parked needs no more.
        """
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
            raise access_unknown(f"what is known of units and appointments is {int(behind.total_seconds())} s old")
        return known

    async def grants(self, principal: Principal, *, fresh: bool = False) -> Granted:
        """What somebody may by appointment, as a project's manager, or by a group; many who ask at once read once."""
        asked_at = asyncio.get_running_loop().time()
        good_since = asked_at if fresh else asked_at - FRESH_SECONDS
        known, asker = await self.known(fresh=fresh), (principal.actor.id, principal.groups)
        found = self._granted.get(asker)
        if found is None or not found.is_as_good_as(known, good_since):
            async with self._granting.setdefault(asker, asyncio.Lock()):
                found = self._granted.get(asker)
                if found is None or not found.is_as_good_as(known, good_since):
                    found = await self._granted_to(principal, known)
                    if len(self._granted) >= PEOPLE_KEPT:
                        self._granted.clear()
                    self._granted[asker] = found
        return found

    async def _granted_to(self, principal: Principal, known: Organization) -> Granted:
        now = asyncio.get_running_loop().time()
        async with self._engine.connect() as connection:
            appointed = await self._appointed(connection, known, principal.actor.id)
        return Granted([*appointed, *self._by_groups(known.codes, principal.groups)], known.watermark, now)

    async def last_known(self, principal: Principal) -> tuple[Sequence[Grant], Tree]:
        """What somebody may in the whole enterprise by what was last known, however old; the tree has its top alone.

        For what operates the service: who heals a view does so while it stands still, or while there is none. So a
        role that was ended holds until the view has its end: what is not known can't be respected. While no build of
        the view is there to be read, that of the release before counts; without it, roles by groups in the whole
        enterprise do, and the first admin's.
        """
        async with self._engine.connect() as connection:
            build = await self._builds.last_live(connection, "appointments_held", "units_placed")
            if build:
                codes = await _top(connection, build)
                granted = await self._held(connection, build, await gaps_of(connection, build), principal.actor.id)
            else:
                codes, granted = {}, await self._as_first_admin(connection, principal.actor.id)
        return [*granted, *self._by_groups(codes, principal.groups)], Tree(dict.fromkeys(codes.values()))

    async def _as_first_admin(self, connection: AsyncConnection, person_id: UUID) -> Sequence[Grant]:
        """What the first admin may before anything is known; nothing, once the first build has read of an end."""
        if person_id != self._first_admin:
            return ()
        held: Sequence[bool] = ()
        if building := await self._builds.building(connection):
            table, today = building.table("appointments_held"), self._clock.now().date()
            is_named = table.c.person_id == person_id, table.c.role == FIRST_ADMIN, known_at(table, None)
            query = select(in_force(table, Gaps(), today)).select_from(table).where(*is_named)
            held = (await connection.execute(query)).scalars().all()
        is_over = bool(held) and not any(held)
        return () if is_over else [Grant(FIRST_ADMIN)]

    async def manager(self, project_id: UUID) -> UUID | None:
        """Who manages a project today, if somebody does, and as long as it goes on."""
        known = await self.organization()
        async with self._engine.connect() as connection:
            return await self.manager_by(connection, known, project_id)

    async def manager_by(self, connection: AsyncConnection, known: Organization, project_id: UUID) -> UUID | None:
        """The same, read by a connection that there is."""
        query = managing(known.whole().build.table, known.gaps, self._clock.now().date()).subquery()
        on_it = select(query.c.person_id).where(query.c.project_id == project_id, query.c.is_over.is_(False))
        return (await connection.execute(on_it)).scalars().first()

    async def places(self, person_id: UUID) -> Places:
        """Where a person has a role or manages a project: those projects with the units that have them."""
        known = await self.known()
        async with self._engine.connect() as connection:
            return await self.places_by(connection, known, person_id)

    async def places_by(self, connection: AsyncConnection, known: Organization, person_id: UUID) -> Places:
        """The same, read by a connection that there is."""
        today = self._clock.now().date()
        held, placed = known.build.table("appointments_held"), known.build.table("projects_placed")
        is_placed = and_(placed.c.project_id == held.c.project_id, known_at(placed, None), known.gaps.spare(placed))
        appointed = (
            select(func.coalesce(held.c.unit_id, placed.c.unit_id).label("unit_id"), held.c.project_id)
            .select_from(held.outerjoin(placed, is_placed))
            .where(held.c.person_id == person_id, in_force(held, known.gaps, today))
        )
        managed = _managed(known, person_id, today)
        rows = [*(await connection.execute(appointed)).all(), *(await connection.execute(managed)).all()]
        return Places(
            frozenset(row.unit_id for row in rows if row.unit_id),
            frozenset(row.project_id for row in rows if row.project_id),
            is_whole=any(row.unit_id is None and row.project_id is None for row in rows),
        )

    async def administrators(self) -> frozenset[UUID]:
        """The appointments by which somebody administers the whole enterprise today, and until that is ended."""
        known = await self.known()
        async with self._engine.connect() as connection:
            return await self.administrators_by(connection, known)

    async def administrators_by(self, connection: AsyncConnection, known: Organization) -> frozenset[UUID]:
        """The same, by a connection that is there and what is known."""
        held, today = known.build.table("appointments_held"), self._clock.now().date()
        is_whole = or_(and_(held.c.unit_id.is_(None), held.c.project_id.is_(None)), held.c.unit_id.in_(known.tree.tops))
        has_no_end = and_(held.c.until_on.is_(None), held.c.delegated_from.is_(None))
        query = select(held.c.appointment_id).where(
            held.c.role == "pmo_admin",
            is_whole,
            has_no_end,
            in_force(held, known.gaps, today),
        )
        return frozenset((await connection.execute(query)).scalars())

    async def _read(self, known: Organization | None) -> Organization:
        now = asyncio.get_running_loop().time()
        async with self._engine.connect() as connection:
            try:
                build = await self._builds.live(connection)
            except ViewNotBuilt as error:
                raise access_unknown(f"{error} is being built") from error
            watermark = (await build.checkpoints.load(connection, SOURCE)).watermark
            if watermark is None:
                raise access_unknown(f"the log of {SOURCE} was not read yet")
            gaps = await gaps_of(connection, build)
            if gaps.has_organization:
                return Organization(build, watermark, now, tree=Tree(gaps=gaps), gaps=gaps)
            units = build.table("units_placed")
            version = (await connection.execute(select(func.max(units.c.stream_version)))).scalar()
            if known and known.build == build and known.version == version and known.gaps == gaps:
                return replace(known, watermark=watermark, read_at=now)
            query = select(units).where(known_at(units, None))
            rows = [row_of(units_placed, row) for row in (await connection.execute(query)).mappings()]
        return Organization(
            build,
            watermark,
            now,
            version,
            Tree({row.unit_id: row.parent_id for row in rows}, gaps),
            {row.code.upper(): row.unit_id for row in rows},
            gaps,
            {row.unit_id: row for row in rows if row.duties},
        )

    async def _appointed(
        self, connection: AsyncConnection, organization: Organization, person_id: UUID
    ) -> Sequence[Grant]:
        held = await self._held(connection, organization.build, organization.gaps, person_id)
        managed = (await connection.execute(_managed(organization, person_id, self._clock.now().date()))).all()
        return [*held, *(_as_manager(row.project_id, is_over=row.is_over) for row in managed)]

    async def _held(self, connection: AsyncConnection, build: Build, gaps: Gaps, person_id: UUID) -> Sequence[Grant]:
        held, today = build.table("appointments_held"), self._clock.now().date()
        query = select(held).where(held.c.person_id == person_id, in_force(held, gaps, today))
        rows = [row_of(appointments_held, row) for row in (await connection.execute(query)).mappings()]
        return [
            Grant(each.role, each.unit_id, each.project_id, is_delegated=each.delegated_from is not None)
            for each in rows
        ]

    def _by_groups(self, codes: Mapping[str, UUID], groups: Collection[str]) -> Sequence[Grant]:
        granted = []
        for each in (role for group in groups for role in self._groups.get(group, ())):
            if each.unit_code is None:
                granted.append(Grant(each.role))
            elif unit_id := codes.get(each.unit_code.upper()):
                granted.append(Grant(each.role, unit_id))
        return granted


async def _top(connection: AsyncConnection, build: Build) -> Mapping[str, UUID]:
    """The enterprise itself, by its code."""
    units = build.table("units_placed")
    query = select(units.c.code, units.c.unit_id).where(units.c.parent_id.is_(None), known_at(units, None))
    return {row.code.upper(): row.unit_id for row in (await connection.execute(query)).all()}


def _managed(known: Organization, person_id: UUID, today: date) -> Select[tuple[UUID, UUID, UUID, bool]]:
    """The projects that a person manages."""
    projects = managing(known.build.table, known.gaps, today)
    return projects.where(known.build.table("projects_managed").c.person_id == person_id)


def _as_manager(project_id: UUID, *, is_over: bool) -> Grant:
    """Of a project that is over, its manager sees what became of it."""
    return Grant("viewer" if is_over else "project_manager", project_id=project_id)
