"""Keycloak as a child process: an issuer of tokens for tests, on loopback and without TLS."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from steerco_servers.child import Child, ServerFailed, ServerMissing, on_port, quiet
from steerco_servers.directory import DirectoryLock, lock_let_go, write_private
from steerco_servers.jars import find_java
from steerco_servers.keycloak_program import (
    DATABASE,
    STOP,
    Login,
    keycloak_program,
    make_home,
    remove_home,
    serve,
)
from steerco_servers.running import RunningServer

__all__ = ["KeycloakServer", "ServerFailed", "ServerMissing", "remove_keycloak", "start_keycloak"]


class KeycloakServer(RunningServer):
    """A running Keycloak."""

    def __init__(self, port: int, admin: Login, child: Child, lock: DirectoryLock) -> None:
        super().__init__(port, child, lock, STOP)
        self.admin = admin
        """Of the realm `master`, and so of all."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def issuer(self, realm: str) -> str:
        """What the tokens of that realm say in `iss`."""
        return f"{self.url}/realms/{realm}"

    @property
    def directory(self) -> Path:
        return self._lock.directory


async def start_keycloak(
    directory: Path,
    *,
    realm: Mapping[str, Any],
    port: int | None = None,
    progress: Callable[[str], None] = quiet,
    within: float = 120.0,
) -> KeycloakServer:
    """Start the Keycloak of that directory on 127.0.0.1, a free port unless one is given. Ready on return.

    `realm` is Keycloak's representation of one, imported the first time; from then on it is what it became. All data
    stays until it is removed. Servers that one user starts share the password of their admin, which is random.
    The first start on a machine fetches and builds the program, up to 10 minutes; `within`, in seconds, bounds the
    server's own start.
    Must be called on the main thread. Raises ServerMissing (Java 17+, Maven) or ServerFailed, in one line, and
    leaves no process behind, also when cancelled.
    """
    java = find_java("Keycloak")
    program = await keycloak_program(progress)
    lock = await DirectoryLock.take(directory.resolve())
    try:
        home = lock.directory
        if ";" in str(home):
            raise ServerFailed(f"Keycloak cannot keep its database in {home}: the path has a semicolon")
        await lock_let_go(home / DATABASE, "Keycloak", progress)
        admin = make_home(program, home)
        (home / "data" / "import").mkdir(exist_ok=True)
        write_private(home / "data" / "import" / "realm.json", dict(realm))
        progress("starting Keycloak")

        async def server(number: int) -> KeycloakServer:
            child = await serve(program, home, java, number, within)
            return KeycloakServer(number, admin, child, lock)

        return await on_port(port, server)
    except BaseException:
        lock.release()
        raise


async def remove_keycloak(directory: Path) -> None:
    """Remove a stopped server's data, and the directory if nothing else is in it. ServerFailed while it runs."""
    if not directory.exists():
        return
    lock = await DirectoryLock.take(directory.resolve())
    try:
        await lock_let_go(lock.directory / DATABASE, "Keycloak", quiet)
        remove_home(lock.directory)
        lock.release_and_remove()
    finally:
        lock.release()
