"""AsyncAPI 3: the topics as a subscriber meets them, made of the contracts.

`python -m steerco_events.reference.asyncapi docs/reference` writes `asyncapi.yaml` anew, with the events of
`samples.json` as examples.
"""

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from aiokafka.admin import NewTopic

from steerco_events.contracts.catalog import REGISTRIES
from steerco_events.kafka.headers import header_of
from steerco_events.kafka.topics import topics_of
from steerco_events.positions import Head
from steerco_events.reference.attributes import attributes_schema
from steerco_events.reference.compatibility import Schema
from steerco_events.reference.field_docs import contracts_doc
from steerco_events.reference.golden import example
from steerco_events.reference.samples import Sample, read
from steerco_events.reference.schemas import parts_of
from steerco_events.reference.yaml_text import yaml_text
from steerco_events.registry import EventType, Registry

REPLICATION = 3
KAFKA_BINDING = "0.5.0"
DESCRIPTION = """\
What happened in the project office, as its services publish it: CloudEvents 1.0 in Kafka's binary mode. The
attributes are record headers, the value is the data in JSON.

Events of one stream come in their order, each at least once. Take a version of a type you know that is newer than
those described here as a reason to stop, and pass over types and fields that you do not know.\
"""
_JSON = "application/json"
_WORDS: Mapping[str, Callable[[str], Any]] = {
    "retention.ms": int,
    "retention.bytes": int,
    "cleanup.policy": lambda policy: [policy],
}


def document(registries: Sequence[Registry] = REGISTRIES, samples: Mapping[str, Sample] | None = None) -> Schema:
    """The AsyncAPI document of these services' topics; `samples` by the names of their schemas."""
    event_types = [event_type for registry in registries for event_type in registry]
    services = [str(registry.service) for registry in registries]
    head, head_parts = _payload(Head)
    schemas: dict[str, Schema] = {}
    for name, whole, parts in [
        ("Head", head, head_parts),
        *((_key(each), *_payload(each.payload)) for each in event_types),
    ]:
        for part, schema in {name: whole, **parts}.items():
            if schemas.setdefault(part, schema) != schema:
                raise ValueError(f"two values are called {part}")
    return {
        "asyncapi": "3.0.0",
        "id": "urn:steerco:events",
        "info": {"title": "Steerco's events", "version": "1.0.0", "description": DESCRIPTION},
        "defaultContentType": _JSON,
        "servers": {
            "kafka": {
                "host": "{bootstrap}",
                "protocol": "kafka",
                "description": "The brokers of the deployment. Who reads them directly sees every unit.",
                "variables": {"bootstrap": {"default": "localhost:9092", "description": "Host and port of a broker."}},
            }
        },
        "channels": dict(_channels(registries)),
        "operations": dict(_operations(registries)),
        "components": {
            "messages": {
                **{_key(each): _message(each, (samples or {}).get(each.schema)) for each in event_types},
                **{f"{service}-head": _head_message(service) for service in services},
            },
            "messageTraits": {"cloudEvent": _trait()},
            "schemas": dict(sorted(schemas.items())),
        },
    }


def _channels(registries: Iterable[Registry]) -> Iterable[tuple[str, Schema]]:
    for registry in registries:
        service = str(registry.service)
        events, head = topics_of(service, REPLICATION)
        yield (
            f"{service}Events",
            _channel(
                events, f"Events of {service}", told_of(registry), {_local(each): _key(each) for each in registry}
            ),
        )
        heads = "How far the log is complete: the newest record counts. No event will be sealed before its watermark."
        yield f"{service}Head", _channel(head, f"Head of {service}'s log", heads, {"head": f"{service}-head"})


def told_of(registry: Registry) -> str:
    """What a service's contracts say of its events and their streams."""
    first = next(iter(registry))
    paragraphs = contracts_doc(first.payload).split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def _channel(topic: NewTopic, title: str, description: str, messages: Mapping[str, str]) -> Schema:
    return {
        "address": topic.name,
        "title": title,
        "description": description,
        "servers": [{"$ref": "#/servers/kafka"}],
        "messages": {name: {"$ref": f"#/components/messages/{key}"} for name, key in messages.items()},
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": topic.num_partitions,
                "replicas": topic.replication_factor,
                "topicConfiguration": {
                    name: word(topic.topic_configs[name])
                    for name, word in _WORDS.items()
                    if name in topic.topic_configs
                },
                "bindingVersion": KAFKA_BINDING,
            }
        },
    }


def _operations(registries: Iterable[Registry]) -> Iterable[tuple[str, Schema]]:
    for registry in registries:
        service = str(registry.service)
        events, head = f"{service}Events", f"{service}Head"
        yield (
            f"receive{events[0].upper()}{events[1:]}",
            _receive(events, f"Follow what happens in {service}.", [_local(each) for each in registry]),
        )
        yield (
            f"receive{head[0].upper()}{head[1:]}",
            _receive(head, f"Learn how far {service}'s log is complete.", ["head"]),
        )


def _receive(channel: str, summary: str, messages: Iterable[str]) -> Schema:
    return {
        "action": "receive",
        "channel": {"$ref": f"#/channels/{channel}"},
        "summary": summary,
        "messages": [{"$ref": f"#/channels/{channel}/messages/{name}"} for name in messages],
    }


def _message(event_type: EventType, sample: Sample | None) -> Schema:
    doc = " ".join((event_type.payload.__doc__ or "").split())
    unwritten = {} if event_type.written else {"description": "Read by this release, and written by the next."}
    return {
        "name": event_type.name,
        "title": f"{event_type.name.rpartition('.')[2]}, version {event_type.version}",
        "summary": doc,
        **unwritten,
        "contentType": _JSON,
        "headers": {
            "type": "object",
            "properties": {"ce_type": {"const": event_type.name}, "ce_dataschema": {"const": event_type.schema}},
        },
        "payload": {"$ref": f"#/components/schemas/{_key(event_type)}"},
        "traits": [{"$ref": "#/components/messageTraits/cloudEvent"}],
        "examples": [_example(event_type, sample)],
    }


def _example(event_type: EventType, sample: Sample | None) -> Schema:
    if sample is None:
        return {"name": "everyField", "payload": msgspec.to_builtins(example(event_type))}
    headers = {header_of(name): value for name, value in sample.items() if name != "data"}
    return {"name": "asItHappened", "headers": headers, "payload": sample["data"]}


def _trait() -> Schema:
    return {
        "headers": attributes_schema(header_of),
        "bindings": {
            "kafka": {
                "key": {"type": "string", "description": "The stream, as in `ce_subject`."},
                "bindingVersion": KAFKA_BINDING,
            }
        },
    }


def _head_message(service: str) -> Schema:
    key = {"type": "string", "enum": [service]}
    return {
        "name": f"steerco.{service}.head",
        "title": f"Head of {service}'s log",
        "contentType": _JSON,
        "payload": {"$ref": "#/components/schemas/Head"},
        "bindings": {"kafka": {"key": key, "bindingVersion": KAFKA_BINDING}},
    }


def _payload(value: type[Any]) -> tuple[Schema, Mapping[str, Schema]]:
    whole, parts = parts_of(value, "#/components/schemas/{name}")
    return _referring(whole), {name: _referring(part) for name, part in parts.items()}


def _referring(node: Any) -> Any:
    """Beside a reference nothing may stand in AsyncAPI."""
    match node:
        case {"$ref": _} if len(node) > 1:
            return {"allOf": [{"$ref": node["$ref"]}], **{key: each for key, each in node.items() if key != "$ref"}}
        case dict():
            return {key: _referring(each) for key, each in node.items()}
        case list():
            return [_referring(each) for each in node]
        case _:
            return node


def _local(event_type: EventType) -> str:
    return f"{event_type.name.rpartition('.')[2]}-v{event_type.version}"


def _key(event_type: EventType) -> str:
    """A name without dots: some generators of code take no other."""
    _, service, _ = event_type.name.split(".")
    return f"{service}-{_local(event_type)}"


def write(folder: Path) -> None:
    """Write the document anew."""
    told = document(samples=read(folder / "samples.json"))
    (folder / "asyncapi.yaml").write_text(yaml_text(told), encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
