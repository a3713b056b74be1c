"""`steerco story`: all that happened to a project, across the services."""

from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from steerco.client import connected, segment
from steerco.commands.instants import instant_of, shown
from steerco.commands.said import console, told, words
from steerco.commands.show import Format
from steerco_events.clock import SystemClock


def story(
    project: Annotated[str, typer.Argument(help="The project's code or id.")],
    as_of: Annotated[str | None, typer.Option("--as-of", help="The story as it was known then.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help=f"Print it as {Format.json.value}.")] = False,
) -> None:
    """Tell a project's story: from its pitch or import to today, each line an event, who did it and why."""
    with told(), connected() as client:
        at = instant_of(as_of, SystemClock().now()).isoformat() if as_of else None
        answer = client.get(f"/reporting/stories/{segment(project)}", {"as_of": at})
        if as_json:
            console.print_json(data=answer)
            return
        state, unit = words(answer["state"]), answer["unit_code"]
        console.print(f"\n[bold]{answer['code']} {escape(answer['title'])}[/bold] · {state} · {unit}", highlight=False)
        table = Table("at (UTC)")
        for title, ratio in (("what happened", 3), ("who", 2), ("why", 2)):
            table.add_column(title, ratio=ratio)
        for line in answer["lines"]:
            who, why = _who(line["who"]), line["why"] or ""
            table.add_row(shown(line["at"]), escape(line["what"]), escape(who), escape(why))
        console.print(table, highlight=False)


def _who(who: dict[str, str | None]) -> str:
    """The job title, and on whose behalf, if on somebody else's."""
    job_title = words(who["job_title"] or "")
    return f"{job_title}, on behalf of {who['on_behalf_of']}" if who["on_behalf_of"] else job_title
