"""Other systems' own clients read what we publish, and the program of the page on subscribing does what it says."""

import json
import os
import re
import shlex
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from cloudevents.core.base import BaseCloudEvent
from cloudevents.core.bindings.kafka import KafkaMessage, from_kafka_event
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from confluent_kafka import Consumer, Message, TopicPartition

from steerco_events.cloudevents import ATTRIBUTES, attributes_of
from steerco_events.contracts.risk import RiskClosed
from steerco_events.envelope import Recorded
from steerco_events.ids import derived_id, new_id
from steerco_events.kafka.publisher import KafkaPublisher
from steerco_events.kafka.topics import create_topics, events_topic
from steerco_events.ports import Cursor
from steerco_events.positions import PARTITIONS
from steerco_events.postgres.checkpoints import Checkpoints
from steerco_events.postgres.store import Write
from steerco_events.relay import CONSUMER, Relay
from steerco_events.testkit.logs import Log, fresh_log, read_on, running, until
from steerco_events.testkit.tally import Counted, Labeled
from steerco_servers.jars import find_java, kafka_jars, kafka_tools
from steerco_servers.testing import TemporaryKafka, TemporaryPostgres
from steerco_service.testkit.serving import log_only, serving

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "subscribe.md"
RARE = "Größe «n»\u2028 \U0001f600"
PATIENCE = 60


def block(language: str) -> str:
    """The one block of that language on the page."""
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    return str(found)


@dataclass(frozen=True)
class Published:
    """A log, and its topic as the relay fills it."""

    log: Log
    bootstrap: str

    @property
    def topic(self) -> str:
        return events_topic(self.log.service)

    async def write(self, streams: int, times: int) -> None:
        for n in range(streams * times):
            context = replace(self.log.context().concerning(derived_id("unit", 1)), reason=RARE if n % 3 else None)
            stream = f"tally-{n % streams}"
            async with self.log.engine.begin() as tx:
                version = (await self.log.store.read_stream(tx, stream)).version
                await self.log.store.append(tx, [Write(stream, version, [Counted(by=n)])], context)
        await self.log.append("tally-labeled", Labeled(label=RARE))
        await self.log.seal()

    async def events(self) -> Sequence[Recorded]:
        return (await self.log.feed().read(Cursor(), 1000)).events

    async def relay(self) -> None:
        """Publish what is sealed, by the relay of production."""
        events = await self.events()
        relay = Relay(self.log.engine, self.log.feed(), KafkaPublisher(self.log.service, self.bootstrap, 1))
        async with running(relay.run):
            await until(partial(self._is_relayed, events[-1].position), "all is relayed")

    async def _is_relayed(self, position: int) -> bool:
        async with self.log.engine.connect() as connection:
            cursor = await Checkpoints(CONSUMER).load(connection, self.log.service)
        return min(cursor.positions) >= position

    async def publish(self, events: Sequence[Recorded]) -> None:
        """Publish these, once more."""
        publisher = KafkaPublisher(self.log.service, self.bootstrap, 1)
        try:
            await publisher.publish(events)
        finally:
            await publisher.close()

    async def make_topic_anew(self) -> None:
        """As after a broker that lost it: the topic is empty."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        try:
            await admin.delete_topics([self.topic])
            await until(partial(self._is_gone, admin), "the topic is gone")
        finally:
            await admin.close()
        await create_topics(self.bootstrap, [self.log.service], replication=1)

    async def _is_gone(self, admin: AIOKafkaAdminClient) -> bool:
        return self.topic not in await admin.list_topics()


@pytest.fixture
async def published(postgres: TemporaryPostgres, kafka: TemporaryKafka) -> AsyncIterator[Published]:
    async with fresh_log(postgres) as log:
        topic = Published(log, kafka.bootstrap)
        await topic.write(streams=5, times=6)
        await topic.relay()
        yield topic


def messages(published: Published, count: int) -> list[Message]:
    """The topic, by librdkafka."""
    consumer = Consumer({"bootstrap.servers": published.bootstrap, "group.id": "unused", "enable.auto.commit": False})
    consumer.assign([TopicPartition(published.topic, n, 0) for n in range(PARTITIONS)])
    try:
        found: list[Message] = []
        while len(found) < count:
            more = consumer.consume(count - len(found), timeout=PATIENCE)
            assert more, f"only {len(found)} of {count} messages came"
            assert not any(message.error() for message in more)
            found += more
        return found
    finally:
        consumer.close()


def headers_in(message: Message) -> dict[str, bytes]:
    found = dict(message.headers() or [])
    assert all(isinstance(value, bytes) for value in found.values())
    return cast(dict[str, bytes], found)


@pytest.mark.kafka
async def test_confluent_s_client_reads_each_event_in_binary_mode_and_in_its_partition(published: Published) -> None:
    events = await published.events()
    found = {headers_in(message)["ce_id"].decode(): message for message in messages(published, len(events))}
    for event in events:
        message = found[str(event.id)]
        attributes = dict(attributes_of(event))
        content_type = attributes.pop("datacontenttype")
        assert headers_in(message) == {f"ce_{name}": value.encode() for name, value in attributes.items()} | {
            "content-type": content_type.encode()
        }
        assert (message.key(), message.value()) == (event.stream.encode(), event.data)
        assert message.partition() == event.partition


def check(event: BaseCloudEvent, recorded: Recorded) -> None:
    """That the SDK's event is ours."""
    assert (event.get_id(), event.get_type(), event.get_source()) == (
        str(recorded.id),
        recorded.type,
        f"urn:steerco:{recorded.service}",
    )
    assert (event.get_subject(), event.get_time()) == (recorded.stream, recorded.recorded_at)
    assert (event.get_dataschema(), event.get_datacontenttype()) == (recorded.schema, "application/json")
    assert event.get_data() == json.loads(recorded.data)
    for name in ATTRIBUTES[ATTRIBUTES.index("partitionkey") :]:
        assert event.get_extension(name) == attributes_of(recorded).get(name)


@pytest.mark.kafka
async def test_the_sdk_of_cloudevents_understands_each_message(published: Published) -> None:
    events = {str(event.id): event for event in await published.events()}
    for message in messages(published, len(events)):
        event = from_kafka_event(KafkaMessage(headers_in(message), message.key(), message.value() or b""))
        check(event, events.pop(event.get_id()))
    assert not events


async def test_the_sdk_of_cloudevents_understands_each_event_of_a_page(postgres: TemporaryPostgres) -> None:
    async with serving([log_only("risk")], postgres) as served:
        for n in range(5):
            closed = RiskClosed(risk_id=new_id(), project_id=new_id())
            await served.append("risk", f"risk-{n}", closed, reason=RARE, units=(new_id(), new_id()))
        await served.settled()
        batch = json.loads((await (await served.client("risk")).get("/events")).content)
        events, _ = await read_on(served.runtime("risk").open_feed("risk"), Cursor(), 5)
    for item, event in zip(batch, events, strict=True):
        check(JSONFormat().read(CloudEvent, json.dumps(item)), event)


@pytest.mark.kafka
async def test_kafka_s_own_console_consumer_prints_each_event_with_its_headers(published: Published) -> None:
    events = await published.events()
    jars = [await kafka_jars(print), await kafka_tools(print)]
    settings = {"KAFKA": published.bootstrap, "TOPIC": published.topic}
    program, *options = shlex.split(re.sub(r"\$(\w+)", lambda name: settings[name[1]], block("sh")))
    assert program == "kafka-console-consumer.sh"
    done = subprocess.run(
        [
            find_java(),
            "-Dfile.encoding=UTF-8",
            "-Dstdout.encoding=UTF-8",
            "-cp",
            ":".join(f"{each}/*" for each in jars),
            "org.apache.kafka.tools.consumer.ConsoleConsumer",
            *options,
            *("--max-messages", str(len(events))),
        ],
        capture_output=True,
        timeout=PATIENCE,
        check=True,
    )
    printed = {line for line in done.stdout.decode().split("\n") if line}
    assert printed == {
        "\t".join([",".join(f"{name}:{value}" for name, value in headers(event)), event.stream, event.data.decode()])
        for event in events
    }


def headers(event: Recorded) -> Sequence[tuple[str, str]]:
    named = attributes_of(event).items()
    return [("content-type" if name == "datacontenttype" else f"ce_{name}", value) for name, value in named]


@dataclass(frozen=True)
class Program:
    """The program of the page, with a database of its own."""

    file: Path
    published: Published

    @property
    def database(self) -> Path:
        return self.file.with_suffix(".db")

    def run(self, expect: int = 0) -> str:
        """Run it to the end of the topic; what it said when it failed."""
        done = subprocess.run(
            [sys.executable, self.file, self.published.bootstrap, self.published.topic, self.database],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
            env=os.environ,
        )
        assert done.returncode == expect, done.stderr
        return done.stderr

    def copied(self) -> dict[str, list[tuple[Any, ...]]]:
        """What it has, by stream, in the order in which it came."""
        found: dict[str, list[tuple[Any, ...]]] = {}
        with sqlite3.connect(self.database) as connection:
            for row in connection.execute("SELECT subject, id, type, stream_version, data FROM events ORDER BY rowid"):
                found.setdefault(row[0], []).append(row[1:])
        connection.close()
        return found

    async def wanted(self) -> dict[str, list[tuple[Any, ...]]]:
        found: dict[str, list[tuple[Any, ...]]] = {}
        for event in await self.published.events():
            row = (str(event.id), event.type, event.stream_version, event.data.decode())
            found.setdefault(event.stream, []).append(row)
        return found


@pytest.fixture
def program(published: Published, tmp_path: Path) -> Program:
    file = tmp_path / "copy_events.py"
    file.write_text(block("python"))
    return Program(file, published)


@pytest.mark.kafka
async def test_the_program_of_the_page_copies_each_event_once_however_often_it_is_sent(program: Program) -> None:
    published = program.published
    events = await published.events()
    await published.publish(events[:20])
    program.run()
    assert program.copied() == await program.wanted()
    await published.publish(events[5:25])
    await published.write(streams=5, times=2)
    await published.relay()
    program.run()
    program.run()
    assert program.copied() == await program.wanted()


@pytest.mark.kafka
async def test_the_program_of_the_page_goes_on_with_a_topic_that_was_made_anew(program: Program) -> None:
    published = program.published
    program.run()
    await published.make_topic_anew()
    await published.write(streams=3, times=1)
    await published.publish(await published.events())
    program.run()
    assert program.copied() == await program.wanted()


@pytest.mark.kafka
async def test_the_program_of_the_page_stops_where_the_log_was_restored(program: Program) -> None:
    program.run()
    before = program.copied()
    last = (await program.published.events())[-1]
    await program.published.publish([replace(last, id=new_id(), generation=2)])
    assert f"?after=1.{last.position}" in program.run(expect=1)
    assert program.copied() == before
