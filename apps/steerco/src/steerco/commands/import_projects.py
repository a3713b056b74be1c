"""`steerco import projects`: a register that is kept elsewhere becomes projects, units, ratings and figures."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from steerco.client import Client, connected
from steerco.commands.said import console, told
from steerco.register_import.entries import Found, entries_of
from steerco.register_import.memory import KeptMemory
from steerco.register_import.organization import Units, units_for
from steerco.register_import.plan import Plan, Step, plan
from steerco.register_import.present import present
from steerco.register_import.register_file import read_rows
from steerco.register_import.register_map import RegisterMap, read_map
from steerco.register_import.report import Report, lines_of
from steerco.register_import.sending import open_units, send


def import_projects(
    file: Annotated[Path, typer.Argument(help="The register, as CSV.")],
    by_map: Annotated[Path, typer.Option("--map", help="The TOML file that says what its columns mean.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check and compare; send nothing.")] = False,
) -> None:
    """Import a register of projects. Running it again changes only what the register changed.

    Exits with 0 when all is loaded, 1 when rows were refused or are unfinished, 2 when the file was refused.
    """
    with told():
        register = read_map(by_map)
        found = entries_of(read_rows(file, register), register)
        with connected() as client:
            report = _imported(client, register, found, dry_run)
        for line in lines_of(report):
            console.print(line, highlight=False, markup=False, soft_wrap=True)
    if report.status:
        raise typer.Exit(report.status)


def _imported(client: Client, register: RegisterMap, found: Found, dry_run: bool) -> Report:
    there = present(client, register.source)
    units = units_for(found.entries, there.units, register)
    memory = KeptMemory(client.at.notes, register.source)
    planned = plan(found, there, units, register, memory.said)
    if dry_run:
        return Report(found, units, planned, planned.steps, planned.refused, None, True)
    return _send(client, found, units, planned, memory)


def _send(client: Client, found: Found, units: Units, planned: Plan, memory: KeptMemory) -> Report:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("loading rows", total=len(planned.steps))

        def finished(steps: Sequence[Step]) -> None:
            memory.remember(step.entry for step in steps)
            progress.advance(task, len(steps))

        open_units(client, units)
        unchanged = [step for step in planned.steps if not step.changes]
        finished(unchanged)
        sent = send(client, [step for step in planned.steps if step.changes], finished)
    if sent.seen.seen and not sent.lost:
        client.get("/reporting/sources", after=sent.seen)
    refused = sorted([*planned.refused, *sent.refused], key=lambda each: each.row)
    return Report(found, units, planned, [*unchanged, *sent.done], refused, sent.lost, False)
