"""Who is there for who asks: the query."""

from collections.abc import Collection, Sequence
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
        query = query.where(table.c.unit_id == unit_id, reading.in_units(table.c.unit_id))
    return page.cut(await reading.rows(people, page.select(query, table.c.key)), "person_id")


async def not_erased(reading: Reading, person_ids: Collection[UUID]) -> Collection[UUID]:
    """Those of these people whom the log has not erased."""
    table = reading.table(people.name)
    keys = [str(person_id) for person_id in person_ids]
    query = select(table.c.person_id).where(reading.known_at(table), table.c.key.in_(keys), table.c.is_erased)
    return set(person_ids).difference((await reading.connection.execute(query)).scalars())
