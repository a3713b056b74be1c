"""`steerco show portfolio`: a scope's totals, a line per child unit, month ends, overspends."""

from enum import StrEnum
from typing import Annotated

import typer

from steerco.client import connected
from steerco.commands.instants import instant_of
from steerco.commands.said import console, told
from steerco.commands.show_csv import csv_of
from steerco.commands.show_tables import tables_of
from steerco_events.clock import SystemClock


class Format(StrEnum):
    """How the answer is printed."""

    table = "table"
    json = "json"
    csv = "csv"


class By(StrEnum):
    """What the time is cut into."""

    month = "month"


def show_portfolio(
    scope: Annotated[str, typer.Option("--scope", help="A unit's code, or `enterprise`.")],
    as_of: Annotated[
        str | None,
        typer.Option("--as-of", help="What was known then: 2026-03-31T12:00:00Z, 2026-03-31 (its end, UTC) or -90d."),
    ] = None,
    by: Annotated[By | None, typer.Option("--by", help="Add the month ends.")] = None,
    over: Annotated[bool, typer.Option("--over", help="Add the projects behind an overspend.")] = False,
    as_format: Annotated[Format, typer.Option("--format", help="How to print it.")] = Format.table,
) -> None:
    """Show a portfolio at a scope: totals, then budget, forecast and variance of each child unit."""
    with told(), connected() as client:
        at = instant_of(as_of, SystemClock().now()).isoformat() if as_of else None
        asked: dict[str, str | None] = {
            "scope": scope,
            "as_of": at,
            "by": by and by.value,
            "over": "true" if over else None,
        }
        answer = client.get("/reporting/portfolio", asked)
        match as_format:
            case Format.json:
                console.print_json(data=answer)
            case Format.csv:
                typer.echo(csv_of(answer), nl=False)
            case Format.table:
                for part in tables_of(answer, at is not None):
                    console.print(part, highlight=False)
