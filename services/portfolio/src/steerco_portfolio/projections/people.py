"""Who people are: the query for those who are there for who asks, and of whom they may see it."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, Table, or_, select

from steerco_events.projections.model import Projection
from steerco_service.reading import Page, Reading
from steerco_service.reference.people import PersonRow, evolve_person, person_key

people = Projection("people", PersonRow, person_key, evolve_person, indexes=(("unit_id", "key"),))

type Listed = tuple[PersonRow, bool]
"""A person, and whether who asks may see who it is."""


async def people_listed(reading: Reading, page: Page, unit_id: UUID | None) -> Sequence[Listed]:
    """The people in the order of their ids, of one unit or of all."""
    table = reading.table("people")
    query = select(table).where(reading.known_at(table), _there(reading, table))
    if unit_id:
        query = query.where(table.c.unit_id == unit_id)
    rows = page.cut(await reading.rows(people, page.select(query, table.c.key)), "person_id")
    seen = _there(reading.seeing("personal"), table)
    keys = [str(row.person_id) for row in rows]
    permitted = select(table.c.person_id).where(reading.known_at(table), table.c.key.in_(keys), seen)
    found = set((await reading.connection.execute(permitted)).scalars())
    return [(row, row.person_id in found) for row in rows]


def _there(reading: Reading, table: Table) -> ColumnElement[bool]:
    """Of a unit in the scope, or with a role or project in it; and who asks."""
    return or_(reading.in_units(table.c.unit_id), reading.in_people(table.c.person_id))
