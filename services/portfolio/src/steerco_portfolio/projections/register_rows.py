"""What registers last said of projects: row, fold and query."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select

from steerco_events.contracts.portfolio import RegisterRowKept
from steerco_events.envelope import Recorded
from steerco_events.projections.model import Projection
from steerco_service.reading import Page, Reading


@dataclass(frozen=True, slots=True)
class RegisterRowRow:
    """The row of one project, in the register that it comes from."""

    project_id: UUID
    source: str
    reference: str
    said: dict[str, str]


def register_row_key(event: Recorded) -> str | None:
    """The project that a kept row is about."""
    match event.payload:
        case RegisterRowKept(project_id=project_id):
            return str(project_id)
        case _:
            return None


def evolve_register_row(row: RegisterRowRow | None, event: Recorded) -> RegisterRowRow | None:
    """The row after an event."""
    match event.payload:
        case RegisterRowKept() as kept:
            return RegisterRowRow(kept.project_id, kept.source, kept.reference, kept.said)
        case _:
            return row


register_rows = Projection(
    "register_rows", RegisterRowRow, register_row_key, evolve_register_row, indexes=(("source", "key"),)
)


async def register_rows_listed(reading: Reading, page: Page, source: str | None) -> Sequence[RegisterRowRow]:
    """The rows in the order of the projects' ids, of one source or of all."""
    table = reading.table("register_rows")
    query = select(table).where(reading.known_at(table), reading.in_projects(table.c.project_id))
    if source is not None:
        query = query.where(table.c.source == source)
    return page.cut(await reading.rows(register_rows, page.select(query, table.c.key)), "project_id")
