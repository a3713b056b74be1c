import asyncio
import os
import shutil
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaConnectionError, UnknownTopicOrPartitionError

from steerco_servers.child import runs
from steerco_servers.jars import find_java, kafka_jars
from steerco_servers.kafka import KafkaServer, ServerFailed, ServerMissing, remove_kafka, start_kafka
from steerco_servers.kafka_security import Operator, kept_passwords

pytestmark = [pytest.mark.kafka, pytest.mark.usefixtures("own_kafka")]

type Script = Callable[..., Awaitable[Process]]
type Eventually = Callable[[Callable[[], bool]], Awaitable[None]]

PARENT = """
import asyncio, sys
from pathlib import Path
from steerco_servers.kafka import start_kafka

async def main():
    server = await start_kafka(Path(sys.argv[1]))
    print(server.pid, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.fixture
async def data_dir(scratch: Path) -> AsyncIterator[Path]:
    yield scratch / "dätä dir"
    await remove_kafka(scratch / "dätä dir")


@pytest.fixture(scope="module")
async def written(own_kafka: None) -> AsyncIterator[Path]:
    """The data directory of a broker that let in anybody, took a record and has ended."""
    with TemporaryDirectory(prefix="steerco-", dir="/tmp") as directory:
        path = Path(directory) / "dätä dir"
        async with await start_kafka(path) as server:
            await make_topic(server)
            await produce(server, b"raised")
            assert await consumed(server) == b"raised"
        assert not runs(server.pid)
        yield path


@pytest.fixture
def continued(written: Path, data_dir: Path) -> Path:
    """A copy, in which a broker goes on."""
    shutil.copytree(written, data_dir)
    return data_dir


@pytest.fixture(scope="module")
async def running(written: Path) -> AsyncIterator[KafkaServer]:
    """A broker that went on in a copy, for all specs that leave it as it is."""
    path = written.parent / "went on"
    shutil.copytree(written, path)
    async with await start_kafka(path) as server:
        yield server


async def produce(server: KafkaServer, value: bytes) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=server.bootstrap, acks="all", enable_idempotence=True)
    await producer.start()
    try:
        await producer.send_and_wait("steerco.risk.events.v1", value, partition=0)
    finally:
        await producer.stop()


async def consumed(server: KafkaServer, **login: str) -> bytes | None:
    consumer = AIOKafkaConsumer(bootstrap_servers=server.bootstrap, auto_offset_reset="none", **login)
    try:
        await consumer.start()
        partition = TopicPartition("steerco.risk.events.v1", 0)
        consumer.assign([partition])
        consumer.seek(partition, 0)
        record = await asyncio.wait_for(consumer.getone(), 30)
        value: bytes | None = record.value
        return value
    finally:
        await consumer.stop()


async def make_topic(server: KafkaServer) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=server.bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic("steerco.risk.events.v1", 12, 1)])
    finally:
        await admin.close()


async def test_a_record_is_produced_and_consumed_also_after_a_restart(running: KafkaServer) -> None:
    assert await consumed(running) == b"raised"


async def test_a_directory_is_of_one_broker_at_a_time(running: KafkaServer) -> None:
    with pytest.raises(ServerFailed, match=f"is in use by process {os.getpid()}$"):
        await start_kafka(running.data_dir)


async def test_a_broker_that_let_in_anybody_lets_in_only_its_operator_once_it_has_one(continued: Path) -> None:
    operator = Operator('pass"wörd\\')
    async with await start_kafka(continued, operator=operator) as server:
        with pytest.raises(KafkaConnectionError):
            await consumed(server)
        login = {"sasl_plain_username": operator.user, "sasl_plain_password": operator.password}
        secured = {"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "PLAIN", **login}
        assert await consumed(server, **secured) == b"raised"
        with pytest.raises(KafkaConnectionError):
            await consumed(server, **secured | {"sasl_plain_password": "another"})
    await server.stop()
    properties = continued / "server.properties"
    assert properties.stat().st_mode & 0o777 == 0o600
    assert operator.password not in repr(operator)


def test_passwords_are_kept_for_their_owner_alone_and_made_once(tmp_path: Path) -> None:
    file = tmp_path / "users.json"
    first = kept_passwords(file, ["operator", "risk"])
    assert kept_passwords(file, ["risk", "finance"])["risk"] == first["risk"]
    assert kept_passwords(file, ["operator"]) == {"operator": first["operator"]}
    assert len({*first.values()}) == 2
    assert file.stat().st_mode & 0o777 == 0o600


async def test_a_killed_parent_takes_its_broker_with_it_and_a_start_right_after_works(
    data_dir: Path, script: Script, eventually: Eventually
) -> None:
    parent = await script(PARENT, data_dir)
    assert parent.stdout is not None
    pid = int(await asyncio.wait_for(parent.stdout.readline(), 120))
    parent.kill()
    async with await start_kafka(data_dir) as server:
        await eventually(lambda: not runs(pid))
        assert server.alive


async def test_a_topic_is_never_made_by_itself(running: KafkaServer) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=running.bootstrap, request_timeout_ms=500)
    await producer.start()
    with pytest.raises(UnknownTopicOrPartitionError):
        await producer.send("steerco.never-made.events.v1", b"lost")
    await producer.stop()


async def test_a_port_in_use_is_one_clear_error(continued: Path) -> None:
    taken = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = taken.sockets[0].getsockname()[1]
    with pytest.raises(ServerFailed, match="Address already in use") as refused:
        await start_kafka(continued, port=port)
    assert "\n" not in str(refused.value)
    taken.close()
    await taken.wait_closed()


async def test_a_missing_java_or_maven_is_named(data_dir: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    java = find_java()
    with monkeypatch.context() as bare:
        bare.setenv("PATH", str(scratch))
        bare.setenv("JAVA_HOME", str(scratch / "nothing"))
        bare.setattr("steerco_servers.jars.find_spec", lambda _: None)
        with pytest.raises(ServerMissing, match=r"^Java 17 or newer is missing"):
            await start_kafka(data_dir)
        bare.setenv("JAVA_HOME", str(java.resolve().parents[1]))
        bare.setenv("STEERCO_CACHE", str(scratch / "cache"))
        with pytest.raises(ServerMissing, match=r"^Maven"):
            await start_kafka(data_dir)
    assert not data_dir.exists()


async def test_jars_are_fetched_once_however_many_ask(monkeypatch: pytest.MonkeyPatch, scratch: Path) -> None:
    """With a Maven that counts its calls and copies the jars that are there already."""
    jars = await kafka_jars(lambda _: None)
    maven = scratch / "bin" / "mvn"
    maven.parent.mkdir()
    copy = shutil.which("cp")
    maven.write_text(
        f'#!/bin/sh\necho called >>"{scratch}/calls"\n'
        f'for option; do case "$option" in -DoutputDirectory=*) {copy} -R "{jars}" "${{option#*=}}";; esac; done\n'
    )
    maven.chmod(0o755)
    monkeypatch.setenv("PATH", f"{maven.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("STEERCO_CACHE", str(scratch / "cache"))

    first, second = await asyncio.gather(kafka_jars(lambda _: None), kafka_jars(lambda _: None))

    assert first == second
    assert (scratch / "calls").read_text() == "called\n"
    assert {path.name for path in first.parent.iterdir()} == {first.name, "lock"}
