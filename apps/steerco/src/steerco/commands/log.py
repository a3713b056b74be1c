"""`steerco log`: how far the logs are, their topics, and moving them to another edition."""

import asyncio
import time
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from steerco.archives.exporting import export_logs
from steerco.client import Client, CommandFailed, connected, data_directory, segment
from steerco.commands.instants import to_the_second
from steerco.commands.said import console, told
from steerco.edition.commands import DataDir
from steerco.logs import chosen
from steerco_events.contracts.catalog import LOGS

log = typer.Typer(no_args_is_help=True, help="The logs: how far they are, their topics, moving them elsewhere.")

POLL_SECONDS = 0.2

Services = Annotated[
    list[str] | None, typer.Option("--service", help=f"One of {', '.join(LOGS)}; may be repeated. Else all.")
]
Service = Annotated[str, typer.Argument(help=f"One of {', '.join(LOGS)}.")]


@log.command("status")
def log_status(format: Annotated[Literal["table", "json"], typer.Option("--format")] = "table") -> None:
    """How far each log is sealed, signed and published."""
    with told(), connected() as client:
        states = [client.get(f"/{service}/log") for service in LOGS]
        if format == "json":
            console.print_json(data=states)
            return
        table = Table("log", "position", "unsealed", "generation", "sealed up to", "signed up to", "published up to")
        for state in states:
            table.add_row(*_row(state))
        console.print(table)


def _row(state: Any) -> list[str]:
    signed, relay = state["signed"], state["relay"]
    waits = f", open since {to_the_second(state['open_since'])}" if state["open_since"] else ""
    return [
        state["service"],
        f"{state['position']:,}",
        f"{state['unsealed']:,}{waits}",
        str(len(state["generations"])),
        to_the_second(state["watermark"]),
        f"{signed['position']:,}" if signed else "not signed",
        f"{relay['position']:,}" if relay else "no topic",
    ]


@log.command("republish")
def log_republish(service: Service) -> None:
    """Publish a whole log to its topic again, which was lost, emptied or cut. Readers miss and double nothing."""
    with told(), connected() as client:
        chosen([service])
        total = client.command("POST", f"/{service}/log/republish", {}).json()["position"]
        columns = (TextColumn("publishing"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
        with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
            task = progress.add_task("", total=max(1, total))
            while (published := _published(client, service)) < total:
                progress.update(task, completed=published)
                time.sleep(POLL_SECONDS)
        console.print(f"{service}: published again up to position {total:,}", highlight=False)


def _published(client: Client, service: str) -> int:
    relay = client.get(f"/{service}/log")["relay"]
    if relay is None:
        raise CommandFailed(f"the log of {service} is published no more: it is read from its store now")
    return int(relay["position"])


@log.command("restored")
def log_restored(service: Service) -> None:
    """Say that a service's database was put back from a copy of its files: a new generation of positions begins."""
    with told(), connected() as client:
        chosen([service])
        state = client.command("POST", f"/{service}/log/restored", {}).json()
        generation = state["generations"][-1]
        console.print(
            f"{service}: generation {generation['generation']} begins after position {generation['from_position']:,};"
            " who read further stops and says so",
            highlight=False,
        )


@log.command("accept-loss")
def log_accept_loss(
    service: Service,
    reaction: Annotated[str, typer.Argument(help="A reaction of that service, by its name.")],
    reason: Annotated[str, typer.Option("--reason", help="Why what is lost may stay lost; kept.")],
) -> None:
    """Let a reaction go on that stopped because a log it reads was restored to before what it had read."""
    with told(), connected() as client:
        chosen([service])
        path = f"/{service}/log/reactions/{segment(reaction)}/accept-loss"
        loss = client.command("POST", path, {"reason": reason}).json()
        console.print(
            f"{loss['reaction']} goes on after position {loss['kept']:,} of {loss['service']} in generation"
            f" {loss['generation']}; what it did because of what is lost stays done",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )


@log.command("export")
def log_export(
    folder: Annotated[Path, typer.Argument(help="Where the archives are written, a file per service.")],
    services: Services = None,
    after: Annotated[int, typer.Option("--after", min=0, help="Begin after this position.")] = 0,
    until: Annotated[int | None, typer.Option("--until", min=1, help="End at this position.")] = None,
    subjects: Annotated[
        list[str] | None, typer.Option("--subject", help="Only events of this stream; may be repeated.")
    ] = None,
) -> None:
    """Write archives of the logs, to verify them offline or to go on from them in another edition."""
    limits = {"after": after, "until": until, "subject": subjects}
    part = {name: limit for name, limit in limits.items() if limit}
    with told(), connected() as client:
        names = chosen(services)
        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
        with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
            tasks: dict[str, TaskID] = {}

            def tell(service: str, position: int, total: int) -> None:
                if service not in tasks:
                    tasks[service] = progress.add_task(service, total=max(1, total))
                if position:
                    progress.update(tasks[service], completed=position)

            written = export_logs(client, folder, names, part, tell)
        for service, events in written.items():
            console.print(f"{service}: {events:,} events", highlight=False)


@log.command("import")
def log_import(
    folder: Annotated[Path, typer.Argument(help="A folder that `steerco log export` wrote.")],
    data_dir: DataDir = None,
) -> None:
    """Take over the logs of another edition into a new data directory; start it with `steerco up` afterwards."""
    from steerco.archives.importing import import_logs
    from steerco.edition.directory import EditionFailed
    from steerco_servers.child import ServerFailed, ServerMissing

    target = data_dir or data_directory()
    with told(), console.status("beginning") as status:
        try:
            taken = asyncio.run(import_logs(folder, target, status.update))
        except (EditionFailed, ServerFailed, ServerMissing) as error:
            raise CommandFailed(str(error)) from error
    for each in taken:
        console.print(f"{each.service}: {each.events:,} events, verified", highlight=False)
    console.print(
        f"taken over into {target}; start it: steerco up --data-dir {target}", highlight=False, soft_wrap=True
    )
