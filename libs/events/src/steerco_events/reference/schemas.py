"""The JSON schemas of all that is published: of each event version's data, of what every event carries, of a head.

`python -m steerco_events.reference.schemas docs/reference/schemas` writes them anew, and refuses to where one
would not stay what was published.
"""

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import inspect as types

from steerco_events.contracts.catalog import CATALOG
from steerco_events.kafka.headers import header_of
from steerco_events.positions import Head
from steerco_events.reference.attributes import attributes_schema
from steerco_events.reference.compatibility import Incompatible, Schema, catalog_breaks
from steerco_events.reference.field_docs import field_docs
from steerco_events.registry import EventType, Registry

DIALECT = "https://json-schema.org/draft/2020-12/schema"
HERE = "#/$defs/{name}"
SUFFIX = ".schema.json"


def file_name(event_type: EventType) -> str:
    """Where the schema of an event version is."""
    return f"{event_type.name}.v{event_type.version}{SUFFIX}"


def schema_of(event_type: EventType) -> Schema:
    """The schema of an event version's data, complete in itself."""
    return _whole(event_type.schema, event_type.name, *parts_of(event_type.payload, HERE))


def _whole(identifier: str, title: str, root: Schema, shared: Mapping[str, Schema]) -> Schema:
    defs = {"$defs": shared} if shared else {}
    return {"$schema": DIALECT, "$id": identifier, **root, "title": title, **defs}


def parts_of(value: type[Any], ref_template: str) -> tuple[Schema, Mapping[str, Schema]]:
    """The schema of a class in JSON, and by their names those of the values that it refers to."""
    (root,), components = msgspec.json.schema_components((value,), ref_template=ref_template)
    for found in _classes(types.type_info(value)):
        described = components[found.cls.__name__]
        described["description"] = _unwrapped(described["description"])
        for name, doc in field_docs(found.cls).items():
            described["properties"][name].setdefault("description", _unwrapped(doc))
        for field in found.fields:
            if isinstance(field.type, types.DateTimeType):
                described["properties"][field.encode_name]["format"] = "date-time"
    whole = components.pop(root["$ref"].rpartition("/")[2])
    return whole, components


def schemas(registry: Registry = CATALOG) -> Mapping[str, Schema]:
    """The schema of every event version, by the name of its file."""
    return {file_name(event_type): schema_of(event_type) for event_type in registry}


def published(registry: Registry = CATALOG) -> Mapping[str, Schema]:
    """All that readers rely on: `schemas`, and those of the attributes, of their Kafka headers, of a log's head."""
    envelope: Mapping[str, tuple[Schema, Mapping[str, Schema]]] = {
        "attributes": (attributes_schema(), {}),
        "kafka-headers": (attributes_schema(header_of), {}),
        "head": parts_of(Head, HERE),
    }
    return {
        **schemas(registry),
        **{f"{name}{SUFFIX}": _whole(f"urn:steerco:{name}", name, *parts) for name, parts in envelope.items()},
    }


def text_of(schema: Schema) -> str:
    """A schema as its file has it."""
    return msgspec.json.format(msgspec.json.encode(schema), indent=2).decode() + "\n"


def read(folder: Path) -> Mapping[str, Schema]:
    """The schemas that a folder holds, by the names of their files."""
    return {path.name: msgspec.json.decode(path.read_bytes()) for path in sorted(folder.glob(f"*{SUFFIX}"))}


def write(folder: Path, registry: Registry = CATALOG) -> None:
    """Write every schema anew. Raises `Incompatible`, having written nothing."""
    folder.mkdir(parents=True, exist_ok=True)
    written = published(registry)
    if broken := catalog_breaks(read(folder), written, SUFFIX):
        raise Incompatible(broken)
    for name, schema in written.items():
        (folder / name).write_text(text_of(schema), encoding="utf-8")


def _classes(found: types.Type) -> Iterable[types.DataclassType | types.StructType]:
    match found:
        case types.DataclassType(fields=fields) | types.StructType(fields=fields):
            yield found
            for field in fields:
                yield from _classes(field.type)
        case types.UnionType(types=each_of):
            for each in each_of:
                yield from _classes(each)
        case types.Metadata(type=inner) | types.ListType(item_type=inner) | types.VarTupleType(item_type=inner):
            yield from _classes(inner)
        case types.DictType(value_type=inner):
            yield from _classes(inner)
        case _:
            return


def _unwrapped(doc: str) -> str:
    """Paragraphs on one line each."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in doc.split("\n\n"))


if __name__ == "__main__":
    try:
        write(Path(sys.argv[1]))
    except Incompatible as incompatible:
        sys.exit(str(incompatible))
