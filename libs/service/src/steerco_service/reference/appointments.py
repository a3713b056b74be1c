"""The appointments as portfolio's log tells them: row, fold, and when one holds, for every view that shows them."""

from dataclasses import dataclass, replace
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import ColumnElement, FromClause, and_, exists, or_

from steerco_events.contracts import portfolio
from steerco_events.contracts.portfolio import Role
from steerco_events.envelope import Recorded
from steerco_events.projections.tables import known_at


@dataclass(frozen=True, slots=True)
class AppointmentRow:
    """One appointment; `ended_on` is the first day on which it holds no more, and `reason` why, if it was ended."""

    appointment_id: UUID
    person_id: UUID
    role: Role
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


def holds_on(table: FromClause, day: date, at: datetime | None = None) -> ColumnElement[bool]:
    """The condition for the appointments that hold on a day, by what was known at an instant (`None`: now).

    One that was delegated holds as long as the original does.
    """
    original = table.alias("original")
    stands = exists().where(
        original.c.appointment_id == table.c.delegated_from, known_at(original, at), _holds(original, day)
    )
    return and_(_holds(table, day), or_(table.c.delegated_from.is_(None), stands))


def _holds(table: FromClause, day: date) -> ColumnElement[bool]:
    """The day is in the term, and before that on which it was ended."""
    return and_(
        table.c.from_on <= day,
        or_(table.c.until_on.is_(None), table.c.until_on >= day),
        or_(table.c.ended_on.is_(None), table.c.ended_on > day),
    )
