"""The servers under the services, which may be killed, stopped and started again: two PostgreSQL, one Kafka."""

import os
import signal
from collections.abc import Mapping
from pathlib import Path

from steerco_servers.child import free_port
from steerco_servers.kafka import KafkaServer, start_kafka
from steerco_servers.postgres import PostgresServer, start_postgres
from tests.faults.proxy import Proxy

SETTINGS = {"fsync": "off", "max_connections": "150", "log_min_messages": "fatal"}
"""A process that is killed loses nothing of what it wrote to a file, only a machine does: so no fsync."""


class Database:
    """One PostgreSQL server with the databases of some services."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._server: PostgresServer | None = None

    @property
    def server(self) -> PostgresServer:
        """The running server."""
        assert self._server, f"{self.directory} does not run"
        return self._server

    async def start(self, settings: Mapping[str, str] | None = None) -> None:
        """Start it, also after a crash; with settings beside the usual ones."""
        self._server = await start_postgres(self.directory, settings={**SETTINGS, **(settings or {})})

    async def stop(self) -> None:
        """Stop it cleanly; also if it does not run."""
        server, self._server = self._server, None
        if server:
            await server.stop()

    async def kill(self) -> None:
        """End the server by `kill -9`; those that it started end by themselves."""
        os.kill(self.server.pid, signal.SIGKILL)
        await self.stop()


class Broker:
    """The broker, and a proxy before it for each of the workers that reach it by one."""

    def __init__(self, directory: Path, workers: tuple[str, ...]) -> None:
        self.directory = directory
        self.port = free_port()
        self._detours = {worker: (free_port(), free_port()) for worker in workers}
        self.proxies = {worker: Proxy(listens) for worker, (listens, _) in self._detours.items()}
        self._server: KafkaServer | None = None

    @property
    def bootstrap(self) -> str:
        """The address without a detour."""
        return f"127.0.0.1:{self.port}"

    def proxy_port(self, worker: str) -> int:
        """The port of the proxy of a worker."""
        return self._detours[worker][1]

    def address(self, worker: str) -> str:
        """The address for a worker: by its proxy, if it has one."""
        return f"127.0.0.1:{self.proxy_port(worker)}" if worker in self._detours else self.bootstrap

    async def start(self) -> None:
        """Start it where it was, also after a crash."""
        detours = dict(self._detours.values())
        self._server = await start_kafka(self.directory, port=self.port, detours=detours)

    async def stop(self) -> None:
        """Stop it cleanly; also if it does not run."""
        server, self._server = self._server, None
        if server:
            await server.stop()

    async def kill(self) -> None:
        """End it by `kill -9`."""
        assert self._server, "the broker does not run"
        os.kill(self._server.pid, signal.SIGKILL)
        await self.stop()
