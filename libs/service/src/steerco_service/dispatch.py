"""Sending a request to the application from inside one of its own requests, without a client between."""

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from fastapi import Request

from steerco_events.trace_contexts import traceparent
from steerco_service.edge.sizes import check_batched
from steerco_service.problems import Problem, problem_response
from steerco_service.traces import log_fault


@dataclass(slots=True)
class Dispatched:
    """What the application answered."""

    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


async def dispatch(request: Request, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Dispatched:
    """Serve a request to `path` (ASCII, with its query) as if it had come by itself; a fault is a 500, not raised.

    Its body may be as large as one that comes by itself. It goes on in the trace of the one that it is inside of.
    """
    prefix: str = request.scope.get("root_path", "")
    if context := traceparent():
        headers = {**headers, "traceparent": context}
    target, _, query = path.partition("?")
    scope = {
        **{name: request.scope[name] for name in ("type", "asgi", "http_version", "scheme", "server", "client")},
        "method": method,
        "root_path": prefix,
        "path": prefix + unquote(target),
        "raw_path": (prefix + target).encode(),
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    answered = Dispatched()

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            answered.status = message["status"]
            answered.headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in message["headers"]}
        else:
            answered.body += message.get("body", b"")

    try:
        check_batched(request.scope, len(body))
        await request.app(scope, receive, send)
    except Problem as problem:
        await problem_response(problem)(scope, receive, send)
    except Exception as error:
        log_fault(f"{method} {target} inside a batch", error)
    return answered
