"""The AsyncAPI document hangs together: every reference leads somewhere, every event is received, examples are valid.

That the document is valid by AsyncAPI's own schema was seen once, by hand; here are the fields that it may have.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import reduce
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from steerco_events import cloudevents
from steerco_events.contracts.catalog import CATALOG, REGISTRIES
from steerco_events.envelope import Recorded
from steerco_events.ids import derived_id
from steerco_events.kafka.headers import header_of, headers_of
from steerco_events.kafka.topics import events_topic, head_topic, topics_of
from steerco_events.reference.asyncapi import REPLICATION, document
from steerco_events.reference.attributes import ATTRIBUTES
from steerco_events.reference.golden import example
from steerco_events.reference.samples import samples
from steerco_events.reference.yaml_text import HEAD, yaml_text
from steerco_events.testkit.recorded import BEGIN, log_of
from steerco_events.testkit.two_releases import READING, Arrived, ArrivedV1

KEY = re.compile(r"[A-Za-z0-9_-]+")
FIELDS = {
    "document": {"asyncapi", "id", "info", "defaultContentType", "servers", "channels", "operations", "components"},
    "channel": {"address", "title", "description", "servers", "messages", "bindings"},
    "channel binding": {"topic", "partitions", "replicas", "topicConfiguration", "bindingVersion"},
    "operation": {"action", "channel", "summary", "messages"},
    "message": {
        "name",
        "title",
        "summary",
        "description",
        "contentType",
        "headers",
        "payload",
        "traits",
        "examples",
        "bindings",
    },
    "trait": {"headers", "bindings"},
    "example": {"name", "headers", "payload"},
}


def sampled() -> Mapping[str, Any]:
    """A sample of each event of the catalog, with its example as data."""
    logs: dict[str, list[Recorded]] = {}
    for registry in REGISTRIES:
        service = str(registry.service)
        log = log_of([[(f"{service}-1", example(each))] for each in registry], service, registry)
        logs[service] = [
            replace(event, reason="Why not", org_units=(derived_id("unit", 1), derived_id("unit", 2)), valid_at=BEGIN)
            for event in log
        ]
    return {each["dataschema"]: each for each in samples(logs)}


DOCUMENT = document(samples=sampled())
SERVICES = [str(registry.service) for registry in REGISTRIES]


def at(pointer: str, told: Any = DOCUMENT) -> Any:
    """What a reference leads to. `KeyError` if that is nothing."""
    assert pointer.startswith("#/")
    return reduce(lambda node, name: node[name], pointer.removeprefix("#/").split("/"), told)


def references(node: Any) -> Iterator[Mapping[str, Any]]:
    match node:
        case {"$ref": _}:
            yield node
        case dict():
            for each in node.values():
                yield from references(each)
        case list():
            for each in node:
                yield from references(each)


def headers_schema(message: Mapping[str, Any]) -> Mapping[str, Any]:
    """The headers of a message with those of its trait."""
    (trait,) = message["traits"]
    common = at(trait["$ref"])["headers"]
    return {**common, "properties": common["properties"] | message["headers"]["properties"]}


def test_every_reference_leads_somewhere_and_stands_alone() -> None:
    found = list(references(DOCUMENT))
    assert found
    for reference in found:
        assert len(reference) == 1
        assert at(reference["$ref"])


def test_it_has_no_fields_but_those_of_asyncapi() -> None:
    components = DOCUMENT["components"]
    messages = components["messages"].values()
    assert DOCUMENT["asyncapi"] == "3.0.0"
    assert DOCUMENT.keys() == FIELDS["document"]
    assert all(each.keys() == FIELDS["channel"] for each in DOCUMENT["channels"].values())
    assert all(each["bindings"]["kafka"].keys() == FIELDS["channel binding"] for each in DOCUMENT["channels"].values())
    assert all(each.keys() == FIELDS["operation"] for each in DOCUMENT["operations"].values())
    assert all(each.keys() <= FIELDS["message"] for each in messages)
    assert all(each.keys() == FIELDS["trait"] for each in components["messageTraits"].values())
    assert all(each.keys() <= FIELDS["example"] for message in messages for each in message.get("examples", []))
    for named in (components["messages"], components["schemas"], DOCUMENT["channels"], DOCUMENT["operations"]):
        assert all(KEY.fullmatch(name) for name in named)


@pytest.mark.parametrize("service", SERVICES)
def test_a_channel_is_a_topic_as_it_is_made(service: str) -> None:
    channels = DOCUMENT["channels"]
    for topic, channel in zip(
        topics_of(service, REPLICATION), (channels[f"{service}Events"], channels[f"{service}Head"]), strict=True
    ):
        binding = channel["bindings"]["kafka"]
        assert channel["address"] == binding["topic"] == topic.name
        assert (binding["partitions"], binding["replicas"]) == (topic.num_partitions, topic.replication_factor)
        assert binding["topicConfiguration"]["cleanup.policy"] == [topic.topic_configs["cleanup.policy"]]
    assert channels[f"{service}Events"]["address"] == events_topic(service)
    assert channels[f"{service}Head"]["address"] == head_topic(service)
    assert channels[f"{service}Events"]["bindings"]["kafka"]["topicConfiguration"]["retention.ms"] == -1


def test_each_channel_is_received_with_all_its_messages() -> None:
    received = {each["channel"]["$ref"]: each for each in DOCUMENT["operations"].values()}
    assert received.keys() == {f"#/channels/{name}" for name in DOCUMENT["channels"]}
    for channel, operation in received.items():
        assert operation["action"] == "receive"
        names = [each["$ref"] for each in operation["messages"]]
        assert names == [f"{channel}/messages/{name}" for name in at(channel)["messages"]]


def test_each_event_version_is_a_message_of_its_services_channel() -> None:
    for service in SERVICES:
        messages = [at(each["$ref"]) for each in DOCUMENT["channels"][f"{service}Events"]["messages"].values()]
        consts = [each["headers"]["properties"] for each in messages]
        told = {(each["ce_type"]["const"], each["ce_dataschema"]["const"]) for each in consts}
        of_service = [each for each in CATALOG if each.name.startswith(f"steerco.{service}.")]
        assert told == {(each.name, each.schema) for each in of_service}
        assert len(messages) == len(of_service)


def test_every_example_is_valid() -> None:
    events = [each for each in DOCUMENT["components"]["messages"].values() if "examples" in each]
    assert len(events) == len(list(CATALOG))
    for message in events:
        (shown,) = message["examples"]
        headers = Draft7Validator(headers_schema(message), format_checker=Draft7Validator.FORMAT_CHECKER)
        payload = {**message["payload"], "components": DOCUMENT["components"]}
        headers.validate(shown["headers"])
        Draft7Validator(payload, format_checker=Draft7Validator.FORMAT_CHECKER).validate(shown["payload"])
        assert not headers.is_valid(shown["headers"] | {"ce_type": "steerco.intake.pitched"})
        assert not headers.is_valid({name: value for name, value in shown["headers"].items() if name != "ce_id"})


def test_the_headers_are_those_that_are_sent() -> None:
    assert tuple(ATTRIBUTES) == cloudevents.ATTRIBUTES
    (bare,) = log_of([[("ship-a", ArrivedV1(ship="Anna", tonnes=7))]], "dock", READING)
    full = replace(
        bare,
        traceparent="00-1-2-3",
        reason="Why",
        org_units=(derived_id("unit", 1),),
        valid_at=BEGIN,
        on_behalf_of=derived_id("person", 1),
    )
    assert [header_of(name) for name in ATTRIBUTES] == [name for name, _ in headers_of(full)]
    absent = {name for name, _ in headers_of(full)} - {name for name, _ in headers_of(bare)}
    assert absent == {header_of(name) for name in cloudevents.OPTIONAL}


def test_each_version_of_an_event_is_a_message() -> None:
    told = document([READING])
    first, second = (at(each["$ref"], told) for each in told["channels"]["dockEvents"]["messages"].values())
    assert (first["name"], first["title"]) == ("steerco.dock.arrived", "arrived, version 1")
    assert (second["name"], second["title"]) == ("steerco.dock.arrived", "arrived, version 2")
    assert "description" not in first
    assert second["description"] == "Read by this release, and written by the next."
    assert Arrived.__doc__ == second["summary"]


def test_the_document_is_yaml_without_aliases() -> None:
    text = yaml_text(DOCUMENT)
    assert text.startswith(HEAD)
    assert yaml.safe_load(text) == DOCUMENT
    assert not re.search(r"^\s*\S+: [&*]", text, re.MULTILINE)
