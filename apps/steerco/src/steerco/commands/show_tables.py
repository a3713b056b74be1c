"""A portfolio as tables that a project lead reads at a glance."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import groupby
from operator import itemgetter

from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table

from steerco.commands.figures import Json, Line, amount, counts, figure_rows, lines_of, signed
from steerco.commands.instants import day_of, shown
from steerco.commands.said import words


def tables_of(answer: Json, is_past: bool) -> Iterator[RenderableType]:
    """Heading, totals, a line per child unit, then month ends and overspends if they were asked for."""
    yield _heading(answer, is_past)
    yield _totals(answer["totals"])
    if answer["units"]:
        yield _units(answer)
    if answer.get("months") is not None:
        yield _months(answer)
    if answer.get("over") is not None:
        yield _overspends(answer)


def _heading(answer: Json, is_past: bool) -> str:
    scope = answer["scope"]
    known = " [dim](what happened just before may still come)[/dim]" if is_past and not answer["complete"] else ""
    kind = words(scope["kind"])
    return (
        f"\n[bold]{escape(scope['name'])}[/bold] · {kind} {scope['code']} · as of {shown(answer['as_of'])} UTC{known}"
    )


_NUMBERS = frozenset({"projects", "budget", "forecast", "variance", "over"})


def _table(title: str, *columns: str) -> Table:
    """A table; its numbers are never broken."""
    table = Table(title=title, title_justify="left", title_style="bold")
    for column in columns:
        is_number = column in _NUMBERS
        table.add_column(column, justify="right" if is_number else "left", no_wrap=is_number, overflow="fold")
    return table


def _totals(totals: Json) -> Table:
    table = _table("Totals", "", "", "of")
    table.add_row("Projects", str(totals["projects"]), counts(totals["by_state"]))
    for assessor, ratings in totals["assessments"].items():
        table.add_row(f"Rated by {escape(assessor)}", "", counts(ratings))
    for what, amounts, coverage in figure_rows(totals):
        table.add_row(what[0].upper() + what[1:], amounts, coverage)
    if totals["withheld"]:
        table.add_row("Actual cost", totals["withheld"], "")
    for period, costs in groupby(totals["actual_costs"] or (), key=itemgetter("period")):
        amounts = "\n".join(f"{amount(Decimal(each['amount']))} {each['currency']}" for each in costs)
        table.add_row(f"Actual cost, {words(period)}", amounts, "")
    table.add_row("Open risks", str(sum(totals["risks"].values())), counts(totals["risks"]))
    table.add_row("Training obligations", str(sum(totals["obligations"].values())), counts(totals["obligations"]))
    table.add_row("Pitches", str(sum(totals["pitches"].values())), counts(totals["pitches"]))
    return table


def _cells(line: Line) -> tuple[str, ...]:
    compared = f"{line.over} of {line.compared}" if line.compared else "–"
    period = f"{words(line.period)}, {line.currency}"
    return period, amount(line.budget), amount(line.forecast), signed(line), compared


_LINE = ("cost", "budget", "forecast", "variance", "over")


def _units(answer: Json) -> Table:
    table = _table("By unit", "unit", "", "projects", *_LINE)
    for unit in answer["units"]:
        code = f"{unit['unit']['code']} itself" if unit.get("direct") else unit["unit"]["code"]
        first = (code, escape(unit["unit"]["name"]), str(unit["projects"]))
        lines: Sequence[Line | None] = lines_of(unit) or [None]
        for n, line in enumerate(lines):
            begin = first if n == 0 else ("", "", "")
            table.add_row(*begin, *(_cells(line) if line else ("not stated", "–", "–", "–", "–")))
    table.caption = "variance = forecast − budget of the projects that disclose both; over = how many of them exceed it"
    return table


def _months(answer: Json) -> Table:
    table = _table("By month", "end", "projects", *_LINE, "units over budget")
    for month in answer["months"]:
        lines: Sequence[Line | None] = [line for line in lines_of(month) if line.compared] or [None]
        for n, line in enumerate(lines):
            begin = (day_of(month["end"]), str(month["projects"])) if n == 0 else ("", "")
            cells = _cells(line) if line else ("nothing to compare", "–", "–", "–", "–")
            table.add_row(*begin, *cells, (line and _units_over(month, line)) or "–")
    return table


def _units_over(month: Json, line: Line) -> str:
    found = {
        f"{unit['code']} +{amount(Decimal(each['variance']))}"
        for unit in month["units"]
        for each in unit["variances"]
        if (each["measure"], each["period"], each["currency"]) == (line.measure, line.period, line.currency)
        and Decimal(each["variance"]) > 0
    }
    return "\n".join(sorted(found))


def _overspends(answer: Json) -> RenderableType:
    if not answer["over"]:
        return "No project's forecast exceeds its budget."
    table = _table("Projects over budget", "project", "", "unit", "since", *_LINE[:4])
    for found in answer["over"]:
        table.add_row(
            found["code"],
            escape(found["title"]),
            found["unit_code"],
            day_of(found["since"]),
            f"{words(found['period'])}, {found['currency']}",
            amount(Decimal(found["budget"])),
            amount(Decimal(found["forecast"])),
            f"[red]+{amount(Decimal(found['variance']))}[/red]",
        )
    return table
