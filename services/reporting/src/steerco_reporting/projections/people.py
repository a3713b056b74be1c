"""Who is of a scope's units: the query."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from steerco_service.reading import Page, Reading
from steerco_service.reference.people import PersonRow, people


async def people_at(reading: Reading, page: Page, at: datetime, unit_ids: Collection[UUID]) -> Sequence[PersonRow]:
    """The people of these units, as it was known at an instant, in the order of their ids."""
    table = reading.table(people.name)
    query = select(table).where(reading.known_at(table, at), table.c.unit_id.in_(unit_ids))
    return page.cut(await reading.rows(people, page.select(query, table.c.key)), "person_id")
