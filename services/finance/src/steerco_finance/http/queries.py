"""Questions about figures and actual costs."""

from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Query, Response
from pydantic import BaseModel

from steerco_events.contracts.finance import ActualCostPosted
from steerco_events.contracts.values import Measure, classed_fields
from steerco_finance.domain.posting import UnknownPosting
from steerco_finance.domain.project import UnknownProject
from steerco_finance.http.figures import FIGURE_PROBES
from steerco_finance.http.postings import POSTING_PROBES
from steerco_finance.projections.figures import FigureRow, figures, figures_listed
from steerco_finance.projections.postings import PostingRow, postings, postings_listed
from steerco_service.actions import Acted, Acting, Action, in_full
from steerco_service.bodies import FigureAnswer, MoneyAnswer, Name, Period
from steerco_service.reading import Paged, Read
from steerco_service.reference.projects import project_seen
from steerco_service.routing import router

routes = router("queries")


class StatedFigureAnswer(BaseModel):
    """A figure of a project; `baseline` counts the budgets of its measure and period."""

    project_id: UUID
    measure: Measure
    kind: Literal["budget", "forecast"]
    period: str
    figure: FigureAnswer
    baseline: int | None

    @classmethod
    def of(cls, row: FigureRow) -> "StatedFigureAnswer":
        """The answer for a row."""
        return cls(
            project_id=row.project_id,
            measure=row.measure,
            kind=row.kind,
            period=row.period,
            figure=FigureAnswer.of(row.figure),
            baseline=row.baseline,
        )


class PostingAnswer(BaseModel):
    """One actual cost; reversed ones count no more. Document and amount are shown to who may see commercial fields."""

    posting_id: UUID
    project_id: UUID
    source: str | None
    reference: str | None
    cost: MoneyAnswer | None
    incurred_on: date
    period: str
    reversed: bool
    reason: str | None

    withheld: Literal["not permitted"] | None

    @classmethod
    def of(cls, row: PostingRow, *, is_seen: bool) -> "PostingAnswer":
        """The answer for a row, with its commercial fields or without."""
        said = {name: getattr(row, name, None) for name in cls.model_fields} | {"cost": MoneyAnswer.of(row.cost)}
        if not is_seen:
            said |= dict.fromkeys(classed_fields(ActualCostPosted, "commercial")) | {"withheld": "not permitted"}
        return cls.model_validate(said)


class PostingInFull(PostingAnswer, Acted):
    """One actual cost, and what may be done with it."""


@routes.get("/projects/{project_id}/figures", summary="The figures of one project")
async def project_figures(project_id: UUID, reading: Read, response: Response) -> list[StatedFigureAnswer]:
    """Folded from the project's budget: never behind. Its version is the ETag for the next command."""
    rows = await reading.fold_all(figures, f"budget-{project_id}", response)
    is_there = await reading.has_project(project_id)
    if not is_there or (not rows and await project_seen(reading, project_id) is None):
        raise UnknownProject("no project has this id")
    response.headers.setdefault("ETag", '"0"')
    return [StatedFigureAnswer.of(row) for _, row in sorted(rows.items())]


@routes.get("/projects/{project_id}/figures/actions", summary="What may be done with the figures of one project")
async def figure_actions(project_id: UUID, acting: Acting, reading: Read) -> list[Action]:
    """Whether the caller may state some now. A figure of its own may still be refused."""
    if not await reading.has_project(project_id) or await project_seen(reading, project_id) is None:
        raise UnknownProject("no project has this id")
    return await acting.of({"project_id": project_id}, FIGURE_PROBES)


@routes.get("/figures", summary="List figures")
async def list_figures(
    reading: Read,
    page: Paged,
    project_id: Annotated[UUID | None, Query(description="Of this project only.")] = None,
    measure: Annotated[Measure | None, Query(description="Of this measure only.")] = None,
    kind: Annotated[Literal["budget", "forecast"] | None, Query(description="Of this kind only.")] = None,
    period: Annotated[Period | None, Query(description="Of this period only.")] = None,
) -> list[StatedFigureAnswer]:
    """By project, measure, kind and period; the next page is in the `Link` header."""
    rows = await figures_listed(reading, page, project_id, measure, kind, period)
    return [StatedFigureAnswer.of(row) for row in rows]


@routes.get("/postings", summary="List actual costs")
async def list_postings(
    reading: Read,
    page: Paged,
    project_id: Annotated[UUID | None, Query(description="Of this project only.")] = None,
    period: Annotated[Period | None, Query(description="Of this period only.")] = None,
    source: Annotated[Name | None, Query(description="Of documents of this source only.")] = None,
    reference: Annotated[Name | None, Query(description="Of the document with this reference only.")] = None,
) -> list[PostingAnswer]:
    """In the order of their ids; the next page is in the `Link` header."""
    rows = await postings_listed(reading, page, project_id, period, source, reference)
    seen = await reading.seeing("commercial").projects_among({row.project_id for row in rows})
    return [PostingAnswer.of(row, is_seen=row.project_id in seen) for row in rows]


@routes.get("/postings/{posting_id}", summary="One actual cost")
async def one_posting(posting_id: UUID, acting: Acting, reading: Read, response: Response) -> PostingInFull:
    """Folded from its stream; its version is the ETag."""
    row = await reading.fold(postings, f"posting-{posting_id}", response)
    if row is None or not await reading.has_project(row.project_id):
        raise UnknownPosting("no posting has this id")
    seen = await reading.seeing("commercial").projects_among([row.project_id])
    answer = PostingAnswer.of(row, is_seen=row.project_id in seen)
    return in_full(PostingInFull, answer, await acting.of({"posting_id": posting_id}, POSTING_PROBES))
