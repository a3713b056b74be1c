"""`steerco doctor`: is the edition well? Each check is one line, with what to do next where it is not."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.markup import escape

from steerco.client import local_directory
from steerco.commands.said import console

if TYPE_CHECKING:
    from steerco.doctor.findings import Finding

MARKS = {"fine": "[green]✓[/]", "look": "[yellow]![/]", "failing": "[red]✗[/]"}


def doctor(
    as_format: Annotated[Literal["table", "json"], typer.Option("--format", help="How to print it.")] = "table",
) -> None:
    """Check versions, disk, logs, consumers, what is parked and what fails. Exits with 1 if something fails (✗)."""
    from steerco.doctor.asking import ask_the_edition
    from steerco.doctor.findings import worst
    from steerco.doctor.looking import look_around
    from steerco.edition.directory import DataDirectory

    found = [*look_around(DataDirectory(local_directory())), *ask_the_edition()]
    if as_format == "json":
        console.print_json(data=[asdict(each) for each in found])
    else:
        _print(found)
    if worst(found) == "failing":
        raise typer.Exit(1)


def _print(found: "Sequence[Finding]") -> None:
    for each in found:
        then = f" → {escape(each.then)}" if each.then else ""
        console.print(
            f"{MARKS[each.grade]} {escape(each.subject)}: {escape(each.said)}{then}", highlight=False, soft_wrap=True
        )
    counted = {grade: sum(each.grade == grade for each in found) for grade in MARKS}
    console.print(
        f"{counted['fine']} fine, {counted['look']} to look at, {counted['failing']} failing", highlight=False
    )
