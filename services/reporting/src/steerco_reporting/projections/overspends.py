"""The projects whose cost forecast is above the budget, and since when without a break."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from uuid import UUID

from sqlalchemy import ARRAY, Subquery, Uuid, any_, literal, select

from steerco_events.projections.tables import row_of
from steerco_reporting.projections.figure_sums import compared
from steerco_reporting.projections.figures import FigureKind, FigureRow, figures
from steerco_service.reading import Reading


@dataclass(frozen=True, slots=True)
class Overspend:
    """A project that is forecast to cost more than its budget in a period."""

    project_id: UUID
    code: str
    title: str
    unit_id: UUID
    period: str
    currency: str
    budget: Decimal
    forecast: Decimal
    since: datetime

    @property
    def variance(self) -> Decimal:
        """By how much."""
        return self.forecast - self.budget


@dataclass(frozen=True, slots=True)
class Stated:
    """A figure, from the instant on at which it was known."""

    at: datetime
    figure: FigureRow


def exceeds(budget: FigureRow | None, forecast: FigureRow | None) -> bool:
    """Whether both are disclosed, in one currency, and the forecast is the higher one."""
    if budget is None or forecast is None or budget.amount is None or forecast.amount is None:
        return False
    return budget.currency == forecast.currency and forecast.amount > budget.amount


def over_since(history: Iterable[Stated]) -> datetime | None:
    """From when on the forecast has exceeded the budget without a break; `None` if it does not at the end.

    `history` has the budgets and the forecasts of one project, measure and period, the oldest first; what
    became known at one instant counts together.
    """
    standing: dict[FigureKind, FigureRow] = {}
    since: datetime | None = None
    for at, stated in groupby(history, key=lambda each: each.at):
        standing |= {each.figure.kind: each.figure for each in stated}
        over = exceeds(standing.get("budget"), standing.get("forecast"))
        since = (since or at) if over else None
    return since


async def overspends(reading: Reading, scoped: Subquery, at: datetime) -> Sequence[Overspend]:
    """The overspends of a scope at an instant; within each currency the largest first."""
    pair = compared(reading, scoped)
    budget, forecast, project = pair.budget.c, pair.forecast.c, reading.table("projects")
    query = (
        select(
            *(project.c.project_id, project.c.code, project.c.title, project.c.unit_id),
            *(budget.period, budget.currency, budget.amount.label("budget"), forecast.amount.label("forecast")),
        )
        .select_from(pair.source.join(project, project.c.project_id == scoped.c.project_id))
        .where(pair.known, budget.measure == "cost", forecast.amount > budget.amount)
        .where(reading.known_at(project, scoped.c.at))
        .order_by(budget.currency, (budget.amount - forecast.amount), project.c.code, budget.period)
    )
    found = (await reading.connection.execute(query)).mappings().all()
    since = await _over_since(reading, {row["project_id"] for row in found}, at)
    return [Overspend(**row, since=since[row["project_id"], row["period"]]) for row in found]


async def _over_since(reading: Reading, project_ids: Iterable[UUID], at: datetime) -> dict[tuple[UUID, str], datetime]:
    table = reading.table("figures")
    concerned = table.c.project_id == any_(literal(list(project_ids), ARRAY(Uuid())))
    query = (
        select(table)
        .where(concerned, table.c.measure == "cost", table.c.sealed_from <= at)
        .order_by(table.c.project_id, table.c.period, table.c.sealed_from)
    )
    rows = (await reading.connection.execute(query)).mappings()
    history = [Stated(row["sealed_from"], row_of(figures, row)) for row in rows]
    found: dict[tuple[UUID, str], datetime] = {}
    for name, stated in groupby(history, key=lambda each: (each.figure.project_id, each.figure.period)):
        if since := over_since(stated):
            found[name] = since
    return found
