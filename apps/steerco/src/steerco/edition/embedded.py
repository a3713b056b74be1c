"""The embedded edition: every service in one process on one port, over a PostgreSQL that the process starts."""

import errno
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryFile
from typing import Literal

from fastapi import FastAPI
from starlette.types import ASGIApp

from steerco.edition.directory import DataDirectory, EditionFailed
from steerco.edition.mounting import parent_app
from steerco.edition.services import SERVICES
from steerco.example.acts import Calendar
from steerco.example.telling import tell
from steerco_events.clock import ShiftedClock, SwitchableClock, SystemClock
from steerco_events.consuming.consumer import PARKED_LIMIT
from steerco_events.contracts.catalog import CATALOG
from steerco_events.envelope import Actor
from steerco_events.ids import derived_id
from steerco_events.postgres.accesses import KEPT
from steerco_servers.child import Progress
from steerco_servers.postgres import PostgresServer, provision, remove_cluster, start_postgres
from steerco_service.access.groups import group_roles
from steerco_service.edge.front import Edge
from steerco_service.exporting import install_tracing_once
from steerco_service.garbage import keep_what_is_there
from steerco_service.hosting import DatabaseUrls, Host, NotSettled, databases_of
from steerco_service.http_server import HttpServer
from steerco_service.identity.authenticator import Authenticator
from steerco_service.identity.issuer import Issuer
from steerco_service.identity.keys import KnownKeys
from steerco_service.identity.principal import Principal

TOKEN_LASTS = timedelta(days=365)
NEVER_STALE = timedelta(days=36525)
"""One process seals and reads here; and while the example is told, its clock goes by days."""

PATIENCE_SECONDS = 10.0
"""So long a start waits where nothing moves, if there is something to read already."""

OPERATORS = "steerco-local-operators"
OPERATOR_ROLES = f"{OPERATORS}=pmo_admin"
"""By this group whoever runs a local edition administers it, whoever was appointed in the logs that it took over."""

OPERATOR = Principal(Actor(derived_id("local operator"), "Local operator"), "steerco", frozenset({OPERATORS}))
"""Who the local edition's token speaks for."""


class Edition:
    """A started edition: its host, its applications, and the token that its clients use.

    `left` says what does not come to rest until somebody sees to it, if anything.
    """

    def __init__(self, host: Host, app: FastAPI, apps: dict[str, FastAPI], issuer: Issuer, left: str) -> None:
        self.host = host
        self.left = left
        self.app = app
        self.apps = apps
        self.issuer = issuer
        self.authenticator = authenticator_of(issuer)
        self.token = issuer.token(OPERATOR, SystemClock().now(), TOKEN_LASTS)


def bind(port: int) -> socket.socket:
    """A listening socket on loopback. Raises `EditionFailed` when the port is taken."""
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(("127.0.0.1", port))
    except OSError as error:
        listening.close()
        if error.errno == errno.EADDRINUSE:
            raise EditionFailed(f"port {port} is in use; choose another, such as --port {port + 1}") from error
        raise EditionFailed(f"port {port} can't be used: {error.strerror}") from error
    listening.listen(128)
    return listening


@asynccontextmanager
async def edition(
    directory: DataDirectory,
    content: Literal["empty", "example"],
    progress: Progress,
    accesses_kept: timedelta = KEPT,
    parked_limit: int = PARKED_LIMIT,
) -> AsyncIterator[Edition]:
    """A running edition. The example is told only into an empty directory; half told, it is told anew."""
    kept = directory.content()
    if kept == "seeding":
        progress("clearing an example that was cut off")
        await remove_cluster(directory.postgres)
        rmtree(directory.heads, ignore_errors=True)
        kept = None
    if kept == "example" and content == "empty":
        raise EditionFailed(f"{directory.path} holds the example; for an empty edition choose another: --data-dir DIR")
    progress("starting PostgreSQL")
    server = await start_postgres(directory.postgres, progress=progress)
    try:
        issuer = kept_issuer(directory)
        install_tracing_once("steerco")
        clock = SwitchableClock(SystemClock())
        past = ShiftedClock(SystemClock())
        if kept is None and content == "example":
            # Before all that is told: a quiet log's watermark follows the clock, and nothing is sealed behind it.
            past.set(Calendar(SystemClock().now().date()).begins_at)
            clock.follow(past)
        progress("preparing databases and roles")
        host = await _host(server, directory, clock, issuer, accesses_kept, parked_limit)
        await host.migrate(lambda name: progress(f"migrating {name}"))
        apps = host.apps()
        async with host.running():
            progress("building views")
            started = Edition(host, parent_app(apps), apps, issuer, await _left(host))
            if kept is None:
                await _fill(started, directory, content, past, progress)
                clock.follow(SystemClock())
            yield started
    finally:
        await server.stop()


async def _left(host: Host) -> str:
    """Wait until all is at rest: what is not, while there is something to read. Raises `NotSettled` where there is not.

    Who can see to it needs the edition for that.
    """
    try:
        await host.settled(PATIENCE_SECONDS)
    except NotSettled as left:
        if not await host.serves():
            raise
        return str(left)
    return ""


def kept_issuer(directory: DataDirectory) -> Issuer:
    """The edition's token issuer, with the key that its directory keeps."""
    key = directory.kept_issuer_key()
    if key:
        return Issuer.from_private(key)
    issuer = Issuer.generate()
    directory.keep_issuer_key(issuer.private())
    return issuer


def authenticator_of(issuer: Issuer) -> Authenticator:
    """What checks the tokens of a local issuer."""
    return Authenticator(KnownKeys(issuer.public()), SystemClock())


async def _host(
    server: PostgresServer,
    directory: DataDirectory,
    clock: SwitchableClock,
    issuer: Issuer,
    accesses_kept: timedelta,
    parked_limit: int,
) -> Host:
    databases = await provision(server.url(), databases_of(SERVICES), passwords=directory.roles)
    urls = {name: DatabaseUrls(each.owner_url, each.app_url, each.feed_url) for name, each in databases.items()}
    authenticator = authenticator_of(issuer)
    return Host(
        SERVICES,
        urls,
        CATALOG,
        clock,
        authenticator,
        directory.signing(),
        first_admin=OPERATOR.actor.id,
        groups=group_roles(OPERATOR_ROLES),
        stale_after=NEVER_STALE,
        accesses_kept=accesses_kept,
        parked_limit=parked_limit,
    )


async def _fill(
    started: Edition,
    directory: DataDirectory,
    content: Literal["empty", "example"],
    past: ShiftedClock,
    progress: Progress,
) -> None:
    if content == "empty":
        directory.mark("empty")
        return
    directory.mark("seeding")
    today = SystemClock().now().date()
    await tell(started.apps, started.issuer, OPERATOR.actor, past, started.host.settled, today, progress)
    directory.mark("example")


async def serve(app: ASGIApp, edge: Edge, listening: socket.socket) -> None:
    """Serve what stands behind an edge until a signal ends it."""
    keep_what_is_there()
    await HttpServer(app, lifespan="off", **edge.server_options).serve(sockets=[listening])


def open_directory(path: Path) -> DataDirectory:
    """The data directory, made if it is not there. Raises `EditionFailed` where nothing can be written."""
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise EditionFailed(f"the data directory {path} can't be made: {error.strerror}") from error
    try:
        TemporaryFile(dir=path).close()
    except OSError as error:
        raise EditionFailed(f"the data directory {path} can't be used: {error.strerror}") from error
    return DataDirectory(path)
