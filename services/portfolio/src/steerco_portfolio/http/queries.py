"""Questions about the organization and the projects."""

from collections.abc import Collection, Sequence
from datetime import date
from typing import Annotated, Literal, Self
from uuid import UUID

from fastapi import Query, Response
from pydantic import BaseModel

from steerco_events.contracts.portfolio import Duties, PmoModel, ProjectState, Rating, UnitKind
from steerco_events.contracts.values import StatedDate
from steerco_portfolio.domain.organization import ORGANIZATION, UnknownUnit
from steerco_portfolio.domain.organization_rules import fits
from steerco_portfolio.domain.project import UnknownProject
from steerco_portfolio.http.projects import move_project, project_probes
from steerco_portfolio.http.register_rows import ROW_PROBES
from steerco_portfolio.http.units import move_unit, unit_probes
from steerco_portfolio.projections.projects import ProjectRow, projects, projects_listed
from steerco_portfolio.projections.units import UnitRow, all_units, duties_separated, model_in_force, units
from steerco_service.access.duties import Requirement
from steerco_service.actions import Acted, Acting, Actions, in_full
from steerco_service.bodies import Code, Name
from steerco_service.reading import Paged, Read, Reading
from steerco_service.routing import router

routes = router("queries")


class DutiesAnswer(BaseModel):
    """Duties that nobody does both of here, by the policy of this unit or of one above, since a day."""

    duties: Duties
    policy_of: UUID
    since_on: date

    @classmethod
    def of(cls, required: Requirement) -> Self:
        """The answer for a requirement."""
        return cls(duties=required.duties, policy_of=required.unit_id, since_on=required.since_on)


class UnitAnswer(BaseModel):
    """One unit; its PMO model and the duties kept apart are those in force today, its own or inherited."""

    unit_id: UUID
    code: str
    name: str
    kind: UnitKind
    parent_id: UUID | None
    is_open: bool
    pmo_model: PmoModel
    separated_duties: list[DutiesAnswer]


class UnitInFull(UnitAnswer, Acted):
    """One unit, and what may be done with it."""


class StatedDateAnswer(BaseModel):
    """A day, or the words in its place, or nothing."""

    kind: Literal["stated", "undisclosed", "not_stated"]
    on: date | None
    said: str | None

    @classmethod
    def of(cls, stated: StatedDate) -> Self:
        """The answer for a value."""
        return cls(kind=stated.kind, on=stated.on, said=stated.said)


class AssessmentAnswer(BaseModel):
    """An assessor's newest rating, or the words that stand in its place."""

    assessor: str
    rating: Rating
    said: str | None
    assessed_on: date | None
    evidence: str | None


class ManagerAnswer(BaseModel):
    """Who manages the project."""

    person_id: UUID
    job_title: str
    from_on: date


class ProjectAnswer(BaseModel):
    """One project."""

    project_id: UUID
    code: str
    title: str
    unit_id: UUID
    currency: str
    state: ProjectState
    source: str | None
    reference: str | None
    pitch_id: UUID | None
    start: StatedDateAnswer
    end: StatedDateAnswer
    contradictory_dates: bool
    manager: ManagerAnswer | None
    assessments: list[AssessmentAnswer]


class ProjectInFull(ProjectAnswer, Acted):
    """One project, and what may be done with it."""


def _unit_answers(rows: Sequence[UnitRow], reading: Reading) -> list[UnitAnswer]:
    by_id = {row.unit_id: row for row in rows}
    today = reading.runtime.clock.now().date()
    return [
        UnitAnswer(
            unit_id=row.unit_id,
            code=row.code,
            name=row.name,
            kind=row.kind,
            parent_id=row.parent_id,
            is_open=row.is_open,
            pmo_model=model_in_force(row, by_id, today),
            separated_duties=list(map(DutiesAnswer.of, duties_separated(row, by_id, today))),
        )
        for row in rows
    ]


def _project_answer(row: ProjectRow) -> ProjectAnswer:
    manager = None
    if row.manager_id and row.manager_title and row.manager_from_on:
        manager = ManagerAnswer(person_id=row.manager_id, job_title=row.manager_title, from_on=row.manager_from_on)
    assessments = [
        AssessmentAnswer(assessor=who, rating=a.rating, said=a.said, assessed_on=a.assessed_on, evidence=a.evidence)
        for who, a in sorted(row.assessments.items())
    ]
    return ProjectAnswer.model_validate(
        {name: getattr(row, name) for name in ProjectAnswer.model_fields if name != "manager"}
        | {
            "start": StatedDateAnswer.of(row.start),
            "end": StatedDateAnswer.of(row.end),
            "manager": manager,
            "assessments": assessments,
        }
    )


@routes.get("/units", summary="The units of the organization")
async def list_units(
    reading: Read,
    kind: Annotated[UnitKind | None, Query(description="Of this kind only.")] = None,
    code: Annotated[Code | None, Query(description="With this code only, in any case.")] = None,
    parent_id: Annotated[UUID | None, Query(description="Directly below this unit only.")] = None,
) -> list[UnitAnswer]:
    """All of them, in the order of their codes."""
    return [
        answer
        for answer in _unit_answers(await all_units(reading), reading)
        if reading.asking.scope.has_unit(answer.unit_id)
        and (kind is None or answer.kind == kind)
        and (code is None or answer.code.upper() == code.upper())
        and (parent_id is None or answer.parent_id == parent_id)
    ]


@routes.get("/units/{unit_id}", summary="One unit")
async def one_unit(unit_id: UUID, acting: Acting, reading: Read, response: Response) -> UnitInFull:
    """Folded from the organization's stream, whose version is the ETag."""
    rows = await reading.fold_all(units, ORGANIZATION, response)
    for answer in _unit_answers(list(rows.values()), reading):
        if answer.unit_id == unit_id and reading.asking.has_unit(unit_id):
            probes = unit_probes(unit_id, _another_place(unit_id, rows.values(), acting))
            return in_full(UnitInFull, answer, await acting.of({"unit_id": unit_id}, probes))
    raise UnknownUnit(f"no unit has the id {unit_id}")


def _another_place(unit_id: UUID, rows: Collection[UnitRow], acting: Actions) -> UUID | None:
    """A unit below which the caller may move one that is not below it."""
    scope, below = acting.scope(move_unit), acting.reading.asking.tree.below([unit_id])
    (unit,) = (row for row in rows if row.unit_id == unit_id)
    there = (row for row in rows if row.is_open and scope.has_unit(row.unit_id) and fits(unit.kind, row.kind))
    places = (row.unit_id for row in there if row.unit_id != unit.parent_id)
    return next((place for place in places if place not in below), None)


@routes.get("/projects", summary="List projects")
async def list_projects(
    reading: Read,
    page: Paged,
    unit_id: Annotated[UUID | None, Query(description="Of this unit only, not of those below it.")] = None,
    state: Annotated[ProjectState | None, Query(description="In this state only.")] = None,
    code: Annotated[Code | None, Query(description="With this code only, in any case.")] = None,
    source: Annotated[Name | None, Query(description="Registered from this source only.")] = None,
    reference: Annotated[Name | None, Query(description="With this reference in its source only.")] = None,
) -> list[ProjectAnswer]:
    """In the order of their codes; the next page is in the `Link` header."""
    return [
        _project_answer(row) for row in await projects_listed(reading, page, unit_id, state, code, source, reference)
    ]


@routes.get("/projects/{project_id}", summary="One project")
async def one_project(project_id: UUID, acting: Acting, reading: Read, response: Response) -> ProjectInFull:
    """Folded from its stream: never behind what was last accepted. Its version is the ETag."""
    row = await reading.fold(projects, f"project-{project_id}", response)
    if row is None or not reading.asking.has_project(project_id, row.unit_id):
        raise UnknownProject("no project has this id")
    probes = project_probes(acting.another_unit(move_project, row.unit_id))
    actions = await acting.of({"project_id": project_id}, (*probes, *ROW_PROBES))
    return in_full(ProjectInFull, _project_answer(row), actions)
