"""Routes for who has a valid token, whose bodies are strict JSON, and said to be it: no NaN, no lone surrogates."""

import json
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec
from fastapi import APIRouter, Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.routing import Match
from starlette.types import Receive, Scope, Send

from steerco_service.asking import asker_of, principal_of
from steerco_service.parameters import Parameters
from steerco_service.problems import Problem


class StrictRequest(Request):
    """A request whose JSON body is decoded by the letter of RFC 8259."""

    async def json(self) -> Any:
        """The body; raises `json.JSONDecodeError`, which becomes a 400 problem."""
        body = await self.body()
        try:
            return msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise json.JSONDecodeError(str(error), "", 0) from error

    async def read(self) -> None:
        """Take the whole body. Raises a 415 `Problem` when it is not JSON, and the edge's 413 one."""
        if await self.body() and not self._is_said_to_be_json():
            raise Problem(415, "unsupported-media-type", "a body is JSON: send it with Content-Type: application/json")

    def _is_said_to_be_json(self) -> bool:
        media_type = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        return media_type == "application/json" or (
            media_type.startswith("application/") and media_type.endswith("+json")
        )


class StrictRoute(APIRoute):
    """A route that reads strict JSON, and nothing of it before it is known who asks, where it is not open to all.

    It refuses parameters that it does not have, and answers HEAD where it does GET.
    """

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """HEAD finds what GET does, where no other route takes it."""
        return super().matches(self._asked(scope))

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer; the server leaves out the body of what is answered to HEAD."""
        await super().handle(self._asked(scope), receive, send)

    def _asked(self, scope: Scope) -> Scope:
        is_head = scope.get("method") == "HEAD" and "GET" in (self.methods or ())
        return {**scope, "method": "GET"} if is_head else scope

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler, over a strict request. Raises a 401 `Problem` for who has no valid token."""
        handler = super().get_route_handler()
        parameters, asks_who = Parameters.of(self.dependant), _asks_who(self.dependant)

        async def strict(request: Request) -> Response:
            checked = StrictRequest(request.scope, request.receive)
            if asks_who:
                await principal_of(checked)
            parameters.check(checked)
            await checked.read()
            return await handler(checked)

        return strict


def _asks_who(dependant: Dependant) -> bool:
    return dependant.call is asker_of or any(map(_asks_who, dependant.dependencies))


def router(*tags: str) -> APIRouter:
    """A router for one kind of thing."""
    return APIRouter(tags=list(tags), route_class=StrictRoute)
