"""Figures as people read them, and lines of budget, forecast and variance."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from steerco.commands.said import words
from steerco_events.contracts.values import WHOLE_LIFE

type Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Line:
    """Budget, forecast and variance of a measure in a period and currency; absent amounts are `None`.

    With a variance, all three are of the projects that disclose both; without one, they are plain totals.
    """

    measure: str
    period: str
    currency: str
    budget: Decimal | None
    forecast: Decimal | None
    variance: Decimal | None
    compared: int
    over: int

    @property
    def is_over(self) -> bool:
        """Whether more is expected than was budgeted."""
        return self.measure == "cost" and self.variance is not None and self.variance > 0


def lines_of(answer: Json, measure: str = "cost") -> Sequence[Line]:
    """The lines of a scope or a unit, by period and currency."""
    totals = {
        (figure["kind"], figure["period"], amount["currency"]): Decimal(amount["amount"])
        for figure in answer["figures"]
        if figure["measure"] == measure
        for amount in figure["amounts"]
    }
    compared = {(each["period"], each["currency"]): each for each in answer["variances"] if each["measure"] == measure}
    return [
        _line(measure, period, currency, totals, compared.get((period, currency)))
        for period, currency in sorted({(period, currency) for _, period, currency in totals}, key=_whole_life_first)
    ]


def _whole_life_first(line: tuple[str, str]) -> tuple[bool, str, str]:
    period, currency = line
    return period != WHOLE_LIFE, period, currency


def _line(
    measure: str, period: str, currency: str, totals: Mapping[tuple[str, str, str], Decimal], found: Json | None
) -> Line:
    if found is None:
        budget, forecast = (totals.get((kind, period, currency)) for kind in ("budget", "forecast"))
        return Line(measure, period, currency, budget, forecast, None, 0, 0)
    return Line(
        measure,
        period,
        currency,
        Decimal(found["budget"]),
        Decimal(found["forecast"]),
        Decimal(found["variance"]),
        found["compared"],
        found["over"],
    )


def amount(value: Decimal | None) -> str:
    """An amount with thousands separators, in whole units where it is whole."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if value == value.to_integral_value() else f"{value:,.2f}"


def signed(line: Line) -> str:
    """A variance with its sign, colored: red is over budget."""
    if line.variance is None:
        return "–"
    text = amount(line.variance) if line.variance <= 0 else f"+{amount(line.variance)}"
    return f"[red]{text}[/red]" if line.is_over else text


def coverage(figure: Json) -> str:
    """How many projects stand behind a total, in words."""
    parts = [f"{figure['disclosed']} disclosed"]
    parts += [f"{figure[kind]} {words(kind)}" for kind in ("undisclosed", "not_stated") if figure[kind]]
    return ", ".join(parts)


def counts(found: Mapping[str, int]) -> str:
    """Counts by name, in words; what is 0 is left out."""
    return ", ".join(f"{count} {words(name)}" for name, count in found.items() if count) or "none"


def figure_rows(answer: Json) -> Iterator[tuple[str, str, str]]:
    """What, how much, and of how many, for each figure of a scope's totals."""
    for figure in answer["figures"]:
        what = f"{figure['measure']} {figure['kind']}, {words(figure['period'])}"
        amounts = "\n".join(f"{amount(Decimal(each['amount']))} {each['currency']}" for each in figure["amounts"])
        yield what, amounts or "–", coverage(figure)
