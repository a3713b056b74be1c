"""What deployments for scopes may hold, read from the service's view of portfolio's log."""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from steerco_events.projections.builds import Build
from steerco_service.access.known import Organization, access_unknown
from steerco_service.reading import any_of
from steerco_service.reference.people import people
from steerco_service.runtime import Runtime
from steerco_service.scoped.holding import Holding
from steerco_service.scoped.stays import (
    At,
    Stays,
    UnitAbove,
    known_by,
    person_subject,
    project_subject,
    stays_at,
    stays_of_units,
    unit_subject,
)


@dataclass(frozen=True, slots=True)
class _Known:
    """What was read last of a scope: the organization that it is of, when units were inside and above, and the rest."""

    organization: Organization
    inside: Stays
    above: Stays
    holding: Holding


class Holdings:
    """One for each application: what was read is used for all who ask until more is known."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._known: dict[UUID, _Known] = {}

    async def of(self, top: UUID, *, fresh: bool = False) -> Holding:
        """What a deployment for a unit with all below it may hold; `fresh`: by all that the view has now.

        Raises a 503 `Problem` while that is not known: not well enough, or streams that tell it are parked.
        """
        organization = await self._runtime.access.organization(fresh=fresh)
        if organization.gaps.streams:
            raise access_unknown("streams of units, projects or appointments are parked")
        known = self._known.get(top)
        if known is None or not _is_of(known, organization):
            async with self._runtime.engine.connect() as connection:
                known = await self._read(connection, organization, top, known)
            self._known[top] = known
        return known.holding

    async def _read(
        self, connection: AsyncConnection, organization: Organization, top: UUID, before: _Known | None
    ) -> _Known:
        build, at = organization.build, organization.watermark
        if before and before.organization.build == build and before.organization.version == organization.version:
            inside, above = before.inside, before.above
        else:
            inside, above = stays_of_units(await _units(connection, build), top)
        units = _ids_of(inside, unit_subject(""))
        places = await _places(connection, build, units)
        placed = {**inside, **stays_at(places, inside)}
        appointed = await _appointed(connection, build, units, _ids_of(placed, project_subject("")))
        holding = Holding(at, known_by(placed, at), known_by(above, at), appointed)
        return _Known(organization, inside, above, holding)


def _ids_of(stays: Stays, kind: str) -> list[UUID]:
    return [UUID(subject.removeprefix(kind)) for subject in stays if subject.startswith(kind)]


def _is_of(known: _Known, organization: Organization) -> bool:
    return known.organization.build == organization.build and known.organization.watermark >= organization.watermark


async def _units(connection: AsyncConnection, build: Build) -> list[UnitAbove]:
    table = build.table("units_placed")
    query = select(table.c.unit_id, table.c.parent_id, table.c.sealed_from)
    return [UnitAbove(*row) for row in await connection.execute(query)]


async def _places(connection: AsyncConnection, build: Build, units: Collection[UUID]) -> list[At]:
    """Where projects are and were, of those that were at these units; people, too, where the view knows them."""
    kinds = {"projects_placed": ("project_id", project_subject), people.name: ("person_id", person_subject)}
    found: list[At] = []
    for projection in build.view.projections:
        if projection.name in kinds:
            id, subject = kinds[projection.name]
            table = build.table(projection.name)
            query = select(table.c[id], table.c.unit_id, table.c.sealed_from, table.c.sealed_to)
            rows = await connection.execute(query.where(table.c.unit_id.in_(units)))
            found += [At(subject(which), unit_id, since, until) for which, unit_id, since, until in rows]
    return found


async def _appointed(
    connection: AsyncConnection, build: Build, units: Collection[UUID], projects: Collection[UUID]
) -> dict[UUID, str]:
    """At which of these units and projects the appointments are that are at one: no other can be shared."""
    table = build.table("appointments_held")
    query = select(table.c.appointment_id, table.c.unit_id, table.c.project_id)
    is_there = or_(table.c.unit_id == any_of(units), table.c.project_id == any_of(projects))
    return {
        row.appointment_id: project_subject(row.project_id) if row.project_id else unit_subject(row.unit_id)
        for row in await connection.execute(query.where(is_there))
    }
