"""The portfolio register: the projects of a scope, one by one."""

from datetime import date
from typing import Annotated, Self

from fastapi import Query
from pydantic import BaseModel

from steerco_events.contracts.portfolio import ProjectState, Rating
from steerco_events.contracts.values import Measure
from steerco_reporting.http.answers import ProjectAnswer, project_fields
from steerco_reporting.http.cut import AsOf
from steerco_reporting.http.portfolio import UNKNOWN_SCOPE, ScopeName
from steerco_reporting.projections.figures import FigureKind, FigureRow
from steerco_reporting.projections.projects import projects_listed
from steerco_reporting.projections.register import Record, records
from steerco_reporting.projections.units import Organization, organizations
from steerco_service.bodies import FigureAnswer
from steerco_service.reading import Paged, Read
from steerco_service.routing import router

routes = router("register")


class RegisteredFigure(BaseModel):
    """A figure of a project, as it was stated."""

    measure: Measure
    kind: FigureKind
    period: str
    figure: FigureAnswer

    @classmethod
    def of(cls, row: FigureRow) -> Self:
        """The answer for a figure."""
        return cls(measure=row.measure, kind=row.kind, period=row.period, figure=FigureAnswer.of(row.figure))


class RatingAnswer(BaseModel):
    """What an assessor last said of how likely the project delivers."""

    rating: Rating
    said: str | None
    assessed_on: date | None
    evidence: str | None


class RecordAnswer(ProjectAnswer):
    """A project with what the services say of it; `ratings` by assessor, `open_risks` by band.

    `open_obligations` are the courses that are owed because of it, `overdue_obligations` those of them that are late.
    """

    figures: list[RegisteredFigure]
    ratings: dict[str, RatingAnswer]
    open_risks: dict[str, int]
    open_obligations: int
    overdue_obligations: int

    @classmethod
    def of_record(cls, record: Record, organization: Organization) -> Self:
        """The answer for a record."""
        return cls(
            **project_fields(record.project, organization),
            figures=[RegisteredFigure.of(row) for row in record.figures],
            ratings={
                row.assessor: RatingAnswer.model_validate(row, from_attributes=True) for row in record.assessments
            },
            open_risks=dict(record.open_risks),
            open_obligations=sum(record.obligations.values()),
            overdue_obligations=record.obligations.get("overdue", 0),
        )


@routes.get("/register", summary="The projects of a scope", responses=UNKNOWN_SCOPE)
async def register(
    reading: Read,
    page: Paged,
    cut: AsOf,
    scope: ScopeName = "enterprise",
    state: Annotated[ProjectState | None, Query(description="In this state only.")] = None,
) -> list[RecordAnswer]:
    """In the order of their codes; the next page is in the `Link` header."""
    (organization,) = await organizations(reading, [cut.at])
    lines = organization.lines(organization.scope(scope, reading.asking.scope).unit_id)
    rows = await projects_listed(reading, page, cut.at, list(lines), state)
    return [RecordAnswer.of_record(each, organization) for each in await records(reading, rows, cut.at)]
