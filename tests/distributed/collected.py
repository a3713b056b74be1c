"""A collector for tests: takes what processes send (OTLP over HTTP), and knows what came."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue

from steerco.traces.collecting import collecting

PATIENCE = 90.0


@dataclass(frozen=True)
class Sent:
    """A span, and the resource that sent it. `said` of it: its status, and what happened in it."""

    trace_id: str
    id: str
    parent_id: str
    links: Sequence[str]
    name: str
    kind: int
    about: Mapping[str, Any]
    said: Sequence[str]
    process: Mapping[str, Any]

    @property
    def service(self) -> str:
        """Which service it was."""
        return str(self.process["service.name"])


class Collected:
    """The spans that have come. They come in other threads."""

    def __init__(self) -> None:
        self.url = ""
        self._spans: list[Sent] = []
        self._came = threading.Condition()

    def take(self, request: ExportTraceServiceRequest) -> None:
        """Take what a process sends."""
        with self._came:
            self._spans += _sent(request)
            self._came.notify_all()

    @property
    def so_far(self) -> Sequence[Sent]:
        """What has come by now."""
        with self._came:
            return list(self._spans)

    def until(self, is_there: Callable[[Sequence[Sent]], bool], what: str) -> Sequence[Sent]:
        """All that has come, once that is there; fail with `what` when it does not come."""
        deadline = time.monotonic() + PATIENCE
        with self._came:
            while not is_there(self._spans):
                came = self._came.wait(deadline - time.monotonic())
                assert came, f"{what} did not come; there is {sorted({f'{s.service} {s.name}' for s in self._spans})}"
            return list(self._spans)


@contextmanager
def collector() -> Iterator[Collected]:
    """Inside, it takes what is sent to its `url`."""
    collected = Collected()
    with collecting(collected.take) as collected.url:
        yield collected


def _sent(request: ExportTraceServiceRequest) -> Iterator[Sent]:
    for group in request.resource_spans:
        for span in (span for scope in group.scope_spans for span in scope.spans):
            yield Sent(
                span.trace_id.hex(),
                span.span_id.hex(),
                span.parent_span_id.hex(),
                [link.span_id.hex() for link in span.links],
                span.name,
                span.kind,
                _attributes(span.attributes),
                [span.status.message, *(f"{each.name} {dict(_attributes(each.attributes))}" for each in span.events)],
                _attributes(group.resource.attributes),
            )


def _attributes(said: Sequence[KeyValue]) -> Mapping[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value") or "string_value") for each in said}
