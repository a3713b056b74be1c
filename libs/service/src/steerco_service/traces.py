"""The traces of a process: by what its spans are recorded, where they go, and the span of each HTTP request.

A request has a light span of our own, by OpenTelemetry's conventions for HTTP but for the address: what it names may
be what no span says. Its answer tells the trace (`traceresponse`, W3C trace context).
"""

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, MutableMapping, Sequence
from contextlib import suppress
from importlib.metadata import version
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.propagate import extract
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, StatusCode, Tracer

from steerco_events import tracing
from steerco_events.ids import new_id
from steerco_events.trace_contexts import written
from steerco_service.telemetry import TelemetrySettings

TRACES_PATH = "/v1/traces"
TRACERESPONSE = b"traceresponse"
PROBES = ("/livez", "/readyz", "/startupz")
"""What orchestrators ask every few seconds; these requests have no trace."""

METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
"""Those that are named in spans and metrics: what else somebody makes up is no name."""

EXPORT_SECONDS = 1.0
"""How long spans are gathered before they are sent."""

EXPORT_TIMEOUT_SECONDS = 5.0
FLUSH_SECONDS = 2.0
"""How long a process that ends waits for its last spans to be taken."""

QUIET_SECONDS = 60.0
"""How long nothing is said of a collector that takes nothing, after it was said."""

FAULT = 500

_logger = logging.getLogger("steerco.http")

type Scope = MutableMapping[str, Any]
type Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
type Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
type Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]

_SPAN = "steerco.span"
_IS_LOGGED = "steerco_is_logged"
_EVENT_STREAM = b"text/event-stream"

_tracer: Tracer = trace.NoOpTracer()


class Tracing:
    """What records the spans of a process."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider

    async def stop(self) -> None:
        """Make no more spans, and send those that were not sent yet, as far as they are taken within some seconds."""
        tracing.record_by(None)
        stopped, loop = asyncio.Event(), asyncio.get_running_loop()

        def shut_down() -> None:
            self._provider.shutdown()
            with suppress(RuntimeError):  # nobody waits any more
                loop.call_soon_threadsafe(stopped.set)

        # A thread that nobody has to wait for: the collector may not answer.
        threading.Thread(target=shut_down, daemon=True, name="last spans").start()
        with suppress(TimeoutError):
            async with asyncio.timeout(FLUSH_SECONDS):
                await stopped.wait()


def install_tracing(
    process: str,
    settings: TelemetrySettings | None = None,
    *,
    role: str = "",
    processors: Sequence[SpanProcessor] = (),
) -> Tracing:
    """Have the process know the trace of each request, and every event carry it, whether it is recorded or not.

    Spans go to the collector that the settings name, and to the `processors`. Where they go nowhere, none are made but
    those of requests whose caller records them.
    """
    global _tracer
    settings = settings or TelemetrySettings.model_construct()
    takers = [*processors, *_exporting(settings.otlp_endpoint)]
    about = {
        "service.name": process,
        "service.version": version("steerco-service"),
        "service.instance.id": str(new_id()),
        "steerco.role": role,
    }
    resource = Resource.create({name: value for name, value in about.items() if value})
    provider = TracerProvider(settings.sampler, resource, shutdown_on_exit=False)
    for each in takers:
        provider.add_span_processor(each)
    _tracer = provider.get_tracer("steerco")
    tracing.record_by(provider if takers else None)
    return Tracing(provider)


def install_tracing_once(process: str) -> None:
    """The same, where nobody has done it yet."""
    if isinstance(_tracer, trace.NoOpTracer):
        install_tracing(process)


def _exporting(endpoint: str) -> Iterator[SpanProcessor]:
    """What sends spans to a collector, from a thread of its own; what it does not take in time is lost."""
    if endpoint:
        exporter = OTLPSpanExporter(endpoint.rstrip("/") + TRACES_PATH, timeout=EXPORT_TIMEOUT_SECONDS)
        logging.getLogger(OTLPSpanExporter.__module__).addFilter(_NowAndThen())
        yield BatchSpanProcessor(exporter, schedule_delay_millis=EXPORT_SECONDS * 1000)


class _NowAndThen(logging.Filter):
    """Lets a complaint pass now and then: the collector may be away for long."""

    def __init__(self) -> None:
        super().__init__()
        self._passed_at = -QUIET_SECONDS

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether it is time for one."""
        now = time.monotonic()
        if now - self._passed_at < QUIET_SECONDS:
            return False
        self._passed_at = now
        return True


def _caller(scope: Scope) -> Context:
    """The context that the request's headers name; an empty one where they name none."""
    if not any(name == b"traceparent" for name, _ in scope["headers"]):
        return Context()
    return extract({name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]})


def _is_probe(scope: Scope) -> bool:
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", "")) in PROBES


def named(scope: Scope) -> str:
    """A request by its method and, once one has taken it, its route."""
    method = scope["method"] if scope["method"] in METHODS else "HTTP"
    route = getattr(scope.get("route"), "path", None)
    return f"{method} {route}" if route else method


def log_fault(what: str, error: Exception) -> None:
    """Say in the log that it failed by a fault of ours, in the trace that is current; of an error once."""
    if not is_logged(error):
        _logger.error("%s failed", what, exc_info=error)
        setattr(error, _IS_LOGGED, True)


def is_logged(error: BaseException) -> bool:
    """Whether the log names it already."""
    return getattr(error, _IS_LOGGED, False)


class TracedRequests:
    """ASGI middleware: a server span per HTTP request. Inside of another one it only says more about that span.

    That of a stream of events ends when the stream begins: it is read for hours.
    """

    def __init__(self, app: Asgi, service: str = "") -> None:
        self._app = app
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or _is_probe(scope):
            await self._app(scope, receive, send)
            return
        if isinstance(span := scope.get(_SPAN), Span):
            await self._within(span, scope, receive, send)
            return
        method = scope["method"] if scope["method"] in METHODS else "_OTHER"
        about = {"http.request.method": method, "url.scheme": scope.get("scheme", "http")}
        span = _tracer.start_span(named(scope), _caller(scope), SpanKind.SERVER, about)
        scope[_SPAN] = span
        with trace.use_span(span, record_exception=False, set_status_on_exception=False):
            try:
                await self._within(span, scope, receive, _telling(span, send))
            except Exception as error:
                _fail(span, type(error).__name__)
                raise
            finally:
                _end(span)

    async def _within(self, span: Span, scope: Scope, receive: Receive, send: Send) -> None:
        if self._service:
            span.set_attribute(tracing.SERVICE, self._service)

        async def under_its_route(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start" and (route := getattr(scope.get("route"), "path", None)):
                span.set_attribute("http.route", route)
                span.update_name(named(scope))
            await send(message)

        await self._app(scope, receive, under_its_route if span.is_recording() else send)


def _telling(span: Span, send: Send) -> Send:
    """Sends on what an answer begins with, and tells the trace in it."""
    context = written(span.get_span_context())

    async def told(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            span.set_attribute("http.response.status_code", message["status"])
            if message["status"] >= FAULT:
                _fail(span, str(message["status"]))
            if context:
                message["headers"] = [*message.get("headers", ()), (TRACERESPONSE, context.encode())]
            if any(
                name == b"content-type" and kind.startswith(_EVENT_STREAM) for name, kind in message.get("headers", ())
            ):
                _end(span)
        await send(message)

    return told


def _fail(span: Span, what: str) -> None:
    if span.is_recording():
        span.set_attribute("error.type", what)
        span.set_status(StatusCode.ERROR)


def _end(span: Span) -> None:
    if span.is_recording():
        span.end()
