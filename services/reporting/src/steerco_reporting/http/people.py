"""Who is of a scope's units."""

from typing import Self
from uuid import UUID

from pydantic import BaseModel

from steerco_reporting.http.cut import AsOf
from steerco_reporting.http.portfolio import UNKNOWN_SCOPE, ScopeName
from steerco_reporting.projections.people import people_at
from steerco_reporting.projections.units import organizations
from steerco_service.privacy.showing import Shown, Withheld, who_are
from steerco_service.reading import Paged, Read
from steerco_service.reference.people import PersonRow
from steerco_service.routing import router

routes = router("people")


class PersonAnswer(BaseModel):
    """A person of a unit, as it was known at the instant; `withheld` says why name and address are not shown."""

    person_id: UUID
    unit_code: str
    name: str | None
    email: str | None
    withheld: Withheld | None

    @classmethod
    def of(cls, row: PersonRow, unit_code: str, said: Shown) -> Self:
        """The answer for a person."""
        return cls(
            person_id=row.person_id, unit_code=unit_code, name=said.name, email=said.email, withheld=said.withheld
        )


@routes.get("/people", summary="Who is of a scope's units", responses=UNKNOWN_SCOPE)
async def people(reading: Read, page: Paged, cut: AsOf, scope: ScopeName = "enterprise") -> list[PersonAnswer]:
    """In the order of their ids; the next page is in the `Link` header.

    Whoever was erased since is shown without a name, also as of an instant before that.
    """
    (organization,) = await organizations(reading, [cut.at])
    unit_ids = organization.lines(organization.scope(scope, reading.asking.scope).unit_id)
    rows = await people_at(reading, page, cut.at, list(unit_ids))
    said = await who_are(reading, rows)
    return [PersonAnswer.of(row, organization.units[row.unit_id].code, said[row.person_id]) for row in rows]
