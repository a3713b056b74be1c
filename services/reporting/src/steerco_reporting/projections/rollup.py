"""Sums of lines rolled up: any set of lines at an instant, so that the lines of a scope add up to the scope. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from steerco_events.contracts.values import WHOLE_LIFE, Measure
from steerco_reporting.projections.figure_sums import FigureSum, VarianceSum
from steerco_reporting.projections.figures import FigureKind

type FigureName = tuple[Measure, FigureKind, str]
type VarianceName = tuple[Measure, str, str]

ALWAYS: Sequence[FigureName] = (("cost", "budget", WHOLE_LIFE), ("benefit", "budget", WHOLE_LIFE))
"""Figures that are listed also where nobody states them."""


@dataclass(slots=True)
class Amount:
    """A sum in one currency, and of how many figures it is the sum."""

    amount: Decimal = Decimal(0)
    disclosed: int = 0


@dataclass(slots=True)
class FigureTotal:
    """One kind of figure: sums per currency, never added to each other, and how many figures are no amount."""

    amounts: dict[str, Amount] = field(default_factory=lambda: defaultdict(Amount))
    disclosed: int = 0
    undisclosed: int = 0
    not_stated: int = 0


@dataclass(slots=True)
class VarianceTotal:
    """Budget and forecast of the projects that disclose both."""

    budget: Decimal = Decimal(0)
    forecast: Decimal = Decimal(0)
    compared: int = 0
    over: int = 0

    @property
    def variance(self) -> Decimal:
        """How much the forecast is above the budget."""
        return self.forecast - self.budget


@dataclass(frozen=True, slots=True)
class Rollup:
    """The totals of some lines at an instant, in the order in which they are shown."""

    projects: int
    figures: Mapping[FigureName, FigureTotal]
    variances: Mapping[VarianceName, VarianceTotal]


class Rollups:
    """The sums of every line at every instant, ready to be rolled up."""

    def __init__(
        self,
        projects: Mapping[tuple[datetime, UUID], int],
        figures: Iterable[FigureSum],
        variances: Iterable[VarianceSum],
    ) -> None:
        self._projects = projects
        self._figures: dict[tuple[datetime, UUID], list[FigureSum]] = defaultdict(list)
        self._variances: dict[tuple[datetime, UUID], list[VarianceSum]] = defaultdict(list)
        for figure in figures:
            self._figures[figure.at, figure.line_id].append(figure)
        for variance in variances:
            self._variances[variance.at, variance.line_id].append(variance)

    def of(self, at: datetime, line_ids: Iterable[UUID]) -> Rollup:
        """The totals of these lines together."""
        keys = [(at, line_id) for line_id in line_ids]
        projects = sum(self._projects.get(key, 0) for key in keys)
        figures = _figures((each for key in keys for each in self._figures.get(key, ())), projects)
        variances = _variances(each for key in keys for each in self._variances.get(key, ()))
        return Rollup(projects, figures, variances)


def _figures(sums: Iterable[FigureSum], projects: int) -> Mapping[FigureName, FigureTotal]:
    found = {name: FigureTotal() for name in ALWAYS}
    for each in sums:
        total = found.setdefault((each.measure, each.kind, each.period), FigureTotal())
        if each.disclosure == "undisclosed":
            total.undisclosed += each.figures
        elif each.currency is not None and each.amount is not None:
            total.disclosed += each.figures
            total.amounts[each.currency].amount += each.amount
            total.amounts[each.currency].disclosed += each.figures
    for total in found.values():
        total.not_stated = projects - total.disclosed - total.undisclosed
    return {name: found[name] for name in sorted(found, key=_figure_order)}


def _variances(sums: Iterable[VarianceSum]) -> Mapping[VarianceName, VarianceTotal]:
    found: dict[VarianceName, VarianceTotal] = defaultdict(VarianceTotal)
    for each in sums:
        total = found[each.measure, each.period, each.currency]
        total.budget += each.budget
        total.forecast += each.forecast
        total.compared += each.compared
        total.over += each.over
    return {name: found[name] for name in sorted(found, key=_variance_order)}


def _figure_order(name: FigureName) -> tuple[object, ...]:
    measure, kind, period = name
    return measure != "cost", kind, period != WHOLE_LIFE, period


def _variance_order(name: VarianceName) -> tuple[object, ...]:
    measure, period, currency = name
    return measure != "cost", period != WHOLE_LIFE, period, currency
