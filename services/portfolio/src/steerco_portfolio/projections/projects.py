"""The projects, newest state of each: row, fold and query."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from uuid import UUID

from sqlalchemy import func, select

from steerco_events.contracts import portfolio
from steerco_events.contracts.values import StatedDate
from steerco_events.envelope import Recorded
from steerco_events.projections.model import Projection
from steerco_service.reading import Page, Reading
from steerco_service.reference.projects import project_key, state_after

_NOT_STATED = StatedDate.not_stated()


@dataclass(frozen=True, slots=True)
class Assessed:
    """An assessor's newest rating."""

    rating: portfolio.Rating
    said: str | None
    assessed_on: date | None
    evidence: str | None


@dataclass(frozen=True, slots=True)
class ProjectRow:
    """One project."""

    project_id: UUID
    code: str
    title: str
    unit_id: UUID
    currency: str
    state: portfolio.ProjectState
    source: str | None
    reference: str | None
    pitch_id: UUID | None
    start: StatedDate = _NOT_STATED
    end: StatedDate = _NOT_STATED
    contradictory_dates: bool = False
    manager_id: UUID | None = None
    manager_title: str | None = None
    manager_from_on: date | None = None
    assessments: dict[str, Assessed] = field(default_factory=dict)


def evolve_project(row: ProjectRow | None, event: Recorded) -> ProjectRow | None:
    """The row after an event; a refused charter makes none."""
    match event.payload:
        case portfolio.ProjectChartered() as p:
            return ProjectRow(p.project_id, p.code, p.title, p.unit_id, p.currency, "chartered", None, None, p.pitch_id)
        case portfolio.ProjectRegistered() as p:
            return ProjectRow(
                p.project_id, p.code, p.title, p.unit_id, p.currency, p.state, p.source, p.reference, None
            )
        case _:
            return row and _changed(row, event)


def _changed(row: ProjectRow, event: Recorded) -> ProjectRow:
    match event.payload:
        case portfolio.ProjectRenamed(title=title):
            return replace(row, title=title)
        case portfolio.ProjectDatesStated(start=start, end=end, contradictory=contradictory):
            return replace(row, start=start, end=end, contradictory_dates=contradictory)
        case portfolio.DeliveryConfidenceAssessed(assessor=assessor) as a:
            assessed = Assessed(a.rating, a.said, a.assessed_on, a.evidence)
            return replace(row, assessments={**row.assessments, assessor: assessed})
        case portfolio.ProjectManagerAppointed(person_id=person_id, job_title=title, from_on=day):
            return replace(row, manager_id=person_id, manager_title=title, manager_from_on=day)
        case portfolio.ProjectMoved(to_unit_id=unit_id):
            return replace(row, unit_id=unit_id)
        case payload:
            return replace(row, state=state_after(payload, row.state))


projects = Projection(
    "projects",
    ProjectRow,
    project_key,
    evolve_project,
    indexes=(("code",), ("unit_id", "code"), ("source", "reference")),
)


async def projects_listed(
    reading: Reading,
    page: Page,
    unit_id: UUID | None,
    state: str | None,
    code: str | None,
    source: str | None,
    reference: str | None,
) -> Sequence[ProjectRow]:
    """The projects in the order of their codes, filtered; a code in any case, as it is unique in any."""
    table = reading.table("projects")
    query = select(table).where(reading.known_at(table), reading.in_projects(table.c.project_id))
    wanted = {"unit_id": unit_id, "state": state, "source": source, "reference": reference}
    for column, value in wanted.items():
        if value is not None:
            query = query.where(table.c[column] == value)
    if code is not None:
        query = query.where(func.upper(table.c.code) == code.upper())
    return page.cut(await reading.rows(projects, page.select(query, table.c.code)), "code")
