"""To which trace something belongs: the W3C `traceparent` that events keep, and the contexts of spans."""

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, TraceFlags

_PARENT_LENGTH = 55
_TRACE = slice(3, 35)


def written(context: SpanContext) -> str | None:
    """A context as a W3C `traceparent`; `None` for one that is none."""
    if not context.is_valid:
        return None
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def traceparent() -> str | None:
    """The W3C `traceparent` of the current span, if there is one."""
    return written(trace.get_current_span().get_span_context())


def trace_id() -> str | None:
    """The id of the current trace, if there is one: 32 hexadecimal digits."""
    span = trace.get_current_span()
    return trace_of(span) if span.get_span_context().is_valid else None


def recorded_context(traceparent: str | None) -> SpanContext | None:
    """The context that a `traceparent` names, if it is one and somebody records its trace."""
    if traceparent is None or len(traceparent) != _PARENT_LENGTH or not traceparent.startswith("00-"):
        return None
    try:
        trace_id, span_id, flags = (int(part, 16) for part in traceparent.split("-")[1:])
    except ValueError:
        return None
    context = SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(flags))
    return context if context.is_valid and context.trace_flags.sampled else None


def trace_of(span: Span) -> str:
    """The id of the trace that a span is in."""
    return f"{span.get_span_context().trace_id:032x}"


def trace_in(traceparent: str) -> str:
    """The id of the trace that a `traceparent` names."""
    return traceparent[_TRACE]


def below(parent: SpanContext) -> Context:
    """The context in which a span begins below this one."""
    return trace.set_span_in_context(NonRecordingSpan(parent), Context())
