"""`steerco up`, `steerco serve` and `steerco run-distributed`."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated, Literal

import httpx
import typer
from pydantic import ValidationError
from rich.console import Console

from steerco.client import data_directory
from steerco.edition.directory import DataDirectory, EditionFailed
from steerco.edition.distributed import run_distributed as run_all
from steerco.edition.embedded import Edition, bind, edition, open_directory, serve
from steerco.edition.proof import prove
from steerco.edition.services import BY_NAME
from steerco.edition.welcome import is_empty, proof_line, say_ready, side_by_side, three_scopes
from steerco_events.contracts.catalog import CATALOG
from steerco_servers.child import ServerFailed, ServerMissing
from steerco_service.process import Process, migrate_service
from steerco_service.settings import ServiceSettings

type DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", help="Where the data is kept.", envvar="STEERCO_DATA_DIR"),
]
type Port = Annotated[int, typer.Option("--port", min=1, max=65535, envvar="PORT")]

console = Console()


def fail(error: Exception) -> typer.Exit:
    """Say one clear line and leave with 1."""
    typer.echo(f"steerco: {error}", err=True)
    return typer.Exit(1)


def up(
    example: Annotated[
        bool, typer.Option("--example/--empty", help="What an empty data directory is filled with.")
    ] = True,
    data_dir: DataDir = None,
    port: Port = 8080,
) -> None:
    """Run the whole of Steerco in this process, over a PostgreSQL of its own."""
    try:
        asyncio.run(_up("example" if example else "empty", data_dir or data_directory(), port))
    except (EditionFailed, ServerFailed, ServerMissing) as error:
        raise fail(error) from error
    except KeyboardInterrupt:
        raise typer.Exit(0) from None


async def _up(content: Literal["empty", "example"], data_dir: Path, port: int) -> None:
    listening = bind(port)
    directory = open_directory(data_dir)
    with console.status("starting") as status:

        def progress(step: str) -> None:
            status.update(step)
            if not console.is_terminal:
                console.print(f"· {step}", highlight=False)

        async with edition(directory, content, progress) as started:
            url = f"http://127.0.0.1:{port}"
            await _welcome(started, url, progress)
            status.stop()
            say_ready(console, url, _commands_to_paste(directory))
            directory.announce(url, started.token)
            try:
                await serve(started, listening)
            finally:
                directory.withdraw()
    console.print("stopped; the data stays")


async def _welcome(started: Edition, url: str, progress: object) -> None:
    transport = httpx.ASGITransport(started.app)
    headers = {"Authorization": f"Bearer {started.token}"}
    async with httpx.AsyncClient(transport=transport, base_url=url, headers=headers, timeout=60) as client:
        if await is_empty(client):
            console.print("an empty edition: open units, or import a register")
            return
        console.print(side_by_side(await three_scopes(client)))
        console.print(proof_line(await prove(client, started.host)), highlight=False)


def _commands_to_paste(directory: DataDirectory) -> list[str]:
    command = ".venv/bin/steerco" if Path(".venv/bin/steerco").exists() else "steerco"
    return [
        f"{command} show portfolio --scope enterprise --by month --over",
        f"{command} show portfolio --scope enterprise --as-of -90d",
        f"{command} show portfolio --scope enterprise --format json",
        f"{command} rebuild portfolio_register",
        f"{command} --help",
    ]


def serve_service(
    service: Annotated[str, typer.Argument(help=f"One of {', '.join(BY_NAME)}.")],
    role: Annotated[Literal["api", "worker", "migrate"], typer.Option("--role")],
) -> None:
    """Run one service's API or worker, or migrate its database; settings come from STEERCO_* variables."""
    if service not in BY_NAME:
        raise fail(EditionFailed(f"no service {service!r}; there is {', '.join(BY_NAME)}"))
    try:
        settings = ServiceSettings()
    except ValidationError as error:
        missing = ", ".join(f"STEERCO_{str(each['loc'][0]).upper()}" for each in error.errors())
        raise fail(EditionFailed(f"serve {service} is told by its environment; missing or wrong: {missing}")) from error
    match role:
        case "migrate":
            asyncio.run(migrate_service(BY_NAME[service], settings))
        case "api":
            asyncio.run(Process(BY_NAME[service], settings, CATALOG).serve_api())
        case "worker":
            try:
                asyncio.run(Process(BY_NAME[service], settings, CATALOG).serve_worker())
            except KeyboardInterrupt:
                sys.exit(0)


def run_distributed(data_dir: DataDir = None, port: Port = 8080) -> None:
    """Run every service as processes of its own over a real Kafka, behind one port."""
    try:
        asyncio.run(run_all(data_dir or data_directory("steerco-distributed"), port, console))
    except (EditionFailed, ServerFailed, ServerMissing) as error:
        raise fail(error) from error
    except KeyboardInterrupt:
        raise typer.Exit(0) from None
