"""The completions of courses: row, fold and query."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy import select

from steerco_events.contracts.training import CompletionRecorded
from steerco_events.envelope import Recorded
from steerco_events.projections.model import Projection
from steerco_service.reading import Page, Reading


@dataclass(frozen=True, slots=True)
class CompletionRow:
    """A person completed a course."""

    completion_id: UUID
    person_id: UUID
    course: str
    completed_on: date

    @property
    def key(self) -> str:
        """The name of the row, after which a page goes on."""
        return completion_name(self.completion_id, self.person_id)


def completion_name(completion_id: UUID, person_id: UUID) -> str:
    """The name of a completion's row: a caller's own id, say of a session, may come with several persons."""
    return f"{completion_id} {person_id}"


def completion_key(event: Recorded) -> str | None:
    """The completion that an event records."""
    match event.payload:
        case CompletionRecorded(completion_id=completion_id, person_id=person_id):
            return completion_name(completion_id, person_id)
        case _:
            return None


def evolve_completion(row: CompletionRow | None, event: Recorded) -> CompletionRow | None:
    """The row after an event."""
    match event.payload:
        case CompletionRecorded() as c:
            return CompletionRow(c.completion_id, c.person_id, c.course, c.completed_on)
        case _:
            return row


completions = Projection(
    "completions", CompletionRow, completion_key, evolve_completion, indexes=(("person_id", "key"), ("completion_id",))
)


async def completions_listed(
    reading: Reading, page: Page, person_id: UUID | None, course: str | None
) -> Sequence[CompletionRow]:
    """The completions in the order of their ids, filtered."""
    table = reading.table("completions")
    query = select(table).where(reading.known_at(table), reading.in_people(table.c.person_id))
    for column, value in {"person_id": person_id, "course": course}.items():
        if value is not None:
            query = query.where(table.c[column] == value)
    return page.cut(await reading.rows(completions, page.select(query, table.c.key)), "key")


async def completion_of(reading: Reading, completion_id: UUID) -> CompletionRow | None:
    """The completion of an id."""
    table = reading.table("completions")
    query = select(table).where(
        table.c.completion_id == completion_id, reading.known_at(table), reading.in_people(table.c.person_id)
    )
    return next(iter(await reading.rows(completions, query.order_by(table.c.key).limit(1))), None)
