"""What `steerco up` prints when the edition is ready."""

from collections.abc import Sequence
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

from steerco.edition.proof import Json, Proof, portfolio, units_of


async def three_scopes(client: httpx.AsyncClient) -> Sequence[Json]:
    """The enterprise, the business unit with the most projects, and its department with the most."""
    enterprise = await portfolio(client, "enterprise")
    found = [enterprise]
    for _ in range(2):
        children = [each for each in found[-1]["units"] if not each.get("direct")]
        if not children:
            break
        largest = max(children, key=lambda each: each["projects"])
        found.append(await portfolio(client, largest["unit"]["code"]))
    return found


async def is_empty(client: httpx.AsyncClient) -> bool:
    """Whether nothing has been opened yet."""
    return not await units_of(client)


def money(amount: str, currency: str) -> str:
    """An amount in whole units, such as `1,250,000 EUR`."""
    return f"{float(amount):,.0f} {currency}"


def _budget(answer: Json, measure: str) -> str:
    lines = [
        money(amount["amount"], amount["currency"])
        for figure in answer["totals"]["figures"]
        if (figure["measure"], figure["kind"], figure["period"]) == (measure, "budget", "whole_life")
        for amount in figure["amounts"]
    ]
    return "\n".join(lines) or "not stated"


def _variances(answer: Json) -> str:
    lines = [
        f"{money(each['variance'], each['currency'])} ({each['period'].replace('_', ' ')})"
        for each in answer["totals"]["variances"]
        if each["measure"] == "cost"
    ]
    return "\n".join(lines) or "none to compare"


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items() if count) or "none"


def side_by_side(answers: Sequence[Json]) -> Table:
    """A table with a column per scope."""
    table = Table(title="One log, three scopes", title_justify="left", show_lines=False)
    table.add_column("")
    for answer in answers:
        scope = answer["scope"]
        table.add_column(f"{scope['name']}\n[dim]{scope['kind'].replace('_', ' ')} {scope['code']}[/dim]")

    def row(title: str, cell: Any) -> None:
        table.add_row(title, *(cell(answer) for answer in answers))

    row("Projects", lambda a: str(a["totals"]["projects"]))
    row("by state", lambda a: _counts(a["totals"]["by_state"]))
    row("Whole-life budget", lambda a: _budget(a, "cost"))
    row("Whole-life benefits", lambda a: _budget(a, "benefit"))
    row("Forecast − budget", _variances)
    row("Open risks", lambda a: _counts(a["totals"]["risks"]))
    row("Training obligations", lambda a: _counts(a["totals"]["obligations"]))
    return table


def proof_line(proof: Proof) -> str:
    """The proof in one line."""
    if proof.differences:
        return f"[red]NOT equal: {'; '.join(proof.differences)}[/red]"
    return (
        f"{proof.departments} departments = {proof.units} units = enterprise"
        f" at each of {proof.months} month ends; {proof.events:,} events"
    )


def say_ready(console: Console, url: str, commands: Sequence[str]) -> None:
    """The commands to paste, the address, and how to stop."""
    console.print("\nTry in another terminal:")
    for command in commands:
        console.print(f"  [bold]{command}[/bold]", highlight=False)
    console.print(f"\nready at [bold]{url}[/bold] (API docs: {url}/portfolio/docs)", highlight=False)
    console.print("stop with Ctrl-C; the data stays")
