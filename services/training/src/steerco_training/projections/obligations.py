"""The obligations, newest state of each: row, fold and query."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from uuid import UUID

from sqlalchemy import or_, select

from steerco_events.contracts import training
from steerco_events.envelope import Recorded
from steerco_events.projections.model import Projection
from steerco_service.reading import Page, Reading


@dataclass(frozen=True, slots=True)
class ObligationRow:
    """A course that a person owes or owed, and the event that it comes from."""

    obligation_id: UUID
    person_id: UUID
    job_title: str
    project_id: UUID
    course: str
    due_on: date
    cause_id: UUID
    cause_type: str
    state: str = "open"
    reason: str | None = None


def obligation_key(event: Recorded) -> str | None:
    """The obligation that an event is about."""
    obligation_id = getattr(event.payload, "obligation_id", None)
    return str(obligation_id) if obligation_id else None


def evolve_obligation(row: ObligationRow | None, event: Recorded) -> ObligationRow | None:
    """The row after an event."""
    match event.payload, row:
        case training.ObligationRaised() as o, _:
            return ObligationRow(
                o.obligation_id, o.person_id, o.job_title, o.project_id, o.course, o.due_on, o.cause_id, o.cause_type
            )
        case training.ObligationFellOverdue(), ObligationRow():
            return replace(row, state="overdue")
        case training.ObligationFulfilled(), ObligationRow():
            return replace(row, state="fulfilled")
        case training.ObligationWaived(), ObligationRow():
            return replace(row, state="waived", reason=event.reason)
        case _:
            return row


obligations = Projection(
    "obligations",
    ObligationRow,
    obligation_key,
    evolve_obligation,
    indexes=(("person_id", "key"), ("project_id", "key")),
)


async def obligations_listed(
    reading: Reading,
    page: Page,
    person_id: UUID | None,
    project_id: UUID | None,
    course: str | None,
    state: str | None,
) -> Sequence[ObligationRow]:
    """The obligations in the order of their ids, filtered."""
    table = reading.table("obligations")
    is_there = or_(reading.in_projects(table.c.project_id), reading.in_people(table.c.person_id))
    query = select(table).where(reading.known_at(table), is_there)
    wanted = {"person_id": person_id, "project_id": project_id, "course": course, "state": state}
    for column, value in wanted.items():
        if value is not None:
            query = query.where(table.c[column] == value)
    return page.cut(await reading.rows(obligations, page.select(query, table.c.key)), "obligation_id")
