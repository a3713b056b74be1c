"""The spans of the last traces of a local edition, kept in memory: it has no other place for them."""

import threading
from collections import OrderedDict, deque
from collections.abc import Sequence
from typing import Any

from google.protobuf.json_format import MessageToDict
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

MOST_TRACES = 100
MOST_SPANS = 2000
"""Of one trace; of more, the last are kept."""

MOST_IN_ALL = 20_000
"""Spans of all traces together; of more, those of the last traces are kept."""

GATHER_MILLISECONDS = 200.0


class KeptTraces:
    """What was recorded last. Spans may come from any thread."""

    def __init__(self) -> None:
        self._traces: OrderedDict[bytes, deque[tuple[Resource, Span]]] = OrderedDict()
        self._spans = 0
        self._lock = threading.Lock()

    def take(self, request: ExportTraceServiceRequest) -> None:
        """Keep spans as a process sends them (OTLP)."""
        with self._lock:
            for group in request.resource_spans:
                for span in (span for scope in group.scope_spans for span in scope.spans):
                    self._keep(group.resource, span)

    def _keep(self, resource: Resource, span: Span) -> None:
        kept = self._traces.setdefault(span.trace_id, deque(maxlen=MOST_SPANS))
        self._traces.move_to_end(span.trace_id)
        self._spans += len(kept) < MOST_SPANS
        kept.append((resource, span))
        while len(self._traces) > MOST_TRACES or self._spans > MOST_IN_ALL:
            _, dropped = self._traces.popitem(last=False)
            self._spans -= len(dropped)

    def trace(self, trace_id: str) -> dict[str, Any] | None:
        """A trace, as OTLP says it in JSON; `None` for one that is not kept, or not any more."""
        with self._lock:
            kept = list(self._traces.get(bytes.fromhex(trace_id), ()))
        return {"resourceSpans": [_group(resource, span) for resource, span in kept]} if kept else None

    def processor(self) -> SpanProcessor:
        """Brings the spans of this process here."""
        return BatchSpanProcessor(_Bringing(self), schedule_delay_millis=GATHER_MILLISECONDS)


class _Bringing(SpanExporter):
    def __init__(self, kept: KeptTraces) -> None:
        self._kept = kept

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self._kept.take(encode_spans(spans))
        return SpanExportResult.SUCCESS


def _group(resource: Resource, span: Span) -> dict[str, Any]:
    """OTLP writes ids in hexadecimal digits, and kinds as numbers."""
    said: dict[str, Any] = MessageToDict(span, use_integers_for_enums=True)
    said |= _ids(span) | {"parentSpanId": span.parent_span_id.hex()}
    if span.links:
        said["links"] = [_ids(link) for link in span.links]
    return {"resource": MessageToDict(resource), "scopeSpans": [{"spans": [said]}]}


def _ids(named: Span | Span.Link) -> dict[str, str]:
    return {"traceId": named.trace_id.hex(), "spanId": named.span_id.hex()}
