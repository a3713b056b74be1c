"""Starting an edition, a service, or every service: what the commands do."""

import asyncio
import signal
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import httpx
import typer
from pydantic import ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import SettingsError

from steerco.client import data_directory
from steerco.commands.said import console
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
from steerco_events.postgres.faults import DATABASE_FAULTS, is_unavailable
from steerco_servers.child import ServerFailed, ServerMissing
from steerco_service.hosting import NotSettled
from steerco_service.process import Process, migrate_service
from steerco_service.runtime import Service
from steerco_service.settings import EdgeSettings, ServiceSettings

type Role = Literal["api", "worker", "migrate"]

NEEDED: Mapping[Role, Sequence[str]] = {"migrate": ["owner_url"], "worker": ["kafka"]}
"""The settings that a role does not start without, beside those of all."""

NEEDED_FOR_KEYS: Mapping[Role, Sequence[str]] = {
    "migrate": ["keys_owner_url"],
    "api": ["keys_url"],
    "worker": ["keys_url"],
}
"""Those beside, of the service that keeps the keys of people's records."""


def fail(error: Exception) -> typer.Exit:
    """Say one clear line and leave with 1."""
    typer.echo(f"steerco: {error}", err=True)
    return typer.Exit(1)


def until_stopped(work: Coroutine[Any, Any, None]) -> None:
    """Run it to its end, or until Ctrl-C or SIGTERM, which cancel it: what it opened is closed."""

    async def stoppable() -> None:
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task  # noqa: S101 tells the type

        def stop(*_: object) -> None:
            if not (task.done() or task.cancelling()):
                task.cancel()
                loop.call_soon_threadsafe(lambda: None)

        signal.signal(signal.SIGTERM, stop)
        await work

    with suppress(asyncio.CancelledError, KeyboardInterrupt):
        asyncio.run(stoppable())


def _run_edition(work: Coroutine[Any, Any, None]) -> None:
    try:
        until_stopped(work)
    except (EditionFailed, ServerFailed, ServerMissing, NotSettled) as error:
        raise fail(error) from error
    console.print("stopped; the data stays")


def run_embedded(content: Literal["empty", "example"], data_dir: Path, port: int) -> None:
    """Run the one-process edition until a signal ends it."""
    _run_edition(_run_embedded(content, data_dir, port, _edge_settings("up")))


async def _run_embedded(
    content: Literal["empty", "example"], data_dir: Path, port: int, settings: EdgeSettings
) -> None:
    listening = bind(port)
    directory = open_directory(data_dir)
    with console.status("starting") as status:

        def progress(step: str) -> None:
            status.update(step)
            if not console.is_terminal:
                console.print(f"· {step}", highlight=False)

        kept, limit = settings.accesses_kept, settings.parked_limit
        async with edition(directory, content, progress, kept, limit) as started:
            url = f"http://127.0.0.1:{port}"
            commands = await _welcome(started, url, directory.content() == "example")
            status.stop()
            if started.left:
                console.print(f"not everything is digested; {started.left}", highlight=False)
                console.print("why: steerco log status, steerco log parked list")
            say_ready(console, url, None if data_dir == data_directory() else data_dir.absolute(), commands)
            directory.announce(url, started.token)
            try:
                await serve(settings.edge.before(started.app), settings.edge, listening)
            finally:
                directory.withdraw()


async def _welcome(started: Edition, url: str, is_example: bool) -> Sequence[str]:
    """Print what the edition has; the commands to try."""
    transport = httpx.ASGITransport(started.app)
    headers = {"Authorization": f"Bearer {started.token}"}
    async with httpx.AsyncClient(transport=transport, base_url=url, headers=headers, timeout=60) as client:
        if await is_empty(client):
            console.print("an empty edition: open units, or import a register")
            return TO_BEGIN
        if is_example:
            console.print("the example: a made-up commission, and a year of it, up to the day before the first start")
        scopes = await three_scopes(client)
        console.print(side_by_side(scopes))
        proof = await prove(client, started.host)
        console.print(proof_line(proof), highlight=False)
        return await worth_reading(client, scopes, proof.months)


def serve_one(name: str, role: Role) -> None:
    """Run one service in one role, told by its environment."""
    if name not in BY_NAME:
        raise fail(EditionFailed(f"no service {name!r}; there is {', '.join(BY_NAME)}"))
    service = BY_NAME[name]
    settings = _settings(service, role)
    match role:
        case "migrate":
            try:
                asyncio.run(migrate_service(service, settings))
            except DATABASE_FAULTS as error:
                if not is_unavailable(error):
                    raise
                raise fail(EditionFailed(f"the database of {name} can't be reached: {_first_line(error)}")) from error
        case "api":
            until_stopped(Process(service, settings, CATALOG).serve_api())
        case "worker":
            until_stopped(Process(service, settings, CATALOG).serve_worker())


def _settings(service: Service, role: Role) -> ServiceSettings:
    """What the environment says; leaves with one line that names what the role misses."""
    needed = [*NEEDED.get(role, ()), *(NEEDED_FOR_KEYS[role] if service.keeps_keys else ())]
    try:
        settings = ServiceSettings()
        faults = [f"STEERCO_{each.upper()}" for each in needed if not getattr(settings, each)]
    except SettingsError as error:
        faults = [str(error.__cause__)]
    except ValidationError as error:
        faults = [_fault(each) for each in error.errors()]
    if faults:
        raise _told_wrong(f"serve {service.name}", faults)
    return settings


def _edge_settings(command: str) -> EdgeSettings:
    """What the environment says of an edition's edge; leaves with one line that names what is wrong."""
    try:
        return EdgeSettings()
    except ValidationError as error:
        raise _told_wrong(command, [_fault(each) for each in error.errors()]) from error


def _told_wrong(command: str, faults: Sequence[str]) -> typer.Exit:
    return fail(EditionFailed(f"{command} is told by its environment; missing or wrong: {', '.join(faults)}"))


def _fault(error: ErrorDetails) -> str:
    why = "" if error["type"] == "missing" else f" ({error['msg'].removeprefix('Value error, ')})"
    return f"STEERCO_{str(error['loc'][0]).upper()}{why}"


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def run_every_service(data_dir: Path, port: int) -> None:
    """Run the distributed edition until a signal ends it."""
    _run_edition(run_all(data_dir, port, _edge_settings("run-distributed"), console))
