"""Events of finance: budgets, forecasts, actual costs.

Streams: `budget-<project id>` (baselines and forecasts of one project), `posting-<id>` (one actual cost).
"""

from datetime import date
from typing import Annotated
from uuid import UUID

from steerco_events.contracts.values import COMMERCIAL, PERIOD, PROJECT_SEEN, Figure, Measure, Money
from steerco_events.registry import Registry, event

FINANCE = Registry("finance")


@event(FINANCE, "budget-baselined")
class BudgetBaselined:
    """The figure that a project's measure is held against in a period."""

    project_id: UUID
    measure: Measure
    period: Annotated[str, PERIOD]
    figure: Figure
    baseline: int
    """Counts the baselines of the measure in the period, from 1."""
    project_version: Annotated[int, PROJECT_SEEN]


@event(FINANCE, "forecast-made")
class ForecastMade:
    """What a project's measure is expected to be in a period."""

    project_id: UUID
    measure: Measure
    period: Annotated[str, PERIOD]
    figure: Figure
    project_version: Annotated[int, PROJECT_SEEN]


@event(FINANCE, "actual-cost-posted")
class ActualCostPosted:
    """A cost that was incurred, with the document that proves it."""

    posting_id: UUID
    project_id: UUID
    source: Annotated[str, COMMERCIAL]
    """The system or ledger that the document is in."""
    reference: Annotated[str, COMMERCIAL]
    """The document's name there; one posting per source and reference."""
    cost: Annotated[Money, COMMERCIAL]
    incurred_on: date
    period: Annotated[str, PERIOD]
    project_version: Annotated[int, PROJECT_SEEN]


@event(FINANCE, "actual-cost-reversed")
class ActualCostReversed:
    """The posting was wrong and counts no more."""

    posting_id: UUID
    project_id: UUID
