"""`steerco log timers`: what is due in which service, and making it anew from the log."""

from datetime import datetime
from typing import Annotated, Any, Literal

import typer
from rich.table import Table

from steerco.client import connected
from steerco.commands.instants import to_the_second
from steerco.commands.log import Services
from steerco.commands.said import console, told
from steerco.logs import chosen

timers = typer.Typer(no_args_is_help=True, help="What is due, and when.")


@timers.command("list")
def list_timers(
    services: Services = None,
    failing: Annotated[bool, typer.Option("--failing", help="Only those that can't be fired.")] = False,
    format: Annotated[Literal["table", "json"], typer.Option("--format")] = "table",
) -> None:
    """What is due in the services, in the order in which it is due."""
    asked = {"failing": "true"} if failing else {}
    with told(), connected() as client:
        found = [
            {"service": service} | timer
            for service in chosen(services)
            for timer in client.pages(f"/{service}/log/timers", **asked)
        ]
        found.sort(key=lambda timer: datetime.fromisoformat(timer["due_at"]))
        if format == "json":
            console.print_json(data=found)
            return
        if not found:
            console.print("nothing fails" if failing else "nothing is due")
            return
        table = Table("due", "service", "stream", "name", "fails")
        for timer in found:
            table.add_row(*_row(timer))
        console.print(table)


def _row(timer: Any) -> list[str]:
    fails = f"{timer['attempts']} times: {timer['error']}" if timer["attempts"] else ""
    return [to_the_second(timer["due_at"]), timer["service"], timer["stream"], timer["name"], fails]


@timers.command("rebuild")
def rebuild_timers(services: Services = None) -> None:
    """Make the timers anew from the logs. What was fired already is not doubled; commands go on meanwhile."""
    with told(), connected() as client:
        for service in chosen(services):
            rebuilt = client.command("POST", f"/{service}/log/timers/rebuild", {}).json()
            console.print(
                f"{service}: {rebuilt['timers']:,} timers, {rebuilt['added']:,} added, {rebuilt['removed']:,} removed",
                highlight=False,
            )
