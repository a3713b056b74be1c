"""The page of the documentation that lists every event: what it means, its fields, and one as it happened.

`python -m steerco_events.reference.event_page docs/reference` writes `events.md` anew, with the samples of
`samples.json`.
"""

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from steerco_events.cloudevents import OPTIONAL
from steerco_events.contracts.catalog import REGISTRIES
from steerco_events.contracts.values import Figure, Money, StatedDate
from steerco_events.kafka.headers import header_of
from steerco_events.reference.asyncapi import told_of
from steerco_events.reference.attributes import ATTRIBUTES
from steerco_events.reference.compatibility import Schema
from steerco_events.reference.field_docs import contracts_doc
from steerco_events.reference.golden import example
from steerco_events.reference.samples import Sample, read
from steerco_events.reference.schemas import file_name, parts_of
from steerco_events.registry import EventType, Registry

VALUES = (Money, Figure, StatedDate)

_HEAD = """# Events

*Written by `make docs` from the contracts; a test compares.*

What happened, as the services publish it: on each service's Kafka topic `steerco.<service>.events.v1` \
([AsyncAPI](asyncapi.yaml)), keyed by the stream, and on its feed `GET /<service>/events`. Both give \
[CloudEvents 1.0](https://cloudevents.io): over Kafka in binary mode, over HTTP in the JSON form that the samples \
below have.
"""

_RULES = """
Contracts only grow: pass over types and fields that you do not know, but stop at a newer version of a type that you \
know. [How a new version comes](../adr/0011-a-new-version-takes-two-releases.md) is decided; the JSON schema \
(draft 2020-12) of each version is in [schemas](schemas).

The samples are events of the example, and of a few acts beyond it, told once more with a standing clock \
([all in one file](samples.json)); identifiers of commands and events are made up, and positions have no gaps.
"""


def event_page(samples: Mapping[str, Sample], registries: Sequence[Registry] = REGISTRIES) -> str:
    """The text of the page; `samples` by the names of their schemas."""
    return "\n".join(
        [_HEAD, *_contents(registries), *_attributes(), _RULES, *_values(), *_services(registries, samples)]
    )


def _contents(registries: Sequence[Registry]) -> Iterator[str]:
    for registry in registries:
        names = dict.fromkeys(_short(event_type) for event_type in registry)
        yield f"- [{registry.service}](#{registry.service}): {', '.join(f'[{name}](#{name})' for name in names)}"
    yield ""


def _attributes() -> Iterator[str]:
    yield "## What every event carries\n"
    yield "| attribute | Kafka header | meaning |\n| --- | --- | --- |"
    for name, schema in ATTRIBUTES.items():
        absent = " May be absent." if name in OPTIONAL else ""
        yield f"| `{name}` | `{header_of(name)}` | {_cell(schema['description'])}{absent} |"


def _values() -> Iterator[str]:
    yield "## Values\n"
    for value in VALUES:
        schema, _ = parts_of(value, "{name}")
        yield f"### {value.__name__}\n\n{schema['description']}\n"
        yield from _fields(schema)


def _services(registries: Sequence[Registry], samples: Mapping[str, Sample]) -> Iterator[str]:
    for registry in registries:
        yield f"## {registry.service}\n\n{told_of(registry)}\n"
        for event_type in registry:
            yield from _event(event_type, registry, samples.get(event_type.schema))


def _event(event_type: EventType, registry: Registry, sample: Sample | None) -> Iterator[str]:
    schema, _ = parts_of(event_type.payload, "{name}")
    newest = max(each.version for each in registry if each.name == event_type.name)
    older = "" if event_type.version == newest else f", version {event_type.version}"
    yield f"### {_short(event_type)}{older}\n\n{schema['description']}\n"
    stream = f" on the stream `{_stream(event_type, sample)}`" if sample else ""
    yield (
        f"`{event_type.name}`, version {event_type.version}{_use(event_type, registry)}. Published by"
        f" {registry.service}{stream}. [Schema](schemas/{file_name(event_type)})\n"
    )
    yield from _fields(schema)
    shown: Any = sample or example(event_type)
    said = "As it happened" if sample else "Its data, with every field told"
    text = msgspec.json.format(msgspec.json.encode(shown), indent=2).decode()
    yield f"<details><summary>{said}</summary>\n\n```json\n{text}\n```\n\n</details>\n"


def _use(event_type: EventType, registry: Registry) -> str:
    written = registry.written(event_type.name)
    if event_type == written:
        return ""
    if written is None or event_type.version > written.version:
        return ": read by this release, written by the next"
    return ": written by earlier releases"


def _fields(schema: Schema) -> Iterator[str]:
    if schema["properties"]:
        yield "| field | type | required | meaning |\n| --- | --- | --- | --- |"
    for name, field in schema["properties"].items():
        required = "yes" if name in schema.get("required", []) else ""
        yield f"| `{name}` | {_type(field)} | {required} | {_cell(field.get('description', ''))} |"
    yield ""


def _type(schema: Schema) -> str:
    """A type in words."""
    match schema:
        case {"$ref": name}:
            return f"[{name}](#{str(name).lower()})"
        case {"anyOf": alternatives}:
            return " or ".join(_type(each) for each in alternatives)
        case {"enum": words}:
            return ", ".join(f"`{word}`" for word in words)
        case {"type": "array", "items": items}:
            return f"list of {_type(items)}"
        case {"type": "object", "additionalProperties": values}:
            return f"map to {_type(values)}"
        case {"minimum": least, "maximum": most, "type": kind}:
            return f"{kind}, {least} to {most}"
        case {"format": "decimal"}:
            return "decimal text"
        case {"format": kind}:
            return {"uuid": "UUID", "date-time": "instant"}.get(kind, str(kind))
        case {"type": "null"}:
            return "null"
        case {"type": "string"}:
            return "text"
        case {"type": kind}:
            return str(kind)
    raise ValueError(f"no words for {schema}")


def _stream(event_type: EventType, sample: Sample) -> str:
    """The name of the stream as the contracts' module has it, such as `project-<id>`."""
    fitting: list[str] = [
        name
        for name in re.findall(r"`([a-z]+(?:-[a-z]+)*(?:-<[^>]+>)?)`", contracts_doc(event_type.payload))
        if re.fullmatch(re.sub("<[^>]+>", ".+", name), sample["subject"])
    ]
    return max(fitting, key=len)


def _short(event_type: EventType) -> str:
    return event_type.name.rpartition(".")[2]


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def write(folder: Path) -> None:
    """Write the page anew."""
    (folder / "events.md").write_text(event_page(read(folder / "samples.json")), encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
