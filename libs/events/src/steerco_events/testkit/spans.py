"""The spans that are made inside a test, kept in memory."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from steerco_events import trace_contexts, tracing
from steerco_events.envelope import Context
from steerco_events.ids import new_id
from steerco_events.testkit.logs import Log
from steerco_events.testkit.tally import Count, tally


class Spans:
    """What has ended so far."""

    def __init__(self, exporter: InMemorySpanExporter) -> None:
        self._exporter = exporter

    def __call__(self, name: str) -> list[ReadableSpan]:
        """Those whose name begins so, in the order in which they ended."""
        return [span for span in self._exporter.get_finished_spans() if span.name.startswith(name)]

    def one(self, name: str) -> ReadableSpan:
        """The only one whose name begins so."""
        (span,) = self(name)
        return span

    @property
    def names(self) -> list[str]:
        """What was made."""
        return [span.name for span in self._exporter.get_finished_spans()]


@contextmanager
def recorded_spans() -> Iterator[Spans]:
    """Inside, every trace that somebody records is recorded here."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracing.record_by(provider)
    try:
        yield Spans(exporter)
    finally:
        tracing.record_by(None)


def context_of(span: ReadableSpan) -> str:
    """The `traceparent` of a span."""
    context = span.get_span_context()
    assert context
    written = trace_contexts.written(context)
    assert written
    return written


def parent_of(span: ReadableSpan) -> str | None:
    """The `traceparent` of what a span is below of."""
    return trace_contexts.written(span.parent) if span.parent else None


def links_of(span: ReadableSpan) -> set[str | None]:
    """The `traceparent`s of what a span links to."""
    return {trace_contexts.written(link.context) for link in span.links}


def traceparent(trace: int, span: int = 1, flags: int = 1) -> str:
    """A context of the trace and the span of these numbers."""
    return f"00-{trace:032x}-{span:016x}-{flags:02x}"


def traced(log: Log, trace: int, span: int = 1, flags: int = 1) -> Context:
    """In which a command comes in that trace."""
    return replace(log.context(), traceparent=traceparent(trace, span, flags))


async def counted(log: Log, traces: int, **about: int) -> None:
    """One event in each of so many traces."""
    for n in range(1, traces + 1):
        await log.handle(tally, f"tally-{new_id()}", Count(n), traced(log, n, **about))
