"""What the portfolio at a scope is answered with."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel

from steerco_events.contracts.values import Measure, amount_text
from steerco_reporting.http.answers import (
    CutAnswer,
    FigureTotalAnswer,
    UnitAnswer,
    VarianceAnswer,
)
from steerco_reporting.projections.actual_costs import ActualCostSum
from steerco_reporting.projections.overspends import Overspend
from steerco_reporting.projections.units import Organization


class ActualCostAnswer(BaseModel):
    """What was spent in a period, in one currency."""

    period: str
    currency: str
    amount: str

    @classmethod
    def of(cls, found: ActualCostSum) -> "ActualCostAnswer":
        """The answer for a sum."""
        return cls(period=found.period, currency=found.currency, amount=amount_text(found.amount, found.currency))


class TotalsAnswer(BaseModel):
    """The whole scope: counts, figures, variances.

    Actual costs are shown to who may see commercial fields of all its projects; `withheld` says why they are not.
    """

    projects: int
    by_state: dict[str, int]
    assessments: dict[str, dict[str, int]]
    figures: list[FigureTotalAnswer]
    variances: list[VarianceAnswer]
    actual_costs: list[ActualCostAnswer] | None
    withheld: Literal["not permitted"] | None
    risks: dict[str, int]
    obligations: dict[str, int]
    pitches: dict[str, int]


class UnitLine(BaseModel):
    """A child unit with all below it; or the projects that hang `direct` at the scope. All add up to the totals."""

    unit: UnitAnswer
    projects: int
    figures: list[FigureTotalAnswer]
    variances: list[VarianceAnswer]
    direct: bool = False


class MonthLine(BaseModel):
    """A child unit at a month's end, with all below it; or what is `direct` at the scope. All add up to the month."""

    code: str
    projects: int
    figures: list[FigureTotalAnswer]
    variances: list[VarianceAnswer]
    direct: bool = False


class MonthAnswer(BaseModel):
    """The scope at the last instant of a month (of the last one: at `as_of`), as it was known and organized then."""

    end: datetime
    projects: int
    figures: list[FigureTotalAnswer]
    variances: list[VarianceAnswer]
    units: list[MonthLine]


class OverspendAnswer(BaseModel):
    """A project whose forecast exceeds its budget, `since` an instant without a break."""

    project_id: UUID
    code: str
    title: str
    unit_code: str
    measure: Measure
    period: str
    currency: str
    budget: str
    forecast: str
    variance: str
    since: datetime

    @classmethod
    def of(cls, found: Overspend, organization: Organization) -> "OverspendAnswer":
        """The answer for an overspend."""
        return cls(
            project_id=found.project_id,
            code=found.code,
            title=found.title,
            unit_code=organization.units[found.unit_id].code,
            measure="cost",
            period=found.period,
            currency=found.currency,
            budget=amount_text(found.budget, found.currency),
            forecast=amount_text(found.forecast, found.currency),
            variance=amount_text(found.variance, found.currency),
            since=found.since,
        )


class PortfolioAnswer(CutAnswer):
    """A scope with a line per child; `months` and `over` only when asked for."""

    scope: UnitAnswer
    totals: TotalsAnswer
    units: list[UnitLine]
    months: list[MonthAnswer] | None = None
    over: list[OverspendAnswer] | None = None
