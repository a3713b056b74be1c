"""What `steerco up` prints when the edition is ready."""

import shlex
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from steerco.commands.figures import amount, counts
from steerco.commands.said import words
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


async def worth_reading(client: httpx.AsyncClient, scopes: Sequence[Json], months: int) -> Sequence[str]:
    """Five commands that show what this portfolio has."""
    code = scopes[min(1, len(scopes) - 1)]["scope"]["code"]
    past = "--as-of -90d" if months > PAST_MONTHS else "--format csv"
    return [
        "show portfolio --scope enterprise --by month --over",
        f"show portfolio --scope enterprise {past}",
        f"show portfolio --scope {code} --over",
        f"story {project}" if (project := await _telling_project(client)) else f"show portfolio --scope {code}",
        "rebuild portfolio_register",
    ]


TO_BEGIN = (
    "import projects examples/register.csv --map examples/uk-major-projects.toml --dry-run",
    "import projects examples/register.csv --map examples/uk-major-projects.toml",
    "show portfolio --scope enterprise",
    "env",
    "--help",
)
"""Five commands for an edition without a unit."""

PAST_MONTHS = 4
"""A log with so many month ends was there ninety days ago."""


async def _telling_project(client: httpx.AsyncClient) -> str | None:
    """The code of a project whose story is worth reading: the one most over its budget, else the first."""
    over = (await portfolio(client, "enterprise", over="true"))["over"]
    if over:
        return str(max(over, key=lambda each: Decimal(each["variance"]))["code"])
    response = await client.get("/portfolio/projects", params={"limit": "1"})
    response.raise_for_status()
    return next((str(each["code"]) for each in response.json()), None)


def _money(text: str, currency: str) -> str:
    return f"{amount(Decimal(text))} {currency}"


def _budget(answer: Json, measure: str) -> str:
    lines = [
        _money(each["amount"], each["currency"])
        for figure in answer["totals"]["figures"]
        if (figure["measure"], figure["kind"], figure["period"]) == (measure, "budget", "whole_life")
        for each in figure["amounts"]
    ]
    return "\n".join(lines) or "not stated"


def _variances(answer: Json) -> str:
    lines = [
        f"{_money(each['variance'], each['currency'])} ({words(each['period'])})"
        for each in answer["totals"]["variances"]
        if each["measure"] == "cost"
    ]
    return "\n".join(lines) or "none to compare"


def side_by_side(answers: Sequence[Json]) -> Table:
    """A table with a column per scope."""
    table = Table(title="One log, three scopes", title_justify="left", show_lines=False)
    table.add_column("")
    for answer in answers:
        scope = answer["scope"]
        table.add_column(f"{escape(scope['name'])}\n[dim]{words(scope['kind'])} {scope['code']}[/dim]")

    def row(title: str, cell: Any) -> None:
        table.add_row(title, *(cell(answer) for answer in answers))

    row("Projects", lambda a: str(a["totals"]["projects"]))
    row("by state", lambda a: counts(a["totals"]["by_state"]))
    row("Whole-life budget", lambda a: _budget(a, "cost"))
    row("Whole-life benefits", lambda a: _budget(a, "benefit"))
    row("Forecast − budget", _variances)
    row("Open risks", lambda a: counts(a["totals"]["risks"]))
    row("Training obligations", lambda a: counts(a["totals"]["obligations"]))
    return table


def proof_line(proof: Proof) -> str:
    """The proof in one line."""
    if proof.differences:
        return f"[red]NOT equal: {'; '.join(proof.differences)}[/red]"
    own = (
        f" and {proof.direct} {'project' if proof.direct == 1 else 'projects'} of no department" if proof.direct else ""
    )
    return (
        f"{proof.departments} departments{own} = {proof.units} units = enterprise"
        f" at each of {proof.months} month ends; {proof.events:,} events"
    )


def say_ready(console: Console, url: str, data_dir: Path | None, commands: Sequence[str]) -> None:
    """The commands to paste, the address, and how to stop. `data_dir` is told where clients would not look for it."""
    command = ".venv/bin/steerco" if Path(".venv/bin/steerco").exists() else "steerco"
    console.print("\nTry in another terminal:")
    if data_dir:
        console.print(f"  [bold]export STEERCO_DATA_DIR={shlex.quote(str(data_dir))}[/bold]", highlight=False)
    for each in commands:
        console.print(f"  [bold]{command} {each}[/bold]", highlight=False, soft_wrap=True)
    console.print(f"\nready at [bold]{url}[/bold] (API docs: {url}/portfolio/docs)", highlight=False)
    console.print("stop with Ctrl-C; the data stays")
