"""`steerco log parked`: what consumers could not digest, and letting it be tried again."""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from steerco.client import Client, CommandFailed, NotThere, connected, segment
from steerco.commands.instants import to_the_second
from steerco.commands.said import console, told

parked = typer.Typer(
    no_args_is_help=True, help="Streams that a consumer could not digest, with what came of them since."
)

POLL_SECONDS = 0.2
PATIENCE_SECONDS = 60.0

Service = Annotated[str | None, typer.Option("--service", help="Of this service's consumers only.")]
Consumer = Annotated[str | None, typer.Option("--consumer", help="Of this consumer only, such as a view's build.")]
Stream = Annotated[str, typer.Argument(help="The stream, such as `budget-0198…`, as the list has it.")]
Format = Annotated[Literal["table", "json"], typer.Option("--format", help="How to print it.")]


@dataclass(frozen=True, slots=True)
class Parked:
    """A parked stream, and the service whose consumer it is."""

    at: str
    state: Any

    @property
    def path(self) -> str:
        """Where it is."""
        names = (self.state["consumer"], self.state["service"], self.state["stream"])
        return f"/{self.at}/log/parked/" + "/".join(segment(name) for name in names)

    @property
    def as_json(self) -> Any:
        """What the service answered, and which service that was."""
        return {"of_service": self.at, **self.state}

    @property
    def name(self) -> str:
        """What it is called in an answer."""
        return f"{self.state['stream']} of {self.state['service']} for {self.state['consumer']}"


@parked.command("list")
def list_parked(service: Service = None, consumer: Consumer = None, as_format: Format = "table") -> None:
    """List the parked streams of all services."""
    with told(), connected() as client:
        found = list(_parked(client, service, consumer))
        if as_format == "json":
            console.print_json(data=[each.as_json for each in found])
        else:
            console.print(_table(found) if found else "nothing is parked", highlight=False)


def _table(found: Sequence[Parked]) -> Table:
    table = Table("consumer", "log")
    table.add_column("stream", no_wrap=True)
    table.add_column("waiting", justify="right", no_wrap=True)
    table.add_column("why the first event can't be digested", overflow="fold")
    for each in found:
        state = each.state
        table.add_row(state["consumer"], state["service"], escape(state["stream"]), f"{state['events']:,}", _why(state))
    return table


def _why(state: Any) -> str:
    asked = f" ({state['asked']} is asked for)" if state["asked"] else ""
    return escape(state["error"]) + asked


@parked.command("show")
def show_parked(
    stream: Stream, service: Service = None, consumer: Consumer = None, as_format: Format = "table"
) -> None:
    """Show the events of a parked stream that wait, with their data."""
    with told(), connected() as client:
        found = _of_stream(client, stream, service, consumer)
        shown = [client.get(each.path) for each in found]
        if as_format == "json":
            console.print_json(data=shown)
            return
        for each, detail in zip(found, shown, strict=True):
            tried = f"parked since {to_the_second(detail['parked_at'])} UTC, tried {detail['attempts']} times"
            console.print(f"{each.name}: {tried}", highlight=False, markup=False, soft_wrap=True)
            console.print(_why(detail), highlight=False, soft_wrap=True)
            table = Table("position", "type", "at", "by", "data")
            for event in detail["waiting"]:
                table.add_row(*_event(event))
            console.print(table, highlight=False)
            if detail["events"] > len(detail["waiting"]):
                console.print(f"and {detail['events'] - len(detail['waiting']):,} more", highlight=False)


def _event(event: Any) -> list[str]:
    data = json.dumps(event["data"], ensure_ascii=False) if "data" in event else f"no JSON: {event['data_base64']}"
    _, _, job_title = event["actor"].partition(" ")
    return [str(int(event["sequence"])), event["type"], to_the_second(event["time"]), escape(job_title), escape(data)]


@parked.command("retry")
def retry_parked(
    streams: Annotated[list[str] | None, typer.Argument(metavar="[STREAM]...", help="The streams.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every stream that is parked.")] = False,
    service: Service = None,
    consumer: Consumer = None,
) -> None:
    """Try parked streams again, in the order of their events; exits with 1 if one still fails."""
    with told():
        if bool(streams) == every:
            raise CommandFailed("name the streams, or say --all", 2)
        with connected() as client:
            found = [*_parked(client, service, consumer)] if every else _named(client, streams or [], service, consumer)
            for each in found:
                client.command("POST", f"{each.path}/retry", {})
            if not found:
                console.print("nothing is parked")
            _until_done(client, found)


@parked.command("skip")
def skip_parked(
    stream: Stream,
    reason: Annotated[str, typer.Option("--reason", help="Why the event may be left out; kept with it.")],
    service: Service = None,
    consumer: Consumer = None,
) -> None:
    """Leave the first event of a parked stream out for good, then try the others; exits with 1 if one fails."""
    with told(), connected() as client:
        found = _of_stream(client, stream, service, consumer)
        if len(found) > 1:
            names = ", ".join(each.state["consumer"] for each in found)
            raise CommandFailed(f"{stream} is parked for {names}; name one with --consumer")
        (it,) = found
        client.command("POST", f"{it.path}/skip", {"reason": reason, "first": it.state["first"]})
        left_out = f"{it.name}: the event at position {it.state['first']:,} is left out"
        console.print(left_out, highlight=False, markup=False, soft_wrap=True)
        _until_done(client, found)


@parked.command("skipped")
def list_skipped(
    service: Service = None,
    consumer: Consumer = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=500, help="How many of each service, the last.")] = 50,
    as_format: Format = "table",
) -> None:
    """List the events that were left out for good, with who wanted it so and why; the last first."""
    asked = {"limit": str(limit)} | ({"consumer": consumer} if consumer else {})
    with told(), connected() as client:
        found = [
            {"of_service": at, **each}
            for at in _services(client, service)
            for each in client.get(f"/{at}/log/parked/skipped", asked)
        ]
        if as_format == "json":
            console.print_json(data=found)
        else:
            console.print(_skipped(found) if found else "nothing was left out", highlight=False)


def _skipped(found: Sequence[Any]) -> Table:
    table = Table("left out for", "log")
    table.add_column("stream", no_wrap=True)
    table.add_column("position", justify="right", no_wrap=True)
    for name in ("at", "by", "why"):
        table.add_column(name, overflow="fold")
    for each in found:
        position, at = f"{each['position']:,}", to_the_second(each["skipped_at"])
        names = (each["skipped_for"], each["service"], escape(each["stream"]))
        table.add_row(*names, position, at, each["skipped_by"], escape(each["reason"]))
    return table


def _services(client: Client, service: str | None) -> Sequence[str]:
    """All services, or the one that is meant. Raises `CommandFailed` if that is not there."""
    services = client.services()
    if service is None:
        return services
    if service not in services:
        raise CommandFailed(f"there is no service {service!r}; there is {', '.join(services)}")
    return [service]


def _parked(client: Client, service: str | None, consumer: str | None) -> Iterator[Parked]:
    for at in _services(client, service):
        for state in client.get(f"/{at}/log/parked"):
            if consumer in (None, state["consumer"]):
                yield Parked(at, state)


def _of_stream(client: Client, stream: str, service: str | None, consumer: str | None) -> Sequence[Parked]:
    found = [each for each in _parked(client, service, consumer) if each.state["stream"] == stream]
    if not found:
        raise CommandFailed(f"{stream} is not parked; `steerco log parked list` shows what is")
    return found


def _named(client: Client, streams: Sequence[str], service: str | None, consumer: str | None) -> Sequence[Parked]:
    return [each for stream in streams for each in _of_stream(client, stream, service, consumer)]


def _until_done(client: Client, asked: Sequence[Parked]) -> None:
    """Wait until it was tried; say what came of each. Raises `CommandFailed` if one is still parked."""
    failed = 0
    columns = (TextColumn("trying"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        for each in progress.track(asked):
            error = _outcome(client, each)
            failed += error is not None
            outcome = error or "digested, it goes on"
            console.print(f"{each.name}: {outcome}", highlight=False, markup=False, soft_wrap=True)
    if failed:
        raise CommandFailed(f"{failed} of {len(asked)} streams are still parked")


def _outcome(client: Client, parked: Parked) -> str | None:
    """Why it is still parked; `None` if it is not."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        try:
            state = client.get(parked.path, {"limit": "1"})
        except NotThere:
            return None
        if not state["asked"]:
            error: str = state["error"]
            return f"still parked, at position {state['first']:,}: {error}"
        time.sleep(POLL_SECONDS)
    return f"no worker has tried it in {PATIENCE_SECONDS:.0f} s; it stays asked for"
