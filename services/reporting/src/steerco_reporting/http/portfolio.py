"""The portfolio at a scope: totals, a line per child unit, month ends, overspends."""

from typing import Annotated, Any, Literal

from fastapi import Query
from sqlalchemy import Subquery

from steerco_reporting.http.answers import UnitAnswer, cut_fields, figure_answers, variance_answers
from steerco_reporting.http.cut import AsOf
from steerco_reporting.http.moments import Moment, moments
from steerco_reporting.http.months import month_ends
from steerco_reporting.http.portfolio_answers import ActualCostAnswer, OverspendAnswer, PortfolioAnswer, TotalsAnswer
from steerco_reporting.projections import counts
from steerco_reporting.projections.actual_costs import actual_cost_sums
from steerco_reporting.projections.overspends import overspends
from steerco_reporting.projections.scope import NEWEST, projects_in
from steerco_reporting.projections.sources import complete_up_to, first_instant, sources
from steerco_service.bodies import Code
from steerco_service.metrics import ANSWER_AGE
from steerco_service.reading import Read, Reading
from steerco_service.routing import router

routes = router("portfolio")

UNKNOWN_SCOPE: dict[int | str, dict[str, Any]] = {
    404: {"description": "There is no such scope, or none for the caller."}
}

type ScopeName = Annotated[Code, Query(description="A unit's code; `enterprise` is the whole.", examples=["DFT"])]


@routes.get(
    "/portfolio", summary="The portfolio at a scope", response_model_exclude_unset=True, responses=UNKNOWN_SCOPE
)
async def portfolio(
    reading: Read,
    cut: AsOf,
    scope: ScopeName = "enterprise",
    by: Annotated[Literal["month"] | None, Query(description="Adds the month ends.")] = None,
    over: Annotated[bool, Query(description="Adds the projects behind an overspend.")] = False,
) -> PortfolioAnswer:
    """Totals and one line per child unit; children and direct projects add up to the totals.

    `over` lists cost forecasts above their budget, within each currency the largest variance first.
    """
    first = await first_instant(reading) if by else None
    found = await moments(reading, cut, scope, month_ends(first or cut.as_of, cut.as_of))
    now = found[-1]
    scoped = projects_in(reading, [now.scope])
    asked: dict[str, Any] = {}
    if by:
        asked["months"] = [moment.month_answer() for moment in found]
    if over:
        asked["over"] = [
            OverspendAnswer.of(each, now.organization) for each in await overspends(reading, scoped, cut.at)
        ]
    logs = await sources(reading, cut.at)
    if cut.at == NEWEST and (known_at := complete_up_to(logs)):
        ANSWER_AGE.observe((cut.as_of - known_at).total_seconds(), reading.runtime.service.name, now.unit.kind)
    return PortfolioAnswer(
        **cut_fields(cut, logs),
        scope=UnitAnswer.of(now.unit, now.organization, cut.as_of.date()),
        totals=await _totals(reading, now, scoped),
        units=now.line_answers(),
        **asked,
    )


async def _totals(reading: Reading, now: Moment, scoped: Subquery) -> TotalsAnswer:
    total = now.total
    costs = await actual_cost_sums(reading, scoped)
    assessments = await counts.ratings_by_assessor(reading, scoped, total.projects)
    return TotalsAnswer(
        projects=total.projects,
        by_state=dict(await counts.projects_by_state(reading, scoped)),
        assessments={assessor: dict(ratings) for assessor, ratings in assessments.items()},
        figures=figure_answers(total),
        variances=variance_answers(total),
        actual_costs=None if costs is None else [ActualCostAnswer.of(each) for each in costs],
        withheld="not permitted" if costs is None else None,
        risks=dict(await counts.open_risks_by_band(reading, scoped)),
        obligations=dict(await counts.obligations_by_state(reading, scoped)),
        pitches=dict(await counts.pitches_by_state(reading, now.scope)),
    )
