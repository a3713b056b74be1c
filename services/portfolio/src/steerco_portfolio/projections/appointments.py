"""Who is appointed to what: row, fold and query."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from sqlalchemy import or_, select

from steerco_events.contracts import portfolio
from steerco_events.projections.model import Projection
from steerco_service.reading import Page, Reading
from steerco_service.reference.appointments import AppointmentRow, appointment_key, evolve_appointment, holds_on

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
        query = query.where(holds_on(table, in_force_on))
    return page.cut(await reading.rows(appointments, page.select(query, table.c.key)), "appointment_id")
