"""Counting requests, and what came of commands: once for each request, when it was answered."""

from collections.abc import Sequence
from time import monotonic
from typing import Literal

import msgspec
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from steerco_service.call import DONE, call_of
from steerco_service.metrics import COMMANDS, HTTP_REQUESTS, HTTP_SECONDS, STREAMS
from steerco_service.traces import METHODS

type Outcome = Literal["accepted", "unchanged", "repeated", "conflict", "invalid", "refused", "failed"]

UNMATCHED = "unmatched"
"""A request that no route takes; a path that somebody made up is no label."""

FAULT = 500

_INVALID = frozenset({400, 413, 415, 422})
_STREAM = b"text/event-stream; charset=utf-8"


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
        began, status, is_stream, problem = monotonic(), FAULT, False, b""

        async def measured(message: Message) -> None:
            nonlocal status, is_stream, problem
            if message["type"] == "http.response.start":
                status = message["status"]
                is_stream = (b"content-type", _STREAM) in message["headers"]
                STREAMS.add(self._service, amount=int(is_stream))
            elif status >= 400:
                problem += message.get("body", b"")
            await send(message)

        try:
            await self._app(scope, receive, measured)
        finally:
            route = scope.get("route")
            path = route.path_format if isinstance(route, APIRoute) else UNMATCHED
            method = scope["method"] if scope["method"] in METHODS else "other"
            HTTP_REQUESTS.add(self._service, path, method, f"{status // 100}xx")
            STREAMS.add(self._service, amount=-int(is_stream))
            if not is_stream:
                HTTP_SECONDS.observe(monotonic() - began, self._service, path, method)
            if isinstance(route, APIRoute) and route.name in self._commands and method in (route.methods or ()):
                code = _code(problem)
                COMMANDS.add(self._service, route.name, _outcome(status, code, scope.get(DONE)), code)


def _outcome(status: int, code: str, done: Outcome | None) -> Outcome:
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
