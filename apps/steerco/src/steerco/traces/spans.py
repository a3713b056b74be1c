"""A trace as it was asked for: OTLP in JSON, as Jaeger (`/api/v3`), Tempo and a local edition write it."""

import base64
import binascii
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

TRACE_ID = re.compile("[0-9a-f]{32}")
_HEX = re.compile("(?:[0-9a-f]{16}|[0-9a-f]{32})?", re.IGNORECASE)
_ERROR = (2, "STATUS_CODE_ERROR")


class NoTrace(ValueError):
    """It is no trace in OTLP's JSON."""


@dataclass(frozen=True, slots=True)
class Span:
    """What one service did, from when to when (nanoseconds since the epoch)."""

    trace_id: str
    id: str
    parent_id: str
    links: Sequence[tuple[str, str]]
    service: str
    name: str
    began: int
    ended: int
    is_failed: bool
    attributes: Mapping[str, Any]


def spans_of(answer: Any) -> Sequence[Span]:
    """The spans of an answer, each once, in the order in which they began. Raises `NoTrace`."""
    try:
        spans = {(span.trace_id, span.id): span for group in _groups(answer) for span in _spans(group)}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise NoTrace(f"the answer is no trace in OTLP's JSON ({type(error).__name__}: {error})") from error
    return sorted(spans.values(), key=lambda span: (span.began, -span.ended))


def _groups(answer: Any) -> Sequence[Any]:
    """The spans by who sent them: under other names with each of those who are asked."""
    found = answer.get("result", answer)
    found = found.get("trace", found)
    groups: Sequence[Any] = found["resourceSpans"] if "resourceSpans" in found else found["batches"]
    return groups


def _spans(group: Any) -> Iterator[Span]:
    about = _attributes(group.get("resource", {}))
    for scope in group.get("scopeSpans", ()):
        for span in scope.get("spans", ()):
            attributes = _attributes(span)
            service = attributes.get("steerco.service") or str(about.get("service.name", "?")).removeprefix("steerco-")
            yield Span(
                trace_id=_id(span["traceId"]),
                id=_id(span["spanId"]),
                parent_id=_id(span.get("parentSpanId", "")),
                links=[(_id(link["traceId"]), _id(link["spanId"])) for link in span.get("links", ())],
                service=str(service),
                name=str(span["name"]),
                began=int(span["startTimeUnixNano"]),
                ended=int(span["endTimeUnixNano"]),
                is_failed=span.get("status", {}).get("code") in _ERROR,
                attributes=attributes,
            )


def _attributes(said: Any) -> Mapping[str, Any]:
    """The value of an attribute is wrapped by its type."""
    return {each["key"]: next(iter(each["value"].values()), None) for each in said.get("attributes", ())}


def _id(text: str) -> str:
    """In hexadecimal digits, where somebody wrote the bytes in base64."""
    if _HEX.fullmatch(text):
        return text.lower()
    try:
        return base64.b64decode(text, validate=True).hex()
    except binascii.Error as error:
        raise ValueError(f"{text!r} is no id") from error
