"""Budgets and forecasts, the newest figure of each project, measure, kind and period: row and fold."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal
from uuid import UUID

from steerco_events.contracts.finance import FINANCE, BudgetBaselined, ForecastMade
from steerco_events.contracts.values import Figure, Measure, Money
from steerco_events.envelope import Recorded
from steerco_events.projections.model import Projection

type FigureKind = Literal["budget", "forecast"]


@dataclass(frozen=True, slots=True)
class FigureRow:
    """A figure: an amount in a currency, or the words in its place, or neither, as `disclosure` says."""

    project_id: UUID
    measure: Measure
    kind: FigureKind
    period: str
    disclosure: Literal["disclosed", "undisclosed", "not_stated"]
    amount: Decimal | None
    currency: str | None
    said: str | None

    @property
    def figure(self) -> Figure:
        """The figure as it was stated."""
        money = Money(self.amount, self.currency) if self.amount is not None and self.currency else None
        return Figure(self.disclosure, money, self.said)


def figure_key(event: Recorded) -> str | None:
    """The project, measure, kind and period that a figure is of."""
    match event.payload:
        case BudgetBaselined(project_id=project_id, measure=measure, period=period):
            return f"{project_id}/{measure}/budget/{period}"
        case ForecastMade(project_id=project_id, measure=measure, period=period):
            return f"{project_id}/{measure}/forecast/{period}"
        case _:
            return None


def evolve_figure(row: FigureRow | None, event: Recorded) -> FigureRow | None:
    """The row after an event: the newest figure stands."""
    match event.payload:
        case BudgetBaselined() as stated:
            return _row(stated, "budget")
        case ForecastMade() as stated:
            return _row(stated, "forecast")
        case _:
            return row


def _row(stated: BudgetBaselined | ForecastMade, kind: FigureKind) -> FigureRow:
    money = stated.figure.money
    return FigureRow(
        project_id=stated.project_id,
        measure=stated.measure,
        kind=kind,
        period=stated.period,
        disclosure=stated.figure.kind,
        amount=money.amount if money else None,
        currency=money.currency if money else None,
        said=stated.figure.said,
    )


figures = Projection("figures", FigureRow, figure_key, evolve_figure, indexes=(("project_id",),), of=FINANCE)
