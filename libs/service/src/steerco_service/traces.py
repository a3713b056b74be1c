"""Light spans of our own: one per request, its context kept in every event that the request led to."""

from collections.abc import Awaitable, Callable, MutableMapping
from functools import cache
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.propagate import extract
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import SpanKind, Tracer

type Scope = MutableMapping[str, Any]
type Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
type Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
type Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]


def install_tracing(process: str) -> None:
    """Give the process a tracer provider, once, so that every event carries the trace that led to it."""
    if not isinstance(trace.get_tracer_provider(), TracerProvider):
        trace.set_tracer_provider(TracerProvider(resource=Resource.create({"service.name": process})))


@cache
def tracer(name: str) -> Tracer:
    """The tracer of a part of ours. Once it was asked for, it stays that of the provider that was there."""
    return trace.get_tracer(name)


def traceparent() -> str | None:
    """The W3C `traceparent` of the current span, if there is one."""
    span = trace.get_current_span().get_span_context()
    return f"00-{span.trace_id:032x}-{span.span_id:016x}-{span.trace_flags:02x}" if span.is_valid else None


def _caller(scope: Scope) -> Context:
    """The context that the request's headers name; an empty one where they name none."""
    if not any(name == b"traceparent" for name, _ in scope["headers"]):
        return Context()
    return extract({name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]})


class TracedRequests:
    """ASGI middleware: a server span per HTTP request, by OpenTelemetry's HTTP conventions."""

    def __init__(self, app: Asgi) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        method = scope["method"]
        about = {"http.request.method": method}
        with tracer("steerco.http").start_as_current_span(method, _caller(scope), SpanKind.SERVER, about) as span:

            async def traced(message: MutableMapping[str, Any]) -> None:
                if message["type"] == "http.response.start":
                    span.set_attribute("http.response.status_code", message["status"])
                    route = getattr(scope.get("route"), "path", None)
                    if route:
                        span.set_attribute("http.route", route)
                        span.update_name(f"{method} {route}")
                await send(message)

            await self._app(scope, receive, traced)
