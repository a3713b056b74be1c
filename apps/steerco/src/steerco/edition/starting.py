"""Starting an edition: what the commands do."""

from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, Literal

import httpx
import typer

from steerco.client import data_directory
from steerco.commands.said import console
from steerco.edition.background import in_background
from steerco.edition.directory import EditionFailed
from steerco.edition.distributed import run_distributed as run_all
from steerco.edition.embedded import OPERATORS, Edition, bind, edition, open_directory, serve
from steerco.edition.proof import prove
from steerco.edition.welcome import (
    TO_BEGIN,
    is_empty,
    proof_line,
    say_ready,
    side_by_side,
    three_scopes,
    worth_reading,
)
from steerco.traces.keeping import KeptTraces
from steerco.traces.serving import serve_traces
from steerco_servers.child import ServerFailed, ServerMissing
from steerco_service.exporting import install_tracing
from steerco_service.hosting import NotSettled
from steerco_service.kafka_settings import KafkaSettings
from steerco_service.log_lines import install_logging
from steerco_service.migrations import RestoreCutOff
from steerco_service.operations.serving import operations_app, serve_operations
from steerco_service.operations.settings import OperationsSettings
from steerco_service.serving import NotServed, told, until_stopped
from steerco_service.settings import EdgeSettings


def fail(error: Exception) -> typer.Exit:
    """Say one clear line and leave with 1."""
    typer.echo(f"steerco: {error}", err=True)
    return typer.Exit(1)


def _run_edition(work: Coroutine[Any, Any, None]) -> None:
    try:
        until_stopped(work)
    except (EditionFailed, ServerFailed, ServerMissing, NotSettled, RestoreCutOff) as error:
        raise fail(error) from error
    console.print("stopped; the data stays")


def run_embedded(content: Literal["empty", "example"], data_dir: Path, port: int) -> None:
    """Run the one-process edition until a signal ends it."""
    _run_edition(_run_embedded(content, data_dir, port, _edge_settings("up"), _told(OperationsSettings, "up")))


async def _run_embedded(
    content: Literal["empty", "example"],
    data_dir: Path,
    port: int,
    settings: EdgeSettings,
    operations: OperationsSettings,
) -> None:
    async with AsyncExitStack() as stack:
        listening = stack.enter_context(bind(port))
        directory = open_directory(data_dir)
        kept_traces = KeptTraces()
        tracing = install_tracing("steerco", settings, processors=[kept_traces.processor()])
        stack.push_async_callback(tracing.stop)
        status = stack.enter_context(console.status("starting"))

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
            serve_traces(started.app, kept_traces, started.authenticator, OPERATORS)
            try:
                async with _measured(started, operations):
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


@asynccontextmanager
async def _measured(started: Edition, operations: OperationsSettings) -> AsyncIterator[None]:
    """Inside, who collects metrics gets those of all services, if the environment names a port for it."""
    if "operations_port" not in operations.model_fields_set or not operations.operations_port:
        yield
        return
    app = operations_app(list(started.host.runtimes.values()))
    serving = partial(serve_operations, app, operations.operations_host, operations.operations_port)
    async with in_background(serving, "operations"):
        yield


def _told[S: (EdgeSettings, KafkaSettings, OperationsSettings)](settings: type[S], command: str) -> S:
    """What the environment says to an edition; leaves with one line that names what is wrong."""
    try:
        return told(settings, command)
    except NotServed as error:
        raise fail(error) from error


def _edge_settings(command: str) -> EdgeSettings:
    """What the environment says of an edition's edge; logs are written as it says from here on."""
    settings = _told(EdgeSettings, command)
    install_logging(settings.log_format, "steerco", command, default="text")
    return settings


def run_every_service(data_dir: Path, port: int) -> None:
    """Run the distributed edition until a signal ends it."""
    command = "run-distributed"
    edge, kafka = _edge_settings(command), _told(KafkaSettings, command)
    _run_edition(run_all(data_dir, port, edge, kafka, console))
