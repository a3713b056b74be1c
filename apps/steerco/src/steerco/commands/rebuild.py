"""`steerco rebuild`: a view is built anew beside the live one; and back again."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn

from steerco.client import Client, CommandFailed, connected
from steerco.commands.said import console, told
from steerco.views import VIEWS

POLL_SECONDS = 0.2
INTERRUPTED = 130


def rebuild(
    views: Annotated[list[str], typer.Argument(metavar="VIEW...", help=f"Of {', '.join(VIEWS)}.")],
    rollback: Annotated[bool, typer.Option("--rollback", help="Go back to the build that was live before.")] = False,
    cancel: Annotated[bool, typer.Option("--cancel", help="Give up the build that is being made.")] = False,
    accept_parked: Annotated[
        bool, typer.Option("--accept-parked", help="Let it go live although it has streams parked.")
    ] = False,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Begin, and don't wait until it is live.")] = False,
) -> None:
    """Build views anew from the first event; the old ones answer until the new ones have all of it."""
    with told():
        if rollback + cancel + accept_parked > 1:
            raise CommandFailed("of --rollback, --cancel and --accept-parked one at a time")
        paths = {view: _path(view) for view in views}
        with connected() as client:
            if cancel:
                for view, path in paths.items():
                    client.command("DELETE", f"{path}/rebuild", {})
                    _say(f"{view}: the build that was being made is given up")
                return
            what = "rollback" if rollback else "accept" if accept_parked else "rebuild"
            begun = {view: client.command("POST", f"{path}/{what}", {}).json() for view, path in paths.items()}
            for view, build in begun.items() if no_wait else ():
                _say(f"{view}: build {build['build']} is being made; `steerco rebuild {view}` waits for it")
            if not no_wait:
                until_live(client, paths, {view: build["build"] for view, build in begun.items()})


def _path(view: str) -> str:
    if view not in VIEWS:
        raise CommandFailed(f"there is no view {view!r}; there is {', '.join(VIEWS)}")
    return f"/{VIEWS[view]}/views/{view}"


def _say(line: str) -> None:
    console.print(line, highlight=False, soft_wrap=True)


def until_live(client: Client, paths: dict[str, str], numbers: dict[str, int]) -> None:
    """Show how far these builds have come until they are live. Raises `CommandFailed` for one that won't be."""
    began = time.monotonic()
    try:
        with _bars(list(paths)) as bars:
            waiting = dict(paths)
            while waiting:
                for view, path in list(waiting.items()):
                    if live := bars.show(view, client.get(path), numbers[view]):
                        del waiting[view]
                        seconds = time.monotonic() - began
                        made = sum(each["position"] for each in live["progress"])
                        _say(
                            f"{view}: build {live['build']} is live, made of {made:,} positions, after {seconds:.1f} s"
                        )
                if waiting:
                    time.sleep(POLL_SECONDS)
    except KeyboardInterrupt:
        for view in waiting:
            _say(f"{view}: the rebuild goes on; `steerco rebuild {view}` joins it, --cancel gives it up")
        raise typer.Exit(INTERRUPTED) from None


class _Bars:
    """A bar for each view."""

    def __init__(self, progress: Progress, views: Sequence[str]) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {view: progress.add_task(view, total=None, left="") for view in views}

    def show(self, view: str, state: Any, number: int) -> Any:
        """How far build `number` has come; the build, once it is live. Raises `CommandFailed` if it never will be."""
        build = next((each for each in state["builds"] if each["build"] == number), None)
        if build is None:
            raise CommandFailed(f"{view}: build {number} was given up")
        if build["state"] == "live":
            self._progress.update(self._tasks[view], total=1, completed=1, left="live")
            return build
        way = build["way"]
        if way["waits_for"]:
            raise CommandFailed(
                f"{view}: build {number} has all events, but {way['waits_for']}; see `steerco log parked list`, then"
                f" `steerco rebuild {view} --accept-parked`, or --cancel"
            )
        self._progress.update(self._tasks[view], total=way["goal"], completed=way["applied"], left=way_left(way))
        return None


def way_left(way: Any) -> str:
    """What is said behind a bar: how fast it goes and how long it will take, or what else is done."""
    if way["doing"]:
        return str(way["doing"])
    if way["rate"] is None:
        return "waits for a worker" if way["began_at"] is None else ""
    rate = f"{way['rate']:,.0f} events/s"
    if way["seconds_left"] is None:
        return rate
    return f"{rate}, {timedelta(seconds=round(way['seconds_left']))} left"


@contextmanager
def _bars(views: Sequence[str]) -> Iterator[_Bars]:
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[left]}"))
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        yield _Bars(progress, views)
