"""Commands on a project's figures."""

from typing import Annotated
from uuid import UUID

from fastapi import Response
from pydantic import Field

from steerco_events.contracts.values import Measure
from steerco_finance.domain.budget import BaselineBudget, MakeForecast, budget_decider
from steerco_finance.http.projects import known_project
from steerco_service.actions import Probe
from steerco_service.bodies import Body, FigureBody, Period
from steerco_service.call import Calling
from steerco_service.routing import router

routes = router("figures")


class StatedFigure(Body):
    """A figure of a measure in a period: money, or the words in its place, or neither."""

    measure: Annotated[Measure, Field(examples=["cost"])]
    period: Annotated[Period, Field(examples=["whole_life"])]
    figure: Annotated[FigureBody, Field(examples=[{"money": {"amount": "125000.00", "currency": "EUR"}}])]


@routes.put("/projects/{project_id}/budget", status_code=204, summary="Baseline a budget figure")
async def baseline_budget(project_id: UUID, body: StatedFigure, call: Calling) -> Response:
    """What the measure is held against in the period; each new baseline is numbered.

    Of a project that is closed or terminated it can still be told, but no longer changed.
    """
    project = await known_project(project_id, call)
    command = BaselineBudget(project, body.measure, body.period, body.figure.figure())
    return await call.handle(budget_decider, f"budget-{project_id}", command)


@routes.put("/projects/{project_id}/forecast", status_code=204, summary="Make a forecast")
async def make_forecast(project_id: UUID, body: StatedFigure, call: Calling) -> Response:
    """What the measure is expected to be in the period."""
    project = await known_project(project_id, call)
    command = MakeForecast(project, body.measure, body.period, body.figure.figure())
    return await call.handle(budget_decider, f"budget-{project_id}", command)


_STATED = StatedFigure.model_construct(measure="cost", period="", figure=FigureBody())

FIGURE_PROBES = (Probe(baseline_budget, _STATED), Probe(make_forecast, _STATED))
"""What may be done with a project's figures, to be asked in advance."""
