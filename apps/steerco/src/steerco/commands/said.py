"""How commands talk: results on stdout, one clear line on stderr when they fail."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console

from steerco.client import CommandFailed

PIPE_WIDTH = 140
"""Columns for a reader that has no width of its own: no word of a table is broken."""

console = Console(width=None if sys.stdout.isatty() or os.environ.get("COLUMNS") else PIPE_WIDTH)


@contextmanager
def told() -> Iterator[None]:
    """A `CommandFailed` inside becomes its line on stderr and its exit status."""
    try:
        yield
    except CommandFailed as failure:
        typer.echo(f"steerco: {failure}", err=True)
        raise typer.Exit(failure.code) from failure
    except BrokenPipeError:
        raise typer.Exit(1) from None


def words(name: str) -> str:
    """A wire name as people write it: `business_unit` as `business unit`."""
    return name.replace("_", " ")
