"""Figures of many projects summed by line, per currency, and budget held against forecast, like with like."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import ColumnElement, FromClause, Subquery, and_, func, select

from steerco_events.contracts.values import Measure
from steerco_reporting.projections.figures import FigureKind
from steerco_service.reading import Reading


@dataclass(frozen=True, slots=True)
class FigureSum:
    """How many figures of one kind a line has at an instant, by disclosure and currency, and their sum."""

    at: datetime
    line_id: UUID
    measure: Measure
    kind: FigureKind
    period: str
    disclosure: Literal["disclosed", "undisclosed", "not_stated"]
    currency: str | None
    figures: int
    amount: Decimal | None


@dataclass(frozen=True, slots=True)
class VarianceSum:
    """Budget and forecast of the projects of a line that disclose both; `over`: how many forecasts are higher."""

    at: datetime
    line_id: UUID
    measure: Measure
    period: str
    currency: str
    budget: Decimal
    forecast: Decimal
    compared: int
    over: int


async def figure_sums(reading: Reading, scoped: Subquery) -> Sequence[FigureSum]:
    """The sums of every line at every instant."""
    table = reading.table("figures")
    by = (
        *(scoped.c.at, scoped.c.line_id, table.c.measure, table.c.kind),
        *(table.c.period, table.c.disclosure, table.c.currency),
    )
    query = (
        select(*by, func.count().label("figures"), func.sum(table.c.amount).label("amount"))
        .select_from(scoped.join(table, table.c.project_id == scoped.c.project_id))
        .where(reading.known_at(table, scoped.c.at))
        .group_by(*by)
    )
    return [FigureSum(**row) for row in (await reading.connection.execute(query)).mappings()]


@dataclass(frozen=True, slots=True)
class Compared:
    """A budget and a forecast of the same project, measure, period and currency, both disclosed."""

    source: FromClause
    budget: Any
    forecast: Any
    known: ColumnElement[bool]


def compared(reading: Reading, scoped: Subquery) -> Compared:
    """The pairs that may be compared, of every project of a scope at every instant."""
    table = reading.table("figures")
    budget, forecast = table.alias("budget"), table.alias("forecast")
    alike = and_(
        forecast.c.project_id == budget.c.project_id,
        forecast.c.measure == budget.c.measure,
        forecast.c.period == budget.c.period,
        forecast.c.currency == budget.c.currency,
    )
    source = scoped.join(budget, budget.c.project_id == scoped.c.project_id).join(forecast, alike)
    known = and_(
        budget.c.kind == "budget",
        forecast.c.kind == "forecast",
        reading.known_at(budget, scoped.c.at),
        reading.known_at(forecast, scoped.c.at),
    )
    return Compared(source, budget, forecast, known)


async def variance_sums(reading: Reading, scoped: Subquery) -> Sequence[VarianceSum]:
    """Budget and forecast of every line at every instant."""
    pair = compared(reading, scoped)
    budget, forecast = pair.budget.c, pair.forecast.c
    by = (scoped.c.at, scoped.c.line_id, budget.measure, budget.period, budget.currency)
    query = (
        select(
            *by,
            func.sum(budget.amount).label("budget"),
            func.sum(forecast.amount).label("forecast"),
            func.count().label("compared"),
            func.count().filter(forecast.amount > budget.amount).label("over"),
        )
        .select_from(pair.source)
        .where(pair.known)
        .group_by(*by)
    )
    return [VarianceSum(**row) for row in (await reading.connection.execute(query)).mappings()]
