"""The newest figure of each project, measure, kind and period: row, fold and query."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from sqlalchemy import select

from steerco_events.contracts.finance import BudgetBaselined, ForecastMade
from steerco_events.contracts.values import Figure, Measure
from steerco_events.envelope import Recorded
from steerco_events.projections.model import Projection
from steerco_service.reading import Page, Reading

type Kind = Literal["budget", "forecast"]


@dataclass(frozen=True, slots=True)
class FigureRow:
    """One figure; `baseline` counts the budgets of its line."""

    project_id: UUID
    measure: Measure
    kind: Kind
    period: str
    figure: Figure
    baseline: int | None

    @property
    def key(self) -> str:
        """What names the row, in its table too."""
        return figure_name(self.project_id, self.measure, self.kind, self.period)


def figure_name(project_id: UUID, measure: str, kind: str, period: str) -> str:
    """The name of a figure's row."""
    return f"{project_id} {measure} {kind} {period}"


def figure_key(event: Recorded) -> str | None:
    """The figure that an event states."""
    match event.payload:
        case BudgetBaselined() as budget:
            return figure_name(budget.project_id, budget.measure, "budget", budget.period)
        case ForecastMade() as forecast:
            return figure_name(forecast.project_id, forecast.measure, "forecast", forecast.period)
        case _:
            return None


def evolve_figure(row: FigureRow | None, event: Recorded) -> FigureRow | None:
    """The row after an event: the newest counts."""
    match event.payload:
        case BudgetBaselined() as b:
            return FigureRow(b.project_id, b.measure, "budget", b.period, b.figure, b.baseline)
        case ForecastMade() as f:
            return FigureRow(f.project_id, f.measure, "forecast", f.period, f.figure, None)
        case _:
            return row


figures = Projection("figures", FigureRow, figure_key, evolve_figure)


async def figures_listed(
    reading: Reading,
    page: Page,
    project_id: UUID | None,
    measure: Measure | None,
    kind: Kind | None,
    period: str | None,
) -> Sequence[FigureRow]:
    """The figures by project, measure, kind and period, filtered."""
    table = reading.table("figures")
    query = select(table).where(reading.known_at(table), reading.in_projects(table.c.project_id))
    wanted = {"project_id": project_id, "measure": measure, "kind": kind, "period": period}
    for column, value in wanted.items():
        if value is not None:
            query = query.where(table.c[column] == value)
    return page.cut(await reading.rows(figures, page.select(query, table.c.key)), "key")
