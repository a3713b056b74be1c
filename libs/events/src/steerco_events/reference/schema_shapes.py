"""JSON schemas of any shape that event contracts may have, and a walk through their values."""

from collections.abc import Iterator

from hypothesis import strategies as st

from steerco_events.reference.compatibility import Schema

names = st.sampled_from(["amount", "code", "due_on", "kind", "said", "a/b", "c~d"])
LEAVES: list[Schema] = [
    {"type": "string"},
    {"type": "string", "format": "uuid"},
    {"type": "string", "pattern": "^[A-Z]+$"},
    {"type": "string", "minLength": 1, "maxLength": 9},
    {"type": "integer"},
    {"type": "integer", "minimum": 1, "maximum": 5},
    {"type": "boolean"},
    {"enum": ["green", "red"]},
]
leaves = st.sampled_from(LEAVES).map(dict)


def objects(values: st.SearchStrategy[Schema]) -> st.SearchStrategy[Schema]:
    """Objects of a few fields, some required, the others with a default."""

    @st.composite
    def made(draw: st.DrawFn) -> Schema:
        properties = draw(st.dictionaries(names, values, min_size=1, max_size=4))
        required = [name for name in properties if draw(st.booleans())]
        for name in properties.keys() - set(required):
            properties[name] = properties[name] | {"default": draw(st.sampled_from([None, 0, "x"]))}
        return {"type": "object", "properties": properties, "required": required}

    return made()


def nested(values: st.SearchStrategy[Schema]) -> st.SearchStrategy[Schema]:
    """Lists, maps, objects, and what may be null."""
    return st.one_of(
        values.map(lambda value: {"anyOf": [value, {"type": "null"}]}),
        values.map(lambda value: {"type": "array", "items": value}),
        values.map(lambda value: {"type": "object", "additionalProperties": value}),
        objects(values),
    )


@st.composite
def roots(draw: st.DrawFn) -> Schema:
    """A whole schema with a field of every kind at least, some of its objects among its definitions."""
    root = draw(objects(st.recursive(leaves, nested, max_leaves=4)))
    root["properties"] |= {f"leaf_{n}": dict(leaf) for n, leaf in enumerate(LEAVES)}
    root["required"] += [f"leaf_{n}" for n in range(1, len(LEAVES))]
    root["properties"]["leaf_0"]["default"] = None
    defs: dict[str, Schema] = {}
    for _, node in list(places(root, {})):
        if node is not root and "properties" in node and draw(st.booleans()):
            name = f"Value{len(defs)}"
            defs[name] = {key: value for key, value in node.items() if key != "default"}
            kept = {key: value for key, value in node.items() if key == "default"}
            node.clear()
            node.update({"$ref": f"#/$defs/{name}"} | kept)
    return root | {"$defs": defs}


def places(schema: Schema, defs: dict[str, Schema], at: str = "") -> Iterator[tuple[str, Schema]]:
    """Every value that a schema tells of, with its pointer."""
    if "$ref" in schema:
        schema = defs[schema["$ref"].rpartition("/")[2]]
    yield at, schema
    for name, inner in schema.get("properties", {}).items():
        yield from places(inner, defs, f"{at}/{name.replace('~', '~0').replace('/', '~1')}")
    for each in schema.get("anyOf", []):
        yield from places(each, defs, at)
    for keyword in ("items", "additionalProperties"):
        if keyword in schema:
            yield from places(schema[keyword], defs, f"{at}/*")
