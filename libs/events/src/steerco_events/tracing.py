"""The spans of commands and of the log: their names, what they say, and to which trace they belong.

A trace follows what a request led to: each event keeps the context (W3C `traceparent`) of the command that it came of,
and who seals, publishes or processes it later goes on in that trace. Of few traces in a batch each gets a span of its
own, with links to the other contexts of it; of many there is one span, in a trace of its own, with links to all.

Spans say what was done, where, how much of it and whether it failed; never a name, an amount or a free text, and so
neither an address nor the message of an error. Nothing is made before `record_by`, nor of what its caller does not
record.
"""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from types import MappingProxyType

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, StatusCode, Tracer, TracerProvider

from steerco_events.envelope import Recorded
from steerco_events.trace_contexts import below, recorded_context, trace_in, trace_of, written

MOST_TRACES = 16
"""Of more in one batch, none gets a span of its own."""

MOST_LINKS = 128
MOST_LINKS_OF_A_TRACE = 8

SERVICE = "steerco.service"
"""The attribute that names the service: several may share a process."""

type Attributes = Mapping[str, str | int]
type Appended = tuple[str, Sequence[tuple[str | None, int]], int, int]
"""Of which service, the context of each command and how many events, when it began and ended."""

_NOTHING: Mapping[str, str] = MappingProxyType({})

_tracer: Tracer | None = None
_continued: ContextVar[Mapping[str, str]] = ContextVar("continued", default=_NOTHING)
_uncommitted: ContextVar[list[Appended] | None] = ContextVar("uncommitted", default=None)


def record_by(provider: TracerProvider | None) -> None:
    """From now on spans are made by this provider; by none, there are none."""
    global _tracer
    _tracer = provider.get_tracer("steerco") if provider else None


def is_on() -> bool:
    """Whether spans are made."""
    return _tracer is not None


def continued(traceparent: str | None) -> str | None:
    """The same trace, from the span that goes on in it here; as it is, if there is none."""
    return _continued.get().get(trace_in(traceparent), traceparent) if traceparent else traceparent


@contextmanager
def handling(service: str, command: str, refusals: type[Exception]) -> Iterator[None]:
    """A command, from when it is understood to its answer, in the current trace. To be refused is no failure."""
    if _tracer is None:
        yield
        return
    about = {SERVICE: service, "steerco.command": command}
    with _tracer.start_as_current_span(
        f"handle {command}", attributes=about, record_exception=False, set_status_on_exception=False
    ) as span:
        try:
            yield
        except refusals as refusal:
            span.set_attribute("steerco.refusal", type(refusal).__name__)
            raise
        except Exception as error:
            _fail(span, error)
            raise


def now() -> int:
    """When something begins whose span is made after it (nanoseconds since the epoch); 0 where none will be."""
    return time.time_ns() if _tracer else 0


def appended(service: str, appends: Iterable[tuple[str | None, int]], began: int) -> None:
    """Commands whose events one transaction has appended: the context of each, and how many events."""
    if _tracer is None:
        return
    done: Appended = service, list(appends), began, now()
    if (uncommitted := _uncommitted.get()) is None:
        _span_appends(*done)
    else:
        uncommitted.append(done)


@contextmanager
def once_committed() -> Iterator[None]:
    """Around a transaction: what is appended in it has its spans when it is committed, and else none."""
    done: list[Appended] = []
    token = _uncommitted.set(done)
    try:
        yield
    finally:
        _uncommitted.reset(token)
    for each in done:
        _span_appends(*each)


def _span_appends(service: str, found: Sequence[tuple[str | None, int]], began: int, ended: int) -> None:
    if _tracer is None:
        return
    for traceparent, events in found:
        if parent := recorded_context(traceparent):
            about: Attributes = {
                SERVICE: service,
                "db.system.name": "postgresql",
                "db.operation.name": "append",
                "db.operation.batch.size": len(found),
                "steerco.events": events,
            }
            span = _tracer.start_span("append", below(parent), SpanKind.CLIENT, about, start_time=began or None)
            span.end(ended or None)


def sealed(service: str, traceparents: Iterable[str | None], events: int, began: int, ended: int) -> None:
    """Events that one seal has sealed."""
    about: Attributes = {SERVICE: service, "db.system.name": "postgresql", "steerco.events": events}
    for span in _spans("seal", SpanKind.INTERNAL, about, traceparents, began).values():
        span.end(ended or None)


@contextmanager
def publishing(service: str, topic: str, events: Sequence[Recorded]) -> Iterator[None]:
    """A batch on its way into a topic of Kafka."""
    with _carrying(f"send {topic}", SpanKind.PRODUCER, {SERVICE: service}, ("kafka", "send", topic), events):
        yield


@contextmanager
def processing(service: str, consumer: str, system: str, topic: str, events: Sequence[Recorded]) -> Iterator[None]:
    """A batch as a consumer takes it from a log; what it leads to goes on from there."""
    about: Attributes = {SERVICE: service, "steerco.consumer": consumer}
    with _carrying(f"process {topic}", SpanKind.CONSUMER, about, (system, "process", topic), events):
        yield


@contextmanager
def firing(service: str, traceparents: Sequence[str | None]) -> Iterator[None]:
    """Timers that are fired together: each goes on in the trace of the event that set it."""
    about: Attributes = {SERVICE: service, "steerco.timers": len(traceparents)}
    with _in_each_trace("fire timers", SpanKind.INTERNAL, about, traceparents):
        yield


@contextmanager
def _carrying(
    name: str, kind: SpanKind, about: Attributes, carried: tuple[str, str, str], events: Sequence[Recorded]
) -> Iterator[None]:
    """What is done with a batch of events, of which OpenTelemetry's conventions for messaging say more."""
    if _tracer is None:
        yield
        return
    system, operation, topic = carried
    more: dict[str, str | int] = {
        "messaging.system": system,
        "messaging.operation.name": operation,
        "messaging.operation.type": operation,
        "messaging.destination.name": topic,
        "messaging.batch.message_count": len(events),
    }
    if len(partitions := {event.partition for event in events}) == 1:
        more["messaging.destination.partition.id"] = str(partitions.pop())
    if len(events) == 1:
        more["messaging.message.id"] = str(events[0].id)
    with _in_each_trace(name, kind, {**about, **more}, [event.traceparent for event in events]):
        yield


@contextmanager
def _in_each_trace(name: str, kind: SpanKind, about: Attributes, traceparents: Iterable[str | None]) -> Iterator[None]:
    """Inside, the traces of a batch go on from its spans; an error that leaves it names them.

    What is logged inside names the trace, too, if there is one span.
    """
    spans = _spans(name, kind, about, traceparents)
    if not spans:
        yield
        return
    goes_on = {
        of_trace: parent
        for of_trace, span in spans.items()
        if span.is_recording() and (parent := written(span.get_span_context())) and trace_in(parent) == of_trace
    }
    token = _continued.set(goes_on)
    try:
        with _current(*spans.values()):
            yield
    except Exception as error:
        for span in spans.values():
            _fail(span, error)
        error.add_note(f"trace {', '.join(trace_of(span) for span in spans.values())}")
        raise
    finally:
        _continued.reset(token)
        for span in spans.values():
            span.end()


def _spans(
    name: str, kind: SpanKind, about: Attributes, traceparents: Iterable[str | None], began: int = 0
) -> Mapping[str, Span]:
    """A batch's spans, by the trace that each is in."""
    if _tracer is None or not (traces := _by_trace(traceparents)):
        return {}
    start = began or None
    if len(traces) > MOST_TRACES:
        links = [Link(first) for first, *_ in traces.values()]
        return {"": _tracer.start_span(name, Context(), kind, about, links, start_time=start)}
    return {
        of_trace: _tracer.start_span(
            name, below(parent), kind, about, [Link(each) for each in others], start_time=start
        )
        for of_trace, (parent, *others) in traces.items()
    }


def _by_trace(traceparents: Iterable[str | None]) -> Mapping[str, Sequence[SpanContext]]:
    """The contexts that somebody records, each once, by their traces: some of each trace, and of some traces."""
    found: dict[str, list[SpanContext]] = {}
    for each in dict.fromkeys(traceparents):
        if context := recorded_context(each):
            of_trace = found.setdefault(f"{context.trace_id:032x}", [])
            if len(of_trace) <= MOST_LINKS_OF_A_TRACE:
                of_trace.append(context)
            if len(found) == MOST_LINKS:
                break
    return found


def _current(span: Span, *others: Span) -> AbstractContextManager[object]:
    """Inside, the span is the current one, if there are no others."""
    if others:
        return nullcontext()
    return trace.use_span(span, record_exception=False, set_status_on_exception=False)


def _fail(span: Span, error: Exception) -> None:
    """Which error it was; what it says may name somebody."""
    span.set_attribute("error.type", type(error).__name__)
    span.set_status(StatusCode.ERROR)
