"""`steerco import projects`: a register that is kept elsewhere becomes projects, units, ratings and figures."""

from pathlib import Path
from typing import Annotated

import typer

from steerco.client import connected
from steerco.commands.said import console, told


def import_projects(
    file: Annotated[Path, typer.Argument(help="The register, as CSV.")],
    by_map: Annotated[Path, typer.Option("--map", help="The TOML file that says what its columns mean.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check and compare; send nothing.")] = False,
) -> None:
    """Import a register of projects. Running it again changes only what the register changed.

    Exits with 0 when all is loaded, 1 when rows were refused or are unfinished, 2 when the file was refused.
    """
    from steerco.register_import.importing import Register
    from steerco.register_import.report import lines_of

    with told():
        register = Register(file, by_map)
        with connected() as client:
            report = register.load(client, console, dry_run=dry_run)
        for line in lines_of(report):
            console.print(line, highlight=False, markup=False, soft_wrap=True)
    if report.status:
        raise typer.Exit(report.status)
