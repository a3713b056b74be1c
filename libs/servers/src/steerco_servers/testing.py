"""Real servers for tests: one's own, named by the environment, or one that lives as long as the test run.

`STEERCO_TEST_POSTGRES` is an admin URL (CREATEDB, CREATEROLE), `STEERCO_TEST_KAFKA` a list of `host:port`,
`STEERCO_TEST_KEYCLOAK` a URL, with `STEERCO_TEST_KEYCLOAK_ADMIN` (else `admin`) and `STEERCO_TEST_KEYCLOAK_PASSWORD`.
For fixtures of session scope; all must be entered on the main thread.
"""

import asyncio
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from uuid import uuid4

import httpx

from steerco_servers.child import ServerFailed, runs
from steerco_servers.kafka import KafkaServer, remove_kafka, start_kafka
from steerco_servers.kafka_security import Operator
from steerco_servers.keycloak import KeycloakServer, remove_keycloak, start_keycloak
from steerco_servers.keycloak_admin import KeycloakAdmin, KeycloakRefused, keycloak_admin
from steerco_servers.keycloak_program import Login
from steerco_servers.postgres import PostgresServer, remove_cluster, start_postgres
from steerco_servers.provisioning import ROLES_FILE, ServiceDatabase, connect_as_admin, deprovision, provision
from steerco_servers.realm import REALM, Realm, realm_for_tests

POSTGRES_VARIABLE = "STEERCO_TEST_POSTGRES"
KAFKA_VARIABLE = "STEERCO_TEST_KAFKA"
KEYCLOAK_VARIABLE = "STEERCO_TEST_KEYCLOAK"


@dataclass(frozen=True)
class TemporaryPostgres:
    """A server for tests, its databases dropped when they are done with."""

    admin_url: str
    directory: Path
    """Private, of this run."""
    server: PostgresServer | None
    """None when it is one's own, named by the environment: that one is never stopped."""

    @asynccontextmanager
    async def databases(self, *services: str) -> AsyncIterator[dict[str, ServiceDatabase]]:
        """New, empty databases of these services under names of their own; dropped on leaving."""
        prefix = f"steerco_t{uuid4().hex[:8]}"
        passwords = self.directory / f"{prefix}-{ROLES_FILE}"
        try:
            yield await provision(self.admin_url, services, passwords=passwords, prefix=prefix)
        finally:
            try:
                await deprovision(self.admin_url, services, prefix=prefix)
            finally:
                passwords.unlink(missing_ok=True)


@dataclass(frozen=True)
class TemporaryKafka:
    """A broker for tests. On one's own, named by the environment, the topics that tests make stay."""

    bootstrap: str
    server: KafkaServer | None
    """None when it is one's own: that one is never stopped."""


@dataclass(frozen=True)
class TemporaryKeycloak:
    """A realm for tests. On a server of one's own, named by the environment, it is removed when it is done with."""

    issuer: str
    admin: KeycloakAdmin
    server: KeycloakServer | None
    """None when it is one's own: that one is never stopped."""

    @property
    def realm(self) -> str:
        return self.admin.realm

    @asynccontextmanager
    async def another(
        self, realm_named: Callable[[str], Realm] = realm_for_tests
    ) -> AsyncIterator["TemporaryKeycloak"]:
        """A realm of its own on the same server, for a test that changes it; removed on leaving."""
        async with self.admin.new_realm(realm_named(_realm_name())) as admin:
            yield TemporaryKeycloak(await admin.issuer(), admin, self.server)


@asynccontextmanager
async def temporary_postgres(settings: Mapping[str, str] = MappingProxyType({})) -> AsyncIterator[TemporaryPostgres]:
    """The server of STEERCO_TEST_POSTGRES, else a new one that is removed on leaving.

    Leaving is also a failure, Ctrl-C and SIGTERM; what a killed run left is removed by the next.
    `settings` are for the new one, such as `{"fsync": "off"}` for speed. Raises ServerFailed, also for a server
    of one's own that is older than 16.
    """
    with _terminated_like_interrupted():
        async with _directory("postgres", remove_cluster) as directory:
            if admin_url := os.environ.get(POSTGRES_VARIABLE):
                try:
                    await (await connect_as_admin(admin_url)).close()
                except ServerFailed as failure:
                    raise ServerFailed(f"{POSTGRES_VARIABLE}: {failure}") from failure
                yield TemporaryPostgres(admin_url, directory, None)
                return
            async with await start_postgres(directory, settings=settings) as server:
                yield TemporaryPostgres(server.url(), directory, server)


@asynccontextmanager
async def temporary_kafka() -> AsyncIterator[TemporaryKafka]:
    """The broker of STEERCO_TEST_KAFKA, else a new one that is removed on leaving, as by `temporary_postgres`."""
    with _terminated_like_interrupted():
        if bootstrap := os.environ.get(KAFKA_VARIABLE):
            await _answers(bootstrap)
            yield TemporaryKafka(bootstrap, None)
            return
        async with _directory("kafka", remove_kafka) as directory, await start_kafka(directory) as server:
            yield TemporaryKafka(server.bootstrap, server)


@asynccontextmanager
async def secured_kafka(operator: Operator, detours: Mapping[int, int] = MappingProxyType({})) -> AsyncIterator[str]:
    """A broker of our own that lets in nobody but its operator until told, removed as by `temporary_postgres`.

    Gives where it listens; `detours` as of `start_kafka`.
    """
    with _terminated_like_interrupted():
        async with (
            _directory("kafka", remove_kafka) as directory,
            await start_kafka(directory, operator=operator, detours=detours) as server,
        ):
            yield server.bootstrap


@asynccontextmanager
async def temporary_keycloak(
    realm_named: Callable[[str], Realm] = realm_for_tests,
) -> AsyncIterator[TemporaryKeycloak]:
    """A realm of the server of STEERCO_TEST_KEYCLOAK, else a new server with it, removed as by `temporary_postgres`.

    `realm_named` makes the realm, which on a server of one's own has a name of its own. There it is removed on leaving.
    """
    with _terminated_like_interrupted():
        if url := os.environ.get(KEYCLOAK_VARIABLE):
            async with _realm_of_one_s_own(url, realm_named(_realm_name())) as keycloak:
                yield keycloak
            return
        async with (
            _directory("keycloak", remove_keycloak) as directory,
            await start_keycloak(directory, realm=realm_named(REALM)) as server,
            keycloak_admin(server.url, REALM, server.admin) as admin,
        ):
            yield TemporaryKeycloak(server.issuer(REALM), admin, server)


def _realm_name() -> str:
    return f"steerco-t{uuid4().hex[:8]}"


@asynccontextmanager
async def _realm_of_one_s_own(url: str, realm: Realm) -> AsyncIterator[TemporaryKeycloak]:
    name = os.environ.get(f"{KEYCLOAK_VARIABLE}_ADMIN", "admin")
    login = Login(name, os.environ.get(f"{KEYCLOAK_VARIABLE}_PASSWORD", ""))
    async with AsyncExitStack() as stack:
        master = await stack.enter_async_context(keycloak_admin(url, "master", login))
        try:
            admin = await stack.enter_async_context(master.new_realm(realm))
            keycloak = TemporaryKeycloak(await admin.issuer(), admin, None)
        except (httpx.TransportError, httpx.InvalidURL, KeycloakRefused) as error:
            raise ServerFailed(f"{KEYCLOAK_VARIABLE}: {url} cannot be used: {error}") from error
        yield keycloak


@asynccontextmanager
async def _directory(kind: str, remove: Callable[[Path], Awaitable[None]]) -> AsyncIterator[Path]:
    """A directory of this process, removed on leaving; first those that killed processes left are removed."""
    home = Path(tempfile.gettempdir()).resolve()
    for left in home.glob(f"steerco-{kind}-*-*"):
        number = left.name.split("-")[2]
        if number.isdigit() and left.lstat().st_uid == os.geteuid() and not runs(int(number)):
            with suppress(ServerFailed, OSError):  # in use after all by who we can't see, or removed by another run
                await remove(left)
                shutil.rmtree(left, ignore_errors=True)
    directory = Path(tempfile.mkdtemp(prefix=f"steerco-{kind}-{os.getpid()}-", dir=home))
    try:
        yield directory
    finally:
        await remove(directory)
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def _terminated_like_interrupted() -> Iterator[None]:
    """SIGTERM unwinds the stack as Ctrl-C does, where it would otherwise end the process at once."""
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


async def _answers(bootstrap: str) -> None:
    host, _, port = bootstrap.split(",", maxsplit=1)[0].strip().rpartition(":")
    try:
        async with asyncio.timeout(10):
            _, writer = await asyncio.open_connection(host.strip("[]"), int(port))
        writer.close()
        await writer.wait_closed()
    except (OSError, ValueError) as error:
        raise ServerFailed(f"{KAFKA_VARIABLE}: {bootstrap} cannot be reached: {error}") from error
