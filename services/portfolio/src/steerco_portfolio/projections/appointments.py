"""Who is appointed to what: row, fold and query."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from uuid import UUID

from sqlalchemy import ColumnElement, FromClause, and_, exists, or_, select

from steerco_events.contracts import portfolio
from steerco_events.envelope import Recorded
from steerco_events.projections.model import Projection
from steerco_service.reading import Page, Reading


@dataclass(frozen=True, slots=True)
class AppointmentRow:
    """One appointment; `ended_on` is the first day on which it holds no more, and `reason` why, if it was ended."""

    appointment_id: UUID
    person_id: UUID
    role: portfolio.Role
    from_on: date
    until_on: date | None
    unit_id: UUID | None
    project_id: UUID | None
    delegated_from: UUID | None
    ended_on: date | None = None
    reason: str | None = None


def appointment_key(event: Recorded) -> str | None:
    """The appointment that an event is about."""
    match event.payload:
        case (
            portfolio.AppointmentMade(appointment_id=appointment_id)
            | portfolio.AppointmentTermChanged(appointment_id=appointment_id)
            | portfolio.AppointmentEnded(appointment_id=appointment_id)
        ):
            return str(appointment_id)
        case _:
            return None


def evolve_appointment(row: AppointmentRow | None, event: Recorded) -> AppointmentRow | None:
    """The row after an event."""
    match event.payload, row:
        case portfolio.AppointmentMade() as made, _:
            return AppointmentRow(
                appointment_id=made.appointment_id,
                person_id=made.person_id,
                role=made.role,
                from_on=made.from_on,
                until_on=made.until_on,
                unit_id=made.unit_id,
                project_id=made.project_id,
                delegated_from=made.delegated_from,
            )
        case portfolio.AppointmentTermChanged(from_on=from_on, until_on=until_on), AppointmentRow():
            return replace(row, from_on=from_on, until_on=until_on)
        case portfolio.AppointmentEnded(), AppointmentRow():
            return replace(row, ended_on=event.recorded_at.date(), reason=event.reason)
        case _:
            return row


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
