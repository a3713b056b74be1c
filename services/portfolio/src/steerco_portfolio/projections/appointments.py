"""Who is appointed to what: row, fold and query."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from sqlalchemy import ColumnElement, FromClause, and_, exists, or_, select

from steerco_events.contracts import portfolio
from steerco_events.projections.model import Projection
from steerco_service.reading import Page, Reading
from steerco_service.reference.appointments import AppointmentRow, appointment_key, evolve_appointment

appointments = Projection(
    "appointments",
    AppointmentRow,
    appointment_key,
    evolve_appointment,
    indexes=(("person_id",), ("unit_id",), ("project_id",)),
)


async def appointments_listed(
    reading: Reading,
    page: Page,
    person_id: UUID | None,
    role: portfolio.Role | None,
    unit_id: UUID | None,
    project_id: UUID | None,
    in_force_on: date | None,
) -> Sequence[AppointmentRow]:
    """The appointments in the order of their ids, filtered."""
    table = reading.table("appointments")
    is_there = or_(
        reading.in_units(table.c.unit_id),
        reading.in_projects(table.c.project_id),
        table.c.person_id == reading.asking.principal.actor.id,
    )
    query = select(table).where(reading.known_at(table), is_there)
    wanted = {"person_id": person_id, "role": role, "unit_id": unit_id, "project_id": project_id}
    for column, value in wanted.items():
        if value is not None:
            query = query.where(table.c[column] == value)
    if in_force_on is not None:
        original = table.alias("original")
        stands = exists().where(
            original.c.appointment_id == table.c.delegated_from,
            reading.known_at(original),
            _holds(original, in_force_on),
        )
        query = query.where(_holds(table, in_force_on), or_(table.c.delegated_from.is_(None), stands))
    return page.cut(await reading.rows(appointments, page.select(query, table.c.key)), "appointment_id")


def _holds(table: FromClause, day: date) -> ColumnElement[bool]:
    """The day is in the term, and before that on which it was ended."""
    return and_(
        table.c.from_on <= day,
        or_(table.c.until_on.is_(None), table.c.until_on >= day),
        or_(table.c.ended_on.is_(None), table.c.ended_on > day),
    )
