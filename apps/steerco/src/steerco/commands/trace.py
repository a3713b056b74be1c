"""`steerco trace`: what a command led to, across the services, drawn in the terminal."""

from typing import Annotated

import typer

from steerco.client import CommandFailed
from steerco.commands.said import console, told
from steerco.traces.asking import asked_for
from steerco.traces.drawing import drawn
from steerco.traces.last import remembered
from steerco.traces.spans import TRACE_ID

LAST = "last"


def trace(
    trace_id: Annotated[
        str, typer.Argument(metavar="[TRACE]", help="The trace's id, as errors and answers tell it; or `last`.")
    ] = LAST,
) -> None:
    """Draw a trace: by default that of the last command that was sent from here."""
    with told():
        named = _last() if trace_id == LAST else trace_id.lower()
        if not TRACE_ID.fullmatch(named):
            raise CommandFailed(f"{trace_id!r} is no trace; one has 32 hexadecimal digits")
        console.print(drawn(named, asked_for(named), console.width), highlight=False, soft_wrap=True)


def _last() -> str:
    found = remembered()
    if found is None:
        raise CommandFailed("no command was sent from here yet; name a trace by its id")
    return found
