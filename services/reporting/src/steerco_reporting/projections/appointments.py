"""The appointments: row, fold, and who holds which role at a scope."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import and_, or_, select

from steerco_events.contracts import portfolio
from steerco_events.contracts.portfolio import Role
from steerco_events.projections.model import Projection
from steerco_events.projections.tables import row_of
from steerco_service.reading import Page, Reading
from steerco_service.reference.appointments import AppointmentRow, appointment_key, evolve_appointment, holds_on

appointments = Projection(
    "appointments",
    AppointmentRow,
    appointment_key,
    evolve_appointment,
    indexes=(("unit_id",), ("project_id",), ("person_id",)),
    of=portfolio.PORTFOLIO,
)


@dataclass(frozen=True, slots=True)
class Held:
    """An appointment, the project that it is at and the unit that had it, and whether it was in force on a day."""

    row: AppointmentRow
    project_code: str | None
    unit_id: UUID | None
    in_force: bool

    @property
    def role(self) -> Role:
        """What the person is there."""
        return self.row.role

    @property
    def appointment_id(self) -> UUID:
        """Which appointment it is."""
        return self.row.appointment_id


async def appointments_at(
    reading: Reading,
    page: Page,
    at: datetime,
    day: date,
    unit_ids: Collection[UUID],
    *,
    is_whole: bool,
    person_id: UUID | None,
    role: Role | None,
    ever: bool,
) -> Sequence[Held]:
    """The appointments at these units and at their projects, as they were known at an instant, by role.

    `is_whole`: those in the whole enterprise, too. `ever`: also those that do not hold on the day.
    """
    table, projects = reading.table("appointments"), reading.table("projects")
    at_project = and_(
        projects.c.project_id == table.c.project_id,
        reading.known_at(projects, at),
        reading.asking.scope.gaps.spare(projects),
    )
    in_force = holds_on(table, day, at)
    query = (
        select(table, projects.c.code, projects.c.unit_id.label("had_by"), in_force.label("in_force"))
        .select_from(table.outerjoin(projects, at_project))
        .where(reading.known_at(table, at))
    )
    inside = or_(table.c.unit_id.in_(unit_ids), projects.c.unit_id.in_(unit_ids))
    everywhere = and_(table.c.unit_id.is_(None), table.c.project_id.is_(None))
    query = query.where(or_(inside, everywhere) if is_whole else inside)
    for column, value in (("person_id", person_id), ("role", role)):
        if value is not None:
            query = query.where(table.c[column] == value)
    if not ever:
        query = query.where(in_force)
    found = (await reading.connection.execute(page.select(query, table.c.role, table.c.key))).mappings()
    rows = [
        Held(row_of(appointments, each), each["code"], each["unit_id"] or each["had_by"], each["in_force"])
        for each in found
    ]
    return page.cut(rows, "role", "appointment_id")
