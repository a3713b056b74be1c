"""Keycloak's program: fetched and built once for all, with a database for new servers to begin from."""

import secrets
import shutil
import signal
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from steerco_servers.child import Child, clean_environment, on_port, start_child
from steerco_servers.directory import read_private, write_private
from steerco_servers.jars import find_java, keycloak_distribution

STOP = ((signal.SIGTERM, 30.0),)

DATABASE = Path("data", "h2", "keycloakdb.mv.db")
"""In a server's home. H2 holds its own lock on it."""

_FIRST = "first"
_RECORD = "keycloak.json"
_PARTS = ("data", "tmp")
_FILES = ("lib", _RECORD, "keycloak.log", "keycloak.log.1")
_WITHIN = 240.0
_OPTIONS = (
    "-Xms64m",
    "-Xmx384m",
    "-XX:MaxMetaspaceSize=256m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",  # it starts in half of the time and never runs for long
    "-XX:-UsePerfData",  # else a file in /tmp
    "-Djava.awt.headless=true",
    "-Djava.util.logging.manager=org.jboss.logmanager.LogManager",
    "-Djava.util.concurrent.ForkJoinPool.common.threadFactory="
    "io.quarkus.bootstrap.forkjoin.QuarkusForkJoinWorkerThreadFactory",
    "-Dpicocli.disable.closures=true",
    "-Duser.language=en",
    *(f"--add-opens=java.base/java.{each}=ALL-UNNAMED" for each in ("lang", "security", "util", "util.concurrent")),
    "--enable-native-access=ALL-UNNAMED",
)


@dataclass(frozen=True)
class Login:
    """Who administers a server."""

    username: str
    password: str


async def keycloak_program(progress: Callable[[str], None]) -> Path:
    """The folder of Keycloak, built, fetched the first time; several processes may ask at once.

    Building takes as long as some starts, and so does making a database; that is why neither is done for each server.
    Raises ServerMissing (Java 17+, Maven) or ServerFailed.
    """
    java = find_java("Keycloak")

    async def prepare(program: Path) -> None:
        progress("building Keycloak")
        await _build(program, java)
        await _make_first(program, java)

    return await keycloak_distribution(prepare, progress)


def make_home(program: Path, home: Path) -> Login:
    """Make the files of a new server, once; after a crash in between, again. Its admin's login.

    The database, and with it the admin, is a copy of the one that was made with the program.
    """
    record = read_private(home / _RECORD)
    if not record:
        shutil.rmtree(home / "data", ignore_errors=True)
        _copy_database(program / _FIRST, home)
        record = read_private(program / _FIRST / _RECORD)
        write_private(home / _RECORD, record)
    return Login(**record)


def remove_home(home: Path) -> None:
    """Remove those files, and nothing else."""
    for folder in _PARTS:
        shutil.rmtree(home / folder, ignore_errors=True)
    for name in _FILES:
        (home / name).unlink(missing_ok=True)


async def serve(program: Path, home: Path, java: Path, port: int, within: float, **environment: str) -> Child:
    """Start the server of that home on 127.0.0.1; it answers on return.

    What lies in `data/import` is imported, unless there is a realm of that name. Raises ServerFailed.
    """
    link = home / "lib"  # there Keycloak looks for what it was built with
    link.unlink(missing_ok=True)
    link.symlink_to(program / "lib")
    log = home / "keycloak.log"
    if log.exists():
        log.replace(home / "keycloak.log.1")
    url = f"http://127.0.0.1:{port}"
    child = _java(
        "Keycloak",
        program,
        home,
        java,
        "start",
        "--optimized",
        "--import-realm",
        "--cache=local",
        "--http-enabled=true",
        "--http-host=127.0.0.1",
        f"--http-port={port}",
        f"--hostname={url}",
        **environment,
    )
    said = f"Listening on: {url}".encode()  # it listens once it is ready

    async def listens() -> bool:
        return said in log.read_bytes()

    try:
        await child.until(listens, within)
    except BaseException:
        await child.stop(STOP)
        raise
    return child


async def _build(program: Path, java: Path) -> None:
    child = _java("Keycloak's build", program, program, java, "build", "--db=dev-file")
    try:
        await child.completed(within=_WITHIN)
    finally:
        await child.stop(STOP)


async def _make_first(program: Path, java: Path) -> None:
    """A database with all tables, the realm `master` and its admin, which takes as long to make as a start."""
    home = program / "draft"
    home.mkdir()
    login = Login("admin", secrets.token_urlsafe(24))
    named = {"KC_BOOTSTRAP_ADMIN_USERNAME": login.username, "KC_BOOTSTRAP_ADMIN_PASSWORD": login.password}

    async def server(port: int) -> Child:
        return await serve(program, home, java, port, _WITHIN, **named)

    await (await on_port(None, server)).stop(STOP)
    _copy_database(home, program / _FIRST)
    write_private(program / _FIRST / _RECORD, asdict(login))
    shutil.rmtree(home)


def _copy_database(home: Path, copy: Path) -> None:
    (copy / DATABASE).parent.mkdir(parents=True)
    shutil.copyfile(home / DATABASE, copy / DATABASE)


def _java(name: str, program: Path, home: Path, java: Path, *arguments: str, **environment: str) -> Child:
    """Call Keycloak as its own script does, which would stand between it and us."""
    (home / "tmp").mkdir(exist_ok=True)
    own = [
        f"-XX:ErrorFile={home / 'tmp' / 'java-error.log'}",
        f"-Djava.io.tmpdir={home / 'tmp'}",
        f"-Dkc.home.dir={home}",
        f"-Djboss.server.config.dir={home / 'conf'}",
    ]
    runner = program / "lib" / "quarkus-run.jar"
    return start_child(
        name,
        [java, *_OPTIONS, *own, "-cp", runner, "io.quarkus.bootstrap.runner.QuarkusEntryPoint", *arguments],
        log=home / "keycloak.log",
        death_signal=signal.SIGTERM,
        environment=clean_environment(LC_ALL="C.UTF-8", **environment),  # else Java can't read a path beyond ASCII
    )
