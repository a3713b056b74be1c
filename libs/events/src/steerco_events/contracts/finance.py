"""Events of finance: budgets, forecasts, actual costs.

Streams: `budget-<project id>` (baselines and forecasts of one project), `posting-<id>` (one actual cost).
"""

from datetime import date
from uuid import UUID

from steerco_events.contracts.values import Figure, Measure, Money
from steerco_events.registry import Registry, event

FINANCE = Registry("finance")


@event(FINANCE, "budget-baselined")
class BudgetBaselined:
    """The figure that a project's measure is held against in a period; `baseline` counts them from 1."""

    project_id: UUID
    measure: Measure
    period: str
    figure: Figure
    baseline: int
    project_version: int


@event(FINANCE, "forecast-made")
class ForecastMade:
    """What a project's measure is expected to be in a period."""

    project_id: UUID
    measure: Measure
    period: str
    figure: Figure
    project_version: int


@event(FINANCE, "actual-cost-posted")
class ActualCostPosted:
    """A cost that was incurred, with the document that proves it."""

    posting_id: UUID
    project_id: UUID
    source: str
    reference: str
    cost: Money
    incurred_on: date
    period: str
    project_version: int


@event(FINANCE, "actual-cost-reversed")
class ActualCostReversed:
    """The posting was wrong and counts no more."""

    posting_id: UUID
    project_id: UUID
