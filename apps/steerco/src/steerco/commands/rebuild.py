"""`steerco rebuild`: a view is built anew beside the live one."""

import time
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from steerco.client import CommandFailed, connected
from steerco.commands.said import console, told

VIEWS = {
    "intake": "intake",
    "portfolio": "portfolio",
    "finance": "finance",
    "risk": "risk",
    "training": "training",
    "portfolio_register": "reporting",
}
POLL_SECONDS = 0.2


def rebuild(view: Annotated[str, typer.Argument(help=f"One of {', '.join(VIEWS)}.")]) -> None:
    """Build a view anew from the first event; the old one answers until the new one has all of it."""
    with told(), connected() as client:
        service = VIEWS.get(view)
        if service is None:
            raise CommandFailed(f"there is no view {view!r}; there is {', '.join(VIEWS)}")
        path = f"/{service}/views/{view}"
        events = _position(_live(client.get(path)))
        begun = client.command("POST", f"{path}/rebuild", {}).json()
        columns = (TextColumn("building anew"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
        with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
            task = progress.add_task("", total=max(1, events))
            while _live(state := client.get(path))["build"] < begun["build"]:
                progress.update(task, completed=_position(_building(state, begun["build"])))
                time.sleep(POLL_SECONDS)
        live = _live(client.get(path))
        console.print(f"{view}: build {live['build']} is live, made of {_position(live):,} positions", highlight=False)


def _live(state: Any) -> Any:
    return next(build for build in state["builds"] if build["state"] == "live")


def _building(state: Any, number: int) -> Any:
    return next((build for build in state["builds"] if build["build"] == number), {"progress": []})


def _position(build: Any) -> int:
    return sum(each["position"] for each in build["progress"])
