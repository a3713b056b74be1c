"""What `steerco show portfolio` prints of an answer."""

from typing import Any

import pytest
from rich.console import Console

from steerco.commands.show_csv import csv_of
from steerco.commands.show_tables import tables_of

EUROS = {"period": "fiscal_year 2026", "currency": "EUR", "amount": "1250.50"}
FRANCS = {"period": "fiscal_year 2026", "currency": "CHF", "amount": "40.00"}
LATER = {"period": "fiscal_year 2027", "currency": "EUR", "amount": "7.00"}
WITHHELD = "not permitted"


def answered(costs: list[dict[str, str]] | None) -> dict[str, Any]:
    """The answer for a scope with these costs; `None`: they are withheld."""
    totals: dict[str, Any] = {"projects": 1, "by_state": {"executing": 1}, "assessments": {}, "figures": []}
    totals |= {"variances": [], "actual_costs": costs, "withheld": WITHHELD if costs is None else None}
    totals |= {"risks": {}, "obligations": {}, "pitches": {}}
    scope = {"code": "LIC", "name": "Licensing", "kind": "business_unit"}
    cut = {"as_of": "2026-03-31T12:00:00Z", "complete": True}
    return {**cut, "scope": scope, "totals": totals, "units": []}


def rows_of_costs(answer: dict[str, Any]) -> list[list[str]]:
    """The cells of the rows about actual costs, and of those that go on with their amounts."""
    console = Console(width=120, no_color=True)
    with console.capture() as printed:
        for part in tables_of(answer, is_past=False):
            console.print(part, highlight=False)
    lines = [line.strip("│ \n") for line in printed.get().splitlines()]
    rows = [[cell.strip() for cell in line.split("│")] for line in lines if line and "─" not in line]
    return [row[:2] for row in rows if row[0].startswith("Actual cost") or row[0] == "40 CHF"]


@pytest.mark.parametrize(
    ("costs", "rows"),
    [
        (
            [EUROS, FRANCS, LATER],
            [["Actual cost, fiscal year 2026", "1,250.50 EUR"], ["40 CHF"], ["Actual cost, fiscal year 2027", "7 EUR"]],
        ),
        ([], []),
        (None, [["Actual cost", WITHHELD]]),
    ],
)
def test_costs_are_a_row_by_period_or_why_they_are_withheld(
    costs: list[dict[str, str]] | None, rows: list[list[str]]
) -> None:
    assert [[cell for cell in row if cell] for row in rows_of_costs(answered(costs))] == rows


def test_a_spreadsheet_has_no_costs_and_so_is_the_same_where_they_are_withheld() -> None:
    assert csv_of(answered(None)) == csv_of(answered([EUROS]))
