"""What may change in a published schema, and what breaks those who write or read by it.

Events are kept for ever and releases run side by side, so both ways must hold: a new reader reads what was
written ever since, and an old one what is written now. A version may gain a field that has a default; words of
description may change, and who gets a field (`x-field-class`). Nothing else: not even a further word of an
enumeration, which an old reader would refuse, nor a wider limit. All else is a new version with an upcaster. The same
holds for the attributes of every event, their Kafka headers and the head of a log, but these have no versions: they
gain what may be absent, or stay.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

type Schema = dict[str, Any]

type Rule = Literal[
    "event-removed",
    "version-removed",
    "written-too-early",
    "field-removed",
    "field-without-default",
    "now-required",
    "required-no-more",
    "default-changed",
    "retyped",
    "word-removed",
    "word-added",
    "limit-tightened",
    "limit-loosened",
    "limit-changed",
]

_ANNOTATIONS = {"$schema", "$id", "$ref", "$defs", "title", "description", "examples", "default", "x-field-class"}
_COMPARED = {"type", "anyOf", "enum", "properties", "required", "items", "additionalProperties"}
_FROM = {"minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"}
_UP_TO = {"maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"}
_NOTHING = object()


@dataclass(frozen=True, slots=True)
class Break:
    """A difference that breaks readers or writers of an event version, or of what else has a schema.

    `pointer` leads to the place in the data, with `*` for each item of a list or value of a map.
    """

    event: str
    pointer: str
    rule: Rule
    text: str

    def __str__(self) -> str:
        return f"{self.event}{f' at {self.pointer}' if self.pointer else ''}: {self.rule}: {self.text}"


class Incompatible(Exception):
    """Schemas differ from those that were published in a way that breaks somebody; the text names each break."""

    def __init__(self, breaks: Sequence[Break]) -> None:
        advice = (
            "A published version never changes like this; give the event a new version with an upcaster."
            " What every event carries, and a log's head, have no versions and gain only what may be absent."
            " What no release has published yet may change: remove its schema file first."
        )
        super().__init__("\n".join([*map(str, breaks), advice]))
        self.breaks = breaks


def breaks(event: str, old: Schema, new: Schema) -> Sequence[Break]:
    """What breaks between two schemas of one event version, under its name."""
    return list(_Comparison(event, old, new).of(old, new, "", frozenset()))


def catalog_breaks(old: Mapping[str, Schema], new: Mapping[str, Schema], suffix: str) -> Sequence[Break]:
    """What breaks between two catalogs: schemas by `<type>.v<version><suffix>`."""
    found: list[Break] = []
    events = {name.rpartition(".v")[0] for name in new}
    for name, schema in old.items():
        version = name.removesuffix(suffix)
        if name in new:
            found.extend(breaks(version, schema, new[name]))
        elif name.rpartition(".v")[0] in events:
            found.append(Break(version, "", "version-removed", "events of this version are kept for ever"))
        else:
            found.append(Break(version, "", "event-removed", "events of this type are kept for ever"))
    return found


class _Comparison:
    def __init__(self, event: str, old: Schema, new: Schema) -> None:
        self._event = event
        self._old = old.get("$defs", {})
        self._new = new.get("$defs", {})

    def of(self, old: Schema, new: Schema, at: str, inside: frozenset[tuple[str, str]]) -> Iterator[Break]:
        pair = (old.get("$ref", ""), new.get("$ref", ""))
        if all(pair):
            if pair in inside:
                return
            inside |= {pair}
        old, new = _resolved(old, self._old), _resolved(new, self._new)
        before, after = self._alternatives(old, self._old), self._alternatives(new, self._new)
        if list(before) != list(after):
            text = f"{' or '.join(_plain(before))} became {' or '.join(_plain(after))}"
            yield self._break(at, "retyped", text)
        elif "anyOf" in old or "anyOf" in new:
            for kind in before:
                yield from self.of(before[kind], after[kind], at, inside)
        else:
            yield from self._words(old, new, at)
            yield from self._fields(old, new, at, inside)
            yield from self._inner(old, new, at, inside)
            yield from self._limits(old, new, at)

    def _break(self, at: str, rule: Rule, text: str) -> Break:
        return Break(self._event, at, rule, text)

    @staticmethod
    def _alternatives(schema: Schema, defs: Mapping[str, Schema]) -> Mapping[str, Schema]:
        """What a value may be, by kind: several of one kind are told apart by their place."""
        kinds: dict[str, Schema] = {}
        for each in schema.get("anyOf", [schema]):
            kind = _kind(_resolved(each, defs))
            kinds[f"{kind} {sum(known.startswith(f'{kind} ') for known in kinds)}"] = each
        return dict(sorted(kinds.items()))

    def _words(self, old: Schema, new: Schema, at: str) -> Iterator[Break]:
        before, after = old.get("enum", []), new.get("enum", [])
        for word in before:
            if word not in after:
                yield self._break(at, "word-removed", f"{word!r} was written and is refused now")
        for word in after:
            if word not in before:
                yield self._break(at, "word-added", f"readers of the last release refuse {word!r}")

    def _fields(self, old: Schema, new: Schema, at: str, inside: frozenset[tuple[str, str]]) -> Iterator[Break]:
        before, after = old.get("properties", {}), new.get("properties", {})
        needed_before, needed_after = set(old.get("required", [])), set(new.get("required", []))
        for name in before:
            place = f"{at}/{_escaped(name)}"
            if name not in after:
                yield self._break(place, "field-removed", "readers of the last release look for it")
                continue
            if name in needed_after - needed_before:
                yield self._break(place, "now-required", "older events may lack it")
            elif name in needed_before - needed_after:
                yield self._break(place, "required-no-more", "readers of the last release need it")
            elif name not in needed_before and not _same_default(before[name], after[name]):
                yield self._break(place, "default-changed", "events that lack it would tell something else")
            yield from self.of(before[name], after[name], place, inside)
        for name in after:
            if name not in before and name in needed_after:
                text = "older events lack it, and it has no default"
                yield self._break(f"{at}/{_escaped(name)}", "field-without-default", text)

    def _inner(self, old: Schema, new: Schema, at: str, inside: frozenset[tuple[str, str]]) -> Iterator[Break]:
        for keyword in ("items", "additionalProperties"):
            before, after = old.get(keyword, True), new.get(keyword, True)
            if isinstance(before, dict) and isinstance(after, dict):
                yield from self.of(before, after, f"{at}/*", inside)
            elif before != after:
                yield self._break(f"{at}/*", "retyped", f"{keyword} is {after} instead of {before}")

    def _limits(self, old: Schema, new: Schema, at: str) -> Iterator[Break]:
        for keyword in sorted((old.keys() | new.keys()) - _ANNOTATIONS - _COMPARED):
            before, after = old.get(keyword, _NOTHING), new.get(keyword, _NOTHING)
            if before != after:
                shown = [f"{keyword} {each}" if each is not _NOTHING else "nothing" for each in (before, after)]
                yield self._break(at, _of_limit(keyword, before, after), f"{shown[0]} became {shown[1]}")


def _of_limit(keyword: str, before: Any, after: Any) -> Rule:
    if before is _NOTHING:
        return "limit-tightened"
    if after is _NOTHING:
        return "limit-loosened"
    if keyword in _FROM:
        return "limit-tightened" if after > before else "limit-loosened"
    if keyword in _UP_TO:
        return "limit-tightened" if after < before else "limit-loosened"
    return "limit-changed"


def _resolved(schema: Schema, defs: Mapping[str, Schema]) -> Schema:
    while "$ref" in schema:
        own = {keyword: value for keyword, value in schema.items() if keyword != "$ref"}
        schema = defs[schema["$ref"].rpartition("/")[2]] | own
    return schema


def _kind(schema: Schema) -> str:
    return "words" if "enum" in schema else str(schema.get("type", "anything"))


def _plain(kinds: Mapping[str, Schema]) -> Sequence[str]:
    return [kind.rpartition(" ")[0] for kind in kinds]


def _same_default(old: Schema, new: Schema) -> bool:
    before, after = old.get("default", _NOTHING), new.get("default", _NOTHING)
    return bool(before == after) and type(before) is type(after)


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
