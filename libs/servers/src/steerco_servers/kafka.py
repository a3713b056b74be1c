"""A single node of Apache Kafka (KRaft) as a child process."""

import base64
import os
import shutil
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from uuid import uuid4

from steerco_servers.child import (
    Child,
    ServerFailed,
    ServerMissing,
    clean_environment,
    free_port,
    on_port,
    quiet,
    start_child,
)
from steerco_servers.directory import DirectoryLock, lock_let_go, read_private, write_private
from steerco_servers.jars import find_java, kafka_jars
from steerco_servers.kafka_security import Operator, security_of
from steerco_servers.running import RunningServer

__all__ = ["KafkaServer", "ServerFailed", "ServerMissing", "remove_kafka", "start_kafka"]

_RECORD = "kafka.json"
_LOCK = Path("log", ".lock")
"""Kafka's own."""
_CLIENTS = "CLIENTS"
"""The listener that clients come to."""

_STOP = ((signal.SIGTERM, 30.0),)
_STARTED = b"Kafka Server started"
_OPTIONS = {
    "node.id": "1",
    "process.roles": "broker,controller",
    "controller.listener.names": "CONTROLLER",
    "auto.create.topics.enable": "false",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    "group.initial.rebalance.delay.ms": "0",
    "log.retention.ms": "-1",
    "log.cleaner.dedupe.buffer.size": "16777216",
    "num.io.threads": "4",
    "background.threads": "4",
}


class KafkaServer(RunningServer):
    """A running broker."""

    def __init__(self, port: int, child: Child, lock: DirectoryLock) -> None:
        super().__init__(port, child, lock, _STOP)

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def data_dir(self) -> Path:
        return self._lock.directory


async def start_kafka(
    data_dir: Path,
    *,
    port: int | None = None,
    detours: Mapping[int, int] = MappingProxyType({}),
    operator: Operator | None = None,
    progress: Callable[[str], None] = quiet,
    within: float = 60.0,
) -> KafkaServer:
    """Start the broker of that data directory on 127.0.0.1, a free port unless one is given. Ready on return.

    `detours` are more ports that it listens on, each with the port of a proxy before it: whoever comes by one is told
    to come back by its proxy. With an `operator` nobody else is let in until the operator says so, whether or not there
    was one at earlier starts; without, everybody is, and may do everything.
    The first start on a machine fetches the jars, up to 10 minutes; `within`, in seconds, bounds the broker's
    own start. Topics are never made by themselves; all data stays until it is removed.
    Must be called on the main thread. Raises ServerMissing (Java 17+, Maven) or ServerFailed, in one line, and
    leaves no process behind, also when cancelled.
    """
    java = find_java()
    jars = await kafka_jars(progress)
    lock = await DirectoryLock.take(data_dir.resolve())
    try:
        await lock_let_go(lock.directory / _LOCK, "Kafka broker", progress)
        await _format(lock.directory, java, jars, progress)
        progress("starting Kafka")

        async def broker(number: int) -> KafkaServer:
            child = await _start(lock.directory, java, jars, number, detours, operator, within)
            return KafkaServer(number, child, lock)

        return await on_port(port, broker)
    except BaseException:
        lock.release()
        raise


async def remove_kafka(data_dir: Path) -> None:
    """Remove a stopped broker's data, and the directory if nothing else is in it. ServerFailed while it runs."""
    if not data_dir.exists():
        return
    lock = await DirectoryLock.take(data_dir.resolve())
    try:
        await lock_let_go(lock.directory / _LOCK, "Kafka broker", quiet)
        for folder in ("log", "tmp"):
            shutil.rmtree(lock.directory / folder, ignore_errors=True)
        for name in (_RECORD, "server.properties", "kafka.log", "kafka.log.1"):
            (lock.directory / name).unlink(missing_ok=True)
        lock.release_and_remove()
    finally:
        lock.release()


async def _start(
    data_dir: Path,
    java: Path,
    jars: Path,
    port: int,
    detours: Mapping[int, int],
    operator: Operator | None,
    within: float,
) -> Child:
    _write_properties(data_dir, port, detours, operator)
    log = data_dir / "kafka.log"
    if log.exists():
        log.replace(data_dir / "kafka.log.1")
    child = _java(
        "Kafka",
        data_dir,
        java,
        jars,
        "-Xms128m",
        "-Xmx512m",
        "-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info",
        "kafka.Kafka",
    )

    async def says_started() -> bool:
        return _STARTED in log.read_bytes()

    try:
        await child.until(says_started, within)
    except BaseException:
        await child.stop(_STOP)
        raise
    return child


async def _format(data_dir: Path, java: Path, jars: Path, progress: Callable[[str], None]) -> None:
    """Give the log directory its identity, once; after a crash in between, again."""
    record = read_private(data_dir / _RECORD)
    if record.get("formatted"):
        return
    progress("making the Kafka log")
    shutil.rmtree(data_dir / "log", ignore_errors=True)
    _write_properties(data_dir, free_port(), {}, None)
    # A leading dash would be read as an option.
    identity = "k" + base64.urlsafe_b64encode(uuid4().bytes).decode().rstrip("=")[1:]
    arguments = ("kafka.tools.StorageTool", "format", "--standalone", "-t", identity, "-c")
    child = _java("Kafka's StorageTool", data_dir, java, jars, *arguments)
    try:
        await child.completed(within=60)
    finally:
        await child.stop(_STOP)
    write_private(data_dir / _RECORD, {"cluster": identity, "formatted": True})


def _java(name: str, data_dir: Path, java: Path, jars: Path, *arguments: str) -> Child:
    """Run a main class on the properties, which follow the arguments."""
    (data_dir / "tmp").mkdir(exist_ok=True)
    options = [
        "-XX:+UseSerialGC",
        "-XX:-UsePerfData",  # else a file in /tmp
        f"-XX:ErrorFile={data_dir / 'tmp' / 'java-error.log'}",
        f"-Djava.io.tmpdir={data_dir / 'tmp'}",
        "-Djava.awt.headless=true",
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
        "-Dorg.slf4j.simpleLogger.showDateTime=true",
        "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSX",
    ]
    return start_child(
        name,
        [java, *options, "-cp", f"{jars}/*", *arguments, data_dir / "server.properties"],
        log=data_dir / "kafka.log",
        death_signal=signal.SIGTERM,
        environment=clean_environment(LC_ALL="C.UTF-8"),  # else Java can't read a path beyond ASCII
    )


def _write_properties(data_dir: Path, port: int, detours: Mapping[int, int], operator: Operator | None) -> None:
    controller = free_port()
    if "," in str(data_dir):
        raise ServerFailed(f"Kafka cannot keep its log in {data_dir}: the path has a comma")
    listens = {_CLIENTS: port, "CONTROLLER": controller} | {f"DETOUR{each}": each for each in detours}
    advertised = listens | {f"DETOUR{each}": proxy for each, proxy in detours.items()}
    options = {
        **_OPTIONS,
        **security_of(listens, operator),
        "inter.broker.listener.name": _CLIENTS,
        "listeners": _listeners(listens),
        "advertised.listeners": _listeners(advertised),
        "controller.quorum.bootstrap.servers": f"127.0.0.1:{controller}",
        "log.dirs": str(data_dir / "log"),
    }
    lines = [f"{name}={_escaped(value)}\n" for name, value in options.items()]
    file = data_dir / "server.properties"
    file.unlink(missing_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as properties:
        properties.writelines(lines)


def _listeners(ports: Mapping[str, int]) -> str:
    return ",".join(f"{name}://127.0.0.1:{port}" for name, port in ports.items())


def _escaped(value: str) -> str:
    """A value of a Java properties file."""
    units = value.replace("\\", "\\\\").encode("utf-16-be")
    codes = [int.from_bytes(units[i : i + 2]) for i in range(0, len(units), 2)]
    return "".join(chr(code) if 32 < code < 127 else f"\\u{code:04x}" for code in codes)
