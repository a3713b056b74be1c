"""The training obligations: row and fold."""

from dataclasses import dataclass, replace
from datetime import date
from typing import Literal
from uuid import UUID

from steerco_events.contracts.training import (
    TRAINING,
    ObligationFellOverdue,
    ObligationFulfilled,
    ObligationRaised,
    ObligationWaived,
)
from steerco_events.envelope import Recorded
from steerco_events.projections.model import Projection

OWED = ("open", "overdue")
"""The states in which the course is still owed."""


@dataclass(frozen=True, slots=True)
class ObligationRow:
    """A course that a person owes because of a project."""

    obligation_id: UUID
    project_id: UUID
    person_id: UUID
    course: str
    due_on: date
    state: Literal["open", "overdue", "fulfilled", "waived"] = "open"


def obligation_key(event: Recorded) -> str | None:
    """The obligation that an event is about."""
    match event.payload:
        case (
            ObligationRaised(obligation_id=obligation_id)
            | ObligationFellOverdue(obligation_id=obligation_id)
            | ObligationFulfilled(obligation_id=obligation_id)
            | ObligationWaived(obligation_id=obligation_id)
        ):
            return str(obligation_id)
        case _:
            return None


def evolve_obligation(row: ObligationRow | None, event: Recorded) -> ObligationRow | None:
    """The row after an event."""
    match event.payload, row:
        case ObligationRaised() as raised, _:
            return ObligationRow(
                raised.obligation_id, raised.project_id, raised.person_id, raised.course, raised.due_on
            )
        case ObligationFellOverdue(), ObligationRow():
            return replace(row, state="overdue")
        case ObligationFulfilled(), ObligationRow():
            return replace(row, state="fulfilled")
        case ObligationWaived(), ObligationRow():
            return replace(row, state="waived")
        case _:
            return row


obligations = Projection(
    "obligations", ObligationRow, obligation_key, evolve_obligation, indexes=(("project_id",),), of=TRAINING
)
