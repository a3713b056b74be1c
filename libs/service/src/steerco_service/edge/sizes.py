"""How large a request may be. The bytes of its body are counted as they come, whatever it says of itself."""

from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from steerco_service.problems import Problem, problem_response

_SIZES = "steerco.sizes"

LARGEST_HEAD = 64 * 1024
"""Bytes; a thousand units to filter by, or the longest token, fit."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bytes of the head, how many headers it has, and bytes of the body, at most.

    The head is the address and the headers. A body of 1 MiB tells an event of 256 KiB however its text is escaped,
    and a batch of 16 MiB holds 500 usual commands.
    """

    head: int = LARGEST_HEAD
    headers: int = 100
    body: int = 1024 * 1024
    batch: int = 16 * 1024 * 1024


class LimitedSizes:
    """ASGI middleware: refuses what is larger, as soon as that is known; a body perhaps in the midst of reading it."""

    def __init__(self, app: ASGIApp, sizes: Sizes) -> None:
        self._app = app
        self._sizes = sizes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        what, limit = "body", self._sizes.body
        if scope["path"].endswith("/batch"):
            what, limit = "batch", self._sizes.batch
        try:
            _check(_checked_head(scope, self._sizes), what, limit)
        except Problem as problem:
            await problem_response(problem)(scope, receive, send)
            return
        size = 0

        async def counted() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            _check(size, what, limit)
            return message

        await self._app({**scope, _SIZES: self._sizes}, counted, send)


def check_batched(scope: Scope, size: int) -> None:
    """Raise a 413 `Problem` for a command in the batch that a request is, if its body is larger than one may be."""
    sizes = scope.get(_SIZES)
    _check(size, "body", sizes.body if isinstance(sizes, Sizes) else Sizes().body)


def _check(size: int, what: str, limit: int) -> None:
    """Raise a 413 `Problem` for what is larger."""
    if size > limit:
        raise Problem(413, "body-too-large", f"a {what} has at most {limit} bytes")


def _checked_head(scope: Scope, sizes: Sizes) -> int:
    """The size of the body that a request says it has. Raises a 431 `Problem` for its head."""
    if len(scope["headers"]) > sizes.headers:
        raise Problem(431, "too-many-headers", f"a request has at most {sizes.headers} headers")
    size = len(scope.get("raw_path") or b"") + len(scope["query_string"])
    said = b""
    for name, value in scope["headers"]:
        size += len(name) + len(value)
        if name == b"content-length":
            said = value
    if size > sizes.head:
        raise head_too_large(sizes.head)
    return int(said[:18]) if said.isdigit() else 0


def head_too_large(limit: int) -> Problem:
    """The refusal of a head that is larger."""
    return Problem(431, "head-too-large", f"the address and the headers of a request have at most {limit} bytes")
