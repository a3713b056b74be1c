"""Starting an edition, a service, or every service: what the commands do."""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import httpx
import typer
from pydantic import ValidationError
from rich.console import Console

from steerco.client import data_directory
from steerco.edition.directory import EditionFailed
from steerco.edition.distributed import run_distributed as run_all
from steerco.edition.embedded import Edition, bind, edition, open_directory, serve
from steerco.edition.proof import prove
from steerco.edition.services import BY_NAME
from steerco.edition.welcome import (
    TO_BEGIN,
    is_empty,
    proof_line,
    say_ready,
    side_by_side,
    three_scopes,
    worth_reading,
)
from steerco_events.contracts.catalog import CATALOG
from steerco_servers.child import ServerFailed, ServerMissing
from steerco_service.process import Process, migrate_service
from steerco_service.settings import ServiceSettings

console = Console()


def fail(error: Exception) -> typer.Exit:
    """Say one clear line and leave with 1."""
    typer.echo(f"steerco: {error}", err=True)
    return typer.Exit(1)


def run_embedded(content: Literal["empty", "example"], data_dir: Path, port: int) -> None:
    """Run the one-process edition until a signal ends it."""
    try:
        asyncio.run(_run_embedded(content, data_dir, port))
    except (EditionFailed, ServerFailed, ServerMissing) as error:
        raise fail(error) from error
    except KeyboardInterrupt:
        raise typer.Exit(0) from None


async def _run_embedded(content: Literal["empty", "example"], data_dir: Path, port: int) -> None:
    listening = bind(port)
    directory = open_directory(data_dir)
    with console.status("starting") as status:

        def progress(step: str) -> None:
            status.update(step)
            if not console.is_terminal:
                console.print(f"· {step}", highlight=False)

        async with edition(directory, content, progress) as started:
            url = f"http://127.0.0.1:{port}"
            commands = await _welcome(started, url, directory.content() == "example")
            status.stop()
            say_ready(console, url, None if data_dir == data_directory() else data_dir.absolute(), commands)
            directory.announce(url, started.token)
            try:
                await serve(started, listening)
            finally:
                directory.withdraw()
    console.print("stopped; the data stays")


async def _welcome(started: Edition, url: str, is_example: bool) -> Sequence[str]:
    """Print what the edition has; the commands to try."""
    transport = httpx.ASGITransport(started.app)
    headers = {"Authorization": f"Bearer {started.token}"}
    async with httpx.AsyncClient(transport=transport, base_url=url, headers=headers, timeout=60) as client:
        if await is_empty(client):
            console.print("an empty edition: open units, or import a register")
            return TO_BEGIN
        if is_example:
            console.print("the example: a made-up commission, and a year of it that ended yesterday")
        scopes = await three_scopes(client)
        console.print(side_by_side(scopes))
        proof = await prove(client, started.host)
        console.print(proof_line(proof), highlight=False)
        return await worth_reading(client, scopes, proof.months)


def serve_one(name: str, role: Literal["api", "worker", "migrate"]) -> None:
    """Run one service in one role, told by its environment."""
    if name not in BY_NAME:
        raise fail(EditionFailed(f"no service {name!r}; there is {', '.join(BY_NAME)}"))
    try:
        settings = ServiceSettings()
    except ValidationError as error:
        missing = ", ".join(f"STEERCO_{str(each['loc'][0]).upper()}" for each in error.errors())
        raise fail(EditionFailed(f"serve {name} is told by its environment; missing or wrong: {missing}")) from error
    match role:
        case "migrate":
            asyncio.run(migrate_service(BY_NAME[name], settings))
        case "api":
            asyncio.run(Process(BY_NAME[name], settings, CATALOG).serve_api())
        case "worker":
            try:
                asyncio.run(Process(BY_NAME[name], settings, CATALOG).serve_worker())
            except KeyboardInterrupt:
                sys.exit(0)


def run_every_service(data_dir: Path, port: int) -> None:
    """Run the distributed edition until a signal ends it."""
    try:
        asyncio.run(run_all(data_dir, port, console))
    except (EditionFailed, ServerFailed, ServerMissing) as error:
        raise fail(error) from error
    except KeyboardInterrupt:
        raise typer.Exit(0) from None
