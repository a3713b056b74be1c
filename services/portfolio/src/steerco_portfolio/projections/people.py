"""Who is there for who asks: the query."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select

from steerco_service.privacy.showing import is_there
from steerco_service.reading import Page, Reading
from steerco_service.reference.people import PersonRow, people


async def people_listed(reading: Reading, page: Page, unit_id: UUID | None) -> Sequence[PersonRow]:
    """The people in the order of their ids, of one unit or of all."""
    table = reading.table(people.name)
    query = select(table).where(reading.known_at(table), is_there(reading, table))
    if unit_id:
        query = query.where(table.c.unit_id == unit_id)
    return page.cut(await reading.rows(people, page.select(query, table.c.key)), "person_id")
