"""The projects: row, fold, and the projects of a scope."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import func, select

from steerco_events.contracts import portfolio
from steerco_events.contracts.portfolio import ProjectState
from steerco_events.contracts.values import StatedDate
from steerco_events.decider import Refusal
from steerco_events.envelope import Recorded
from steerco_events.projections.model import Projection
from steerco_reporting.projections.units import Organization
from steerco_service.reading import Page, Reading
from steerco_service.reference.projects import project_key, state_after


@dataclass(frozen=True, slots=True)
class Manager:
    """Who manages a project, and from which day."""

    person_id: UUID
    job_title: str
    from_on: date


@dataclass(frozen=True, slots=True)
class ProjectRow:
    """One project; chartered ones have a pitch, registered ones a source and a reference there."""

    project_id: UUID
    code: str
    title: str
    unit_id: UUID
    currency: str
    state: ProjectState
    pitch_id: UUID | None = None
    source: str | None = None
    reference: str | None = None
    start: StatedDate | None = None
    end: StatedDate | None = None
    contradictory: bool = False
    manager: Manager | None = None


class UnknownProject(Refusal):
    """No project had this id or code at the instant asked for."""

    kind = "unknown"


def evolve_project(row: ProjectRow | None, event: Recorded) -> ProjectRow | None:
    """The row after an event."""
    match event.payload, row:
        case portfolio.ProjectChartered() as project, _:
            return ProjectRow(
                project_id=project.project_id,
                code=project.code,
                title=project.title,
                unit_id=project.unit_id,
                currency=project.currency,
                state="chartered",
                pitch_id=project.pitch_id,
            )
        case portfolio.ProjectRegistered() as project, _:
            return ProjectRow(
                project_id=project.project_id,
                code=project.code,
                title=project.title,
                unit_id=project.unit_id,
                currency=project.currency,
                state=project.state,
                source=project.source,
                reference=project.reference,
            )
        case _, None:
            return None
        case portfolio.ProjectRenamed(title=title), ProjectRow():
            return replace(row, title=title)
        case portfolio.ProjectMoved(to_unit_id=unit_id), ProjectRow():
            return replace(row, unit_id=unit_id)
        case portfolio.ProjectDatesStated(start=start, end=end, contradictory=contradictory), ProjectRow():
            return replace(row, start=start, end=end, contradictory=contradictory)
        case portfolio.ProjectManagerAppointed(person_id=person_id, job_title=title, from_on=from_on), ProjectRow():
            return replace(row, manager=Manager(person_id, title, from_on))
        case payload, ProjectRow(state=state):
            return replace(row, state=state_after(payload, state))


projects = Projection(
    "projects",
    ProjectRow,
    project_key,
    evolve_project,
    indexes=(("unit_id",), ("code",), ("project_id",)),
    of=portfolio.PORTFOLIO,
)


async def projects_listed(
    reading: Reading, page: Page, at: datetime, unit_ids: Sequence[UUID], state: str | None
) -> Sequence[ProjectRow]:
    """The projects of these units at an instant, in the order of their codes, in one state or in any."""
    table = reading.table("projects")
    is_placed = reading.asking.scope.gaps.spare(table)
    query = select(table).where(reading.known_at(table, at), table.c.unit_id.in_(unit_ids), is_placed)
    if state:
        query = query.where(table.c.state == state)
    return page.cut(await reading.rows(projects, page.select(query, table.c.code)), "code")


async def project_named(reading: Reading, at: datetime, name: str, organization: Organization) -> ProjectRow:
    """The project of that id or code, in any case, at an instant, for who asks. Raises `UnknownProject`."""
    scope = reading.asking.scope
    table = reading.table("projects")
    named = (table.c.key == name.lower()) | (func.upper(table.c.code) == name.upper())
    for row in await reading.rows(projects, select(table).where(reading.known_at(table, at), named)):
        is_placed = organization.is_in(row.unit_id, scope) and not scope.gaps.have_any([row.project_id])
        if row.project_id in scope.projects or is_placed:
            return row
    raise UnknownProject(f"no project has the id or the code {name!r}")
