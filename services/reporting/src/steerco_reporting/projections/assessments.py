"""Delivery confidence, the newest rating by each assessor of each project: row and fold."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from steerco_events.contracts.portfolio import PORTFOLIO, DeliveryConfidenceAssessed, Rating
from steerco_events.envelope import Recorded
from steerco_events.projections.model import Projection


@dataclass(frozen=True, slots=True)
class AssessmentRow:
    """What an assessor last said of a project."""

    project_id: UUID
    assessor: str
    rating: Rating
    said: str | None
    assessed_on: date | None
    evidence: str | None


def assessment_key(event: Recorded) -> str | None:
    """The project and the assessor."""
    match event.payload:
        case DeliveryConfidenceAssessed(project_id=project_id, assessor=assessor):
            return f"{project_id}/{assessor}"
        case _:
            return None


def evolve_assessment(row: AssessmentRow | None, event: Recorded) -> AssessmentRow | None:
    """The row after an event."""
    match event.payload:
        case DeliveryConfidenceAssessed() as a:
            return AssessmentRow(a.project_id, a.assessor, a.rating, a.said, a.assessed_on, a.evidence)
        case _:
            return row


assessments = Projection(
    "assessments", AssessmentRow, assessment_key, evolve_assessment, indexes=(("project_id",),), of=PORTFOLIO
)
