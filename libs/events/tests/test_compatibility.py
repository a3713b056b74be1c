"""What may change in a published schema, and that each way to break it is named, with its place."""

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from steerco_events.reference.compatibility import Incompatible, Rule, Schema, breaks, catalog_breaks
from steerco_events.reference.schema_shapes import leaves, places, roots
from steerco_events.reference.schemas import SUFFIX, published, schemas, text_of, write
from steerco_events.testkit.two_releases import BEFORE, READING

EVENT = "steerco.shelf.put.v1"


def pick(draw: st.DrawFn, root: Schema, fits: Callable[[Schema], Any]) -> tuple[str, Schema]:
    """Some place that fits."""
    at, node = draw(st.sampled_from([(at, node) for at, node in places(root, root["$defs"]) if fits(node)]))
    return at, node


def pick_field(draw: st.DrawFn, root: Schema, required: bool | None = None) -> tuple[str, Schema, str]:
    """Some field of some object."""

    def fields(node: Schema) -> list[str]:
        told = node.get("properties", {})
        return [name for name in told if required is None or required == (name in node["required"])]

    at, node = pick(draw, root, fields)
    name = draw(st.sampled_from(fields(node)))
    return f"{at}/{name.replace('~', '~0').replace('/', '~1')}", node, name


def without_field(draw: st.DrawFn, root: Schema) -> str:
    at, node, name = pick_field(draw, root)
    del node["properties"][name]
    node["required"] = [each for each in node["required"] if each != name]
    return at


def with_a_field_that_older_events_lack(draw: st.DrawFn, root: Schema) -> str:
    at, node = pick(draw, root, lambda node: "properties" in node)
    node["properties"]["later"] = {"type": "string"}
    node["required"].append("later")
    return f"{at}/later"


def with_a_field_required(draw: st.DrawFn, root: Schema) -> str:
    at, node, name = pick_field(draw, root, required=False)
    node["required"].append(name)
    return at


def with_a_field_not_required(draw: st.DrawFn, root: Schema) -> str:
    at, node, name = pick_field(draw, root, required=True)
    node["required"].remove(name)
    node["properties"][name]["default"] = None
    return at


def with_another_default(draw: st.DrawFn, root: Schema) -> str:
    at, node, name = pick_field(draw, root, required=False)
    node["properties"][name]["default"] = "another"
    return at


def retyped(draw: st.DrawFn, root: Schema) -> str:
    at, node = pick(draw, root, lambda node: node.get("type") in ("string", "integer", "boolean"))
    kept = {key: value for key, value in node.items() if key == "default"}
    node.clear()
    node.update({"type": "number"} | kept)
    return at


def with_null(draw: st.DrawFn, root: Schema) -> str:
    at, node = pick(draw, root, lambda node: node.get("type") in ("string", "integer", "boolean"))
    assume(not any("anyOf" in other for place, other in places(root, root["$defs"]) if place == at))
    kept = {key: value for key, value in node.items() if key == "default"}
    was = {key: value for key, value in node.items() if key != "default"}
    node.clear()
    node.update({"anyOf": [was, {"type": "null"}]} | kept)
    return at


def without_a_word(draw: st.DrawFn, root: Schema) -> str:
    at, node = pick(draw, root, lambda node: "enum" in node)
    node["enum"] = ["green"]
    return at


def with_a_further_word(draw: st.DrawFn, root: Schema) -> str:
    at, node = pick(draw, root, lambda node: "enum" in node)
    node["enum"] = [*node["enum"], "amber"]
    return at


def limited(edit: dict[str, Any], fits: Callable[[Schema], Any]) -> Callable[[st.DrawFn, Schema], str]:
    def limit(draw: st.DrawFn, root: Schema) -> str:
        at, node = pick(draw, root, fits)
        for keyword, value in edit.items():
            if value is None:
                del node[keyword]
            else:
                node[keyword] = value
        return at

    return limit


def has(keyword: str) -> Callable[[Schema], bool]:
    return lambda node: keyword in node


EDITS: list[tuple[Rule, Callable[[st.DrawFn, Schema], str]]] = [
    ("field-removed", without_field),
    ("field-without-default", with_a_field_that_older_events_lack),
    ("now-required", with_a_field_required),
    ("required-no-more", with_a_field_not_required),
    ("default-changed", with_another_default),
    ("retyped", retyped),
    ("retyped", with_null),
    ("word-removed", without_a_word),
    ("word-added", with_a_further_word),
    ("limit-tightened", limited({"minimum": 2}, has("minimum"))),
    ("limit-tightened", limited({"maxLength": 8}, has("maxLength"))),
    ("limit-tightened", limited({"maximum": 7}, lambda node: node.get("type") == "integer" and "maximum" not in node)),
    ("limit-tightened", limited({"pattern": "x"}, lambda node: node.get("type") == "string" and "pattern" not in node)),
    ("limit-loosened", limited({"maximum": 6}, has("maximum"))),
    ("limit-loosened", limited({"minLength": 0}, has("minLength"))),
    ("limit-loosened", limited({"pattern": None}, has("pattern"))),
    ("limit-changed", limited({"format": "date"}, has("format"))),
    ("limit-changed", limited({"pattern": "^[a-z]+$"}, has("pattern"))),
]


@st.composite
def edited(draw: st.DrawFn, edit: Callable[[st.DrawFn, Schema], str]) -> tuple[Schema, Schema, str]:
    """A schema, the same after an edit, and where that was."""
    old = draw(roots())
    new = deepcopy(old)
    return old, new, edit(draw, new)


@pytest.mark.parametrize(("rule", "edit"), EDITS, ids=[f"{rule}-{n}" for n, (rule, _) in enumerate(EDITS)])
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_each_kind_of_break_is_named_with_its_place(
    rule: Rule, edit: Callable[[st.DrawFn, Schema], str], data: st.DataObject
) -> None:
    old, new, at = data.draw(edited(edit))
    assert [(each.rule, each.pointer) for each in breaks(EVENT, old, new)] == [(rule, at)]


@given(data=st.data())
@settings(max_examples=50, deadline=None)
def test_fields_with_a_default_and_other_words_of_description_break_nobody(data: st.DataObject) -> None:
    old = data.draw(roots())
    new = deepcopy(old)
    for n, (_, node) in enumerate(list(places(new, new["$defs"]))):
        if data.draw(st.booleans()):
            node["description"] = node["title"] = f"Other words {n}"
        if "properties" in node and data.draw(st.booleans()):
            told = data.draw(st.permutations(list(node["properties"].items())))
            node["properties"] = dict(told) | {f"later_{n}": data.draw(leaves) | {"default": None}}
            node["required"] = data.draw(st.permutations(node["required"]))
    assert breaks(EVENT, old, new) == []


@given(roots())
@settings(max_examples=50, deadline=None)
def test_a_schema_is_compatible_with_itself_whatever_its_values_are_called(old: Schema) -> None:
    new = deepcopy(old)
    new["$defs"] = {f"Renamed{name}": value for name, value in new["$defs"].items()}
    _rename(new)
    assert breaks(EVENT, old, old) == breaks(EVENT, old, new) == []


def _rename(node: Any) -> None:
    match node:
        case {"$ref": str(ref)}:
            node["$ref"] = ref.replace("#/$defs/", "#/$defs/Renamed")
        case dict():
            for each in node.values():
                _rename(each)
        case list():
            for each in node:
                _rename(each)


def test_a_value_that_holds_itself_is_compared_once() -> None:
    tree = {"properties": {"below": {"$ref": "#/$defs/Tree"}}, "required": ["below"], "type": "object"}
    old: Schema = {"$ref": "#/$defs/Tree", "$defs": {"Tree": tree}}
    assert breaks(EVENT, old, deepcopy(old)) == []


def test_a_break_says_where_and_what() -> None:
    old: Schema = {"type": "object", "properties": {"kind": {"enum": ["a", "b"]}}, "required": ["kind"]}
    new: Schema = {"type": "object", "properties": {"kind": {"enum": ["a"]}}, "required": ["kind"]}
    assert [str(each) for each in breaks(EVENT, old, new)] == [
        "steerco.shelf.put.v1 at /kind: word-removed: 'b' was written and is refused now"
    ]


def test_events_and_their_versions_are_published_for_ever() -> None:
    first, both = schemas(BEFORE), schemas(READING)
    assert catalog_breaks(first, both, SUFFIX) == []
    assert [(each.event, each.rule) for each in catalog_breaks(both, first, SUFFIX)] == [
        ("steerco.dock.arrived.v2", "version-removed")
    ]
    assert [(each.event, each.rule) for each in catalog_breaks(first, {}, SUFFIX)] == [
        ("steerco.dock.arrived.v1", "event-removed")
    ]


def test_schemas_are_written_and_an_incompatible_one_never_over_a_published_one(tmp_path: Path) -> None:
    write(tmp_path, BEFORE)
    write(tmp_path, READING)
    assert {path.name for path in tmp_path.iterdir()} == set(published(READING))
    (first, second) = sorted(tmp_path.glob("steerco.*"))
    first.write_text(text_of({"type": "object", "properties": {"flag": {"type": "string"}}, "required": []}))
    second.write_text(text_of(schemas(READING)[second.name] | {"description": "Other words."}))
    before = [path.read_text() for path in (first, second)]
    with pytest.raises(Incompatible, match=r"steerco\.dock\.arrived\.v1 at /flag: field-removed") as refused:
        write(tmp_path, READING)
    assert {each.rule for each in refused.value.breaks} == {"field-removed", "field-without-default"}
    assert [path.read_text() for path in (first, second)] == before
