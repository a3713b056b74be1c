"""Counting requests, and what came of commands: once for each request, when it was answered."""

from collections.abc import Sequence
from time import monotonic
from typing import Literal

import msgspec
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from steerco_service.call import DONE, call_of
from steerco_service.http_terms import FAULT, METHODS, is_event_stream
from steerco_service.metrics import COMMANDS, HTTP_REQUESTS, HTTP_SECONDS, STREAMS

type Outcome = Literal["accepted", "unchanged", "repeated", "conflict", "invalid", "refused", "failed", "unanswered"]

UNMATCHED = "unmatched"
"""A request that no route takes; a path that somebody made up is no label."""

UNANSWERED = "none"
"""The status of a request that was broken off before its answer: that is no fault of the service."""

_INVALID = frozenset({400, 413, 415, 422})


class _Problem(msgspec.Struct):
    type: str

    @property
    def code(self) -> str:
        return self.type.rpartition(":")[2]


_PROBLEM = msgspec.json.Decoder(_Problem)


class MeasuredRequests:
    """ASGI middleware. `routes` are the operations of the service; those that make a `Call` are its commands."""

    def __init__(self, app: ASGIApp, service: str, routes: Sequence[APIRoute]) -> None:
        self._app = app
        self._service = service
        self._commands = {route.name for route in routes if _calls(route.dependant)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, is_stream, problem = monotonic(), False, b""
        status: int | None = None

        async def measured(message: Message) -> None:
            nonlocal status, is_stream, problem
            if message["type"] == "http.response.start":
                status = message["status"]
                is_stream = is_event_stream(message["headers"])
                STREAMS.add(self._service, amount=int(is_stream))
            elif status and status >= 400:
                problem += message.get("body", b"")
            await send(message)

        try:
            await self._app(scope, receive, measured)
        except Exception:
            status = status or FAULT
            raise
        finally:
            route = scope.get("route")
            path = route.path_format if isinstance(route, APIRoute) else UNMATCHED
            method = scope["method"] if scope["method"] in METHODS else "other"
            HTTP_REQUESTS.add(self._service, path, method, f"{status // 100}xx" if status else UNANSWERED)
            STREAMS.add(self._service, amount=-int(is_stream))
            if status and not is_stream:
                HTTP_SECONDS.observe(monotonic() - began, self._service, path, method)
            if isinstance(route, APIRoute) and route.name in self._commands and method in (route.methods or ()):
                code = _code(problem)
                COMMANDS.add(self._service, route.name, _outcome(status, code, scope.get(DONE)), code)


def _outcome(status: int | None, code: str, done: Outcome | None) -> Outcome:
    if status is None:
        return "unanswered"
    if status < 400:
        return done or "repeated"
    if status == 412 or code == "contended":
        return "conflict"
    if status >= FAULT:
        return "failed"
    return "invalid" if status in _INVALID else "refused"


def _code(problem: bytes) -> str:
    """The code of a problem; it has one of a fixed number."""
    try:
        return _PROBLEM.decode(problem).code if problem else ""
    except msgspec.DecodeError:
        return ""


def _calls(dependant: Dependant) -> bool:
    return dependant.call is call_of or any(map(_calls, dependant.dependencies))
