"""The golden file of each published event version: examples of its data, approved in the diff.

`python -m steerco_events.reference.golden <folder>` writes them anew. An older version also tells what becomes of
its example when it is read as the newest. The schemas are beside the reference: `testkit/schemas.py`.
"""

import sys
import types
from collections.abc import Callable
from dataclasses import MISSING, fields
from datetime import date
from pathlib import Path
from typing import Any, Literal, TypeAliasType, Union, get_args, get_origin, get_type_hints
from uuid import UUID

import msgspec

from steerco_events.contracts.catalog import CATALOG
from steerco_events.contracts.values import Figure, Money, StatedDate
from steerco_events.ids import derived_id
from steerco_events.registry import EventType, Payload, Registry

_WORDS = {"currency": "GBP", "period": "fiscal_year 2025-26", "code": "NHS-0042", "project_code": "NHS-0042"}

_TOLD: dict[object, Callable[[str], Any]] = {
    bool: lambda _: True,
    int: lambda _: 3,
    str: lambda name: _WORDS.get(name, name.replace("_", " ").capitalize()),
    UUID: lambda name: derived_id("golden", name),
    date: lambda _: date(2026, 3, 31),
    Money: lambda _: Money.parse("1250000.50", "GBP"),
    Figure: lambda _: Figure.disclosed(Money.parse("1250000.50", "GBP")),
    StatedDate: lambda _: StatedDate.stated(date(2026, 3, 31)),
}


def file_name(event_type: EventType) -> str:
    """Where the golden file of an event version is."""
    return f"{event_type.name}.v{event_type.version}.json"


def example(event_type: EventType) -> Payload:
    """An event with every field told; always the same."""
    hints = get_type_hints(event_type.payload)
    return event_type.payload(**{name: _value(hint, name) for name, hint in hints.items()})


def least(event_type: EventType) -> dict[str, Any]:
    """The data of an event that tells only what it must."""
    whole: dict[str, Any] = msgspec.to_builtins(example(event_type))
    needed = [each.name for each in fields(event_type.payload) if each.default is each.default_factory is MISSING]
    return {name: whole[name] for name in needed}


def golden(event_type: EventType, registry: Registry = CATALOG) -> str:
    """The text of an event version's golden file."""
    told = example(event_type)
    content = {
        "type": event_type.name,
        "version": event_type.version,
        "dataschema": event_type.schema,
        "example": told,
        "least": least(event_type),
    }
    newest = registry.newest(told)
    if newest is not told:
        content["upcast"] = {"version": registry.type_of(newest).version, "data": newest}
    return msgspec.json.format(msgspec.json.encode(content), indent=2).decode() + "\n"


def write(folder: Path, registry: Registry = CATALOG) -> None:
    """Write every golden file anew, and remove those of events that are published no more."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {file_name(event_type): golden(event_type, registry) for event_type in registry}
    for left in folder.glob("*.json"):
        if left.name not in files:
            left.unlink()
    for name, content in files.items():
        (folder / name).write_text(content, encoding="utf-8")


def _value(hint: Any, name: str) -> Any:
    while isinstance(hint, TypeAliasType):
        hint = hint.__value__
    if get_origin(hint) in (Union, types.UnionType):
        return _value(next(each for each in get_args(hint) if each is not types.NoneType), name)
    if get_origin(hint) is Literal:
        return get_args(hint)[0]
    if get_origin(hint) is dict:
        key, value = get_args(hint)
        return {_value(key, name): _value(value, f"{name}_in_words")}
    if get_origin(hint) in (tuple, list):
        return [_value(get_args(hint)[0], name)]
    return _TOLD[hint](name)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
