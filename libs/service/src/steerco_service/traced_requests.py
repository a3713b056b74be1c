"""The span of each HTTP request.

It is a light one of our own, by OpenTelemetry's conventions for HTTP but for the address: what it names may be what no
span says. The answer tells the trace (`traceresponse`, W3C trace context).
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from fastapi.telemetry import TelemetryConfig
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.propagate import extract
from opentelemetry.trace import Span, SpanKind, StatusCode

from steerco_events import tracing
from steerco_events.trace_contexts import written
from steerco_service.exporting import tracer
from steerco_service.http_terms import FAULT, METHODS, is_event_stream

TRACERESPONSE = b"traceresponse"
PROBES = ("/livez", "/readyz", "/startupz")
"""What orchestrators ask every few seconds; these requests have no trace."""

NOTHING_OF_FASTAPI: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False}
"""What FastAPI is to record by itself: `TracedRequests` is lighter."""

type Scope = MutableMapping[str, Any]
type Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
type Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
type Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]

_SPAN = "steerco.span"


def named(scope: Scope) -> str:
    """A request by its method and, once one has taken it, its route."""
    method = scope["method"] if scope["method"] in METHODS else "HTTP"
    route = getattr(scope.get("route"), "path", None)
    return f"{method} {route}" if route else method


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
        span = tracer().start_span(named(scope), _caller(scope), SpanKind.SERVER, about)
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
            if is_event_stream(message.get("headers", ())):
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


def _caller(scope: Scope) -> Context:
    """The context that the request's headers name; an empty one where they name none."""
    if not any(name == b"traceparent" for name, _ in scope["headers"]):
        return Context()
    return extract({name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]})


def _is_probe(scope: Scope) -> bool:
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", "")) in PROBES
