"""Routes whose bodies are strict JSON: no NaN, no infinities, no lone surrogates."""

import json
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec
from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute


class StrictRequest(Request):
    """A request whose JSON body is decoded by the letter of RFC 8259."""

    async def json(self) -> Any:
        """The body; raises `json.JSONDecodeError`, which becomes a 400 problem."""
        body = await self.body()
        try:
            return msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise json.JSONDecodeError(str(error), "", 0) from error


class StrictRoute(APIRoute):
    """A route that reads strict JSON."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler, over a strict request."""
        handler = super().get_route_handler()

        async def strict(request: Request) -> Response:
            return await handler(StrictRequest(request.scope, request.receive))

        return strict


def router(*tags: str) -> APIRouter:
    """A router for one kind of thing."""
    return APIRouter(tags=list(tags), route_class=StrictRoute)
