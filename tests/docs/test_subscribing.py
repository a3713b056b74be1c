"""Other systems' own clients read what we publish."""

import json
import re
import shlex
import subprocess
from collections.abc import Sequence
from typing import cast

import pytest
from cloudevents.core.base import BaseCloudEvent
from cloudevents.core.bindings.kafka import KafkaMessage, from_kafka_event
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from confluent_kafka import Consumer, Message, TopicPartition

from steerco_events.cloudevents import ATTRIBUTES, attributes_of
from steerco_events.contracts.risk import RiskClosed
from steerco_events.envelope import Recorded
from steerco_events.ids import new_id
from steerco_events.kafka.headers import header_of
from steerco_events.ports import Cursor
from steerco_events.positions import PARTITIONS
from steerco_events.testkit.logs import read_on
from steerco_servers.jars import find_java, kafka_jars, kafka_tools
from steerco_servers.testing import TemporaryPostgres
from steerco_service.testkit.serving import log_only, serving
from tests.docs.published import PATIENCE, RARE, Published, block


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
    printed = [line.split("\t", 2) for line in done.stdout.decode().split("\n") if line]
    assert sorted((sorted(headers.split(",")), key, value) for headers, key, value in printed) == sorted(
        (sorted(",".join(headers_as_printed(event)).split(",")), event.stream, event.data.decode()) for event in events
    )


def headers_as_printed(event: Recorded) -> Sequence[str]:
    return [f"{header_of(name)}:{value}" for name, value in attributes_of(event).items()]
