"""The completions of courses: row and fold."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from steerco_events.contracts.training import CompletionRecorded
from steerco_events.envelope import Recorded
from steerco_events.projections.model import Projection


@dataclass(frozen=True, slots=True)
class CompletionRow:
    """A person completed a course."""

    completion_id: UUID
    person_id: UUID
    course: str
    completed_on: date


def completion_key(event: Recorded) -> str | None:
    """The completion that an event records."""
    match event.payload:
        case CompletionRecorded(completion_id=completion_id):
            return str(completion_id)
        case _:
            return None


def evolve_completion(row: CompletionRow | None, event: Recorded) -> CompletionRow | None:
    """The row after an event."""
    match event.payload:
        case CompletionRecorded() as c:
            return CompletionRow(c.completion_id, c.person_id, c.course, c.completed_on)
        case _:
            return row


completions = Projection("completions", CompletionRow, completion_key, evolve_completion)
