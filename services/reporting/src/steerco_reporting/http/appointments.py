"""Who holds which role at a scope."""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Self
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel

from steerco_events.contracts.portfolio import Role
from steerco_reporting.http.cut import AsOf
from steerco_reporting.http.portfolio import UNKNOWN_SCOPE, ScopeName
from steerco_reporting.projections.appointments import Held, appointments_at
from steerco_reporting.projections.units import Organization, organizations
from steerco_service.privacy.showing import Shown, known_people
from steerco_service.reading import Paged, Read
from steerco_service.routing import router

routes = router("appointments")


class HeldAnswer(BaseModel):
    """An appointment, as it was known at the instant.

    It is at the project of `project_code`, which the unit of `unit_code` had; or at that unit; or in the whole
    enterprise. `in_force` on the day of the instant; `ended_on`: from that day on no more, and `reason` why. `name` is
    the person's, as far as there is a record, and the caller may see it.
    """

    appointment_id: UUID
    person_id: UUID
    name: str | None
    role: Role
    unit_code: str | None
    project_code: str | None
    from_on: date
    until_on: date | None
    delegated_from: UUID | None
    in_force: bool
    ended_on: date | None
    reason: str | None

    @classmethod
    def of(cls, held: Held, organization: Organization, names: Mapping[UUID, Shown]) -> Self:
        """The answer for an appointment."""
        row, unit = held.row, organization.units.get(held.unit_id) if held.unit_id else None
        return cls(
            appointment_id=row.appointment_id,
            person_id=row.person_id,
            name=names.get(row.person_id, Shown()).name,
            role=row.role,
            unit_code=unit.code if unit else None,
            project_code=held.project_code,
            from_on=row.from_on,
            until_on=row.until_on,
            delegated_from=row.delegated_from,
            in_force=held.in_force,
            ended_on=row.ended_on,
            reason=row.reason,
        )


@routes.get("/appointments", summary="Who holds which role at a scope", responses=UNKNOWN_SCOPE)
async def appointments(
    reading: Read,
    page: Paged,
    cut: AsOf,
    scope: ScopeName = "enterprise",
    person_id: Annotated[UUID | None, Query(description="Of this person or machine only.")] = None,
    role: Annotated[Role | None, Query(description="Of this role only.")] = None,
    ever: Annotated[bool, Query(description="Also those that do not hold on the day of that instant.")] = False,
) -> list[HeldAnswer]:
    """At its units and at their projects; at `enterprise`, in the whole of it, too.

    In the order of the roles; the next page is in the `Link` header.
    """
    (organization,) = await organizations(reading, [cut.at])
    unit = organization.scope(scope, reading.asking.scope)
    found = await appointments_at(
        reading,
        page,
        cut.at,
        cut.as_of.date(),
        list(organization.lines(unit.unit_id)),
        is_whole=unit.parent_id is None,
        person_id=person_id,
        role=role,
        ever=ever,
    )
    names = await known_people(reading, {each.row.person_id for each in found})
    return [HeldAnswer.of(each, organization, names) for each in found]
