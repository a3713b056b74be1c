"""Every refusal as RFC 9457 problem details: a stable `type`, a pointer per field, never a 500 for bad input."""

import logging
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import Match

from steerco_events.commands.attempts import Contended
from steerco_events.commands.planning import StaleVersion
from steerco_events.decider import Refusal
from steerco_events.ids import new_id
from steerco_events.postgres.faults import DATABASE_FAULTS, is_unavailable
from steerco_events.postgres.store import EventTooLarge
from steerco_events.registry import NewerVersion
from steerco_events.trace_contexts import trace_id
from steerco_service.printing import printable
from steerco_service.traces import log_fault, named

NEWER_RETRY_SECONDS = 30
"""When to ask again for what a newer release wrote: that has to be brought first."""

MEDIA_TYPE = "application/problem+json"
FAULT = 500

_logger = logging.getLogger("steerco.http")

_STATUS = {"conflict": 409, "unknown": 404, "invalid": 422, "forbidden": 403}


class Problem(Exception):
    """A request that can't be served, with its HTTP status and a stable kebab-case `code`."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        errors: Sequence[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = errors
        self.headers = dict(headers or {})

    @property
    def type(self) -> str:
        """What names the rule, for programs."""
        return f"urn:steerco:problem:{self.code}"


def kebab(name: str) -> str:
    """`BudgetExceeded` as `budget-exceeded`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()


def problem_response(problem: Problem) -> JSONResponse:
    """The response of a problem, in the trace that is current."""
    body: dict[str, Any] = {
        "type": problem.type,
        "title": problem.code.replace("-", " ").capitalize(),
        "status": problem.status,
        "detail": problem.detail.encode("utf-8", "backslashreplace").decode(),
        "trace_id": trace_id() or _trace_of_its_own(problem),
    }
    if problem.errors:
        body["errors"] = [dict(error) for error in problem.errors]
    return JSONResponse(body, problem.status, problem.headers, media_type=MEDIA_TYPE)


def _trace_of_its_own(problem: Problem) -> str:
    """An id where there is no span: by it the log knows the problem, where the server is to blame."""
    trace = new_id().hex
    if problem.status >= FAULT:
        _logger.warning("answered with %d %s: %s (trace %s)", problem.status, problem.code, problem.detail, trace)
    return trace


def problem_of_refusal(refusal: Refusal) -> Problem:
    """A domain refusal at the edge: 409, 404, 422 or 403 by its kind; 412 for a stale version; 503 if contended."""
    code = kebab(type(refusal).__name__)
    errors = [{"pointer": refusal.pointer, "detail": refusal.detail}] if refusal.pointer else []
    if isinstance(refusal, StaleVersion):
        return Problem(412, code, refusal.detail)
    if isinstance(refusal, Contended):
        return Problem(503, code, refusal.detail, headers={"Retry-After": "1"})
    return Problem(_STATUS[refusal.kind], code, refusal.detail, errors=errors)


def problem_of_newer(error: NewerVersion) -> Problem:
    """What a newer release wrote, at the edge: 503."""
    detail = f"{error.stream} holds what this release can't read: {error}"
    return Problem(503, "newer-release", detail, headers={"Retry-After": str(NEWER_RETRY_SECONDS)})


def _problem_of_validation(error: RequestValidationError) -> Problem:
    errors = []
    for found in error.errors():
        if found["type"] == "json_invalid":
            reason = found.get("ctx", {}).get("error", "")
            return Problem(400, "malformed-json", f"the body is not JSON: {reason}")
        where, *path = found["loc"]
        pointer = "".join(f"/{pointer_part(str(part))}" for part in path)
        message = found["msg"].removeprefix("Value error, ")
        if found["type"] not in ("missing", "extra_forbidden") and "input" in found:
            message = f"{message} (got {printable(found['input'])})"
        errors.append({"in": str(where), "pointer": pointer, "detail": message})
    first = errors[0]
    detail = f"{first['pointer'] or first['in']}: {first['detail']}"
    return Problem(422, "invalid-request", detail, errors=errors)


def pointer_part(part: str) -> str:
    """A part of a JSON pointer (RFC 6901)."""
    return part.replace("~", "~0").replace("/", "~1")


type Remembered = Callable[[], Awaitable[Response | None]]
"""The answer to a command that was accepted before, if this is its repetition."""


async def _nothing() -> None:
    """What is no command repeats none."""


_HTTP_CODES = {404: "not-found", 405: "method-not-allowed"}
_METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE")


def _allowed(request: Request) -> str:
    """The methods that any of the routes of an address takes: routing asks the first one only."""
    asked = {method: {**request.scope, "method": method} for method in _METHODS}
    routes = request.app.routes
    return ", ".join(
        method for method, scope in asked.items() if any(each.matches(scope)[0] is Match.FULL for each in routes)
    )


def install_problem_handlers(app: FastAPI) -> None:
    """Answer every refusal and error of an app as problem details. Needed in each mounted app and its parent."""

    async def on_problem(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, Problem)
        return problem_response(error)

    async def on_refusal(request: Request, error: Exception) -> Response:
        assert isinstance(error, Refusal)
        remembered: Remembered = getattr(request.state, "remembered", _nothing)
        try:
            return await remembered() or problem_response(problem_of_refusal(error))
        except Refusal as other:
            return problem_response(problem_of_refusal(other))

    async def on_validation(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        return problem_response(_problem_of_validation(error))

    async def on_http(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        code = _HTTP_CODES.get(error.status_code, "bad-request")
        detail = f"{request.method} {request.url.path}: {error.detail}"
        headers = {"Allow": _allowed(request)} if error.status_code == 405 else error.headers
        return problem_response(Problem(error.status_code, code, detail, headers=headers))

    async def on_too_large(_: Request, error: Exception) -> JSONResponse:
        return problem_response(Problem(413, "event-too-large", str(error)))

    async def on_newer(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, NewerVersion)
        return problem_response(problem_of_newer(error))

    async def on_database(_: Request, error: Exception) -> JSONResponse:
        if not is_unavailable(error):
            raise error
        detail = f"the database can't be reached now ({type(error).__name__}); ask again, a command with its key"
        return problem_response(Problem(503, "database-unavailable", detail, headers={"Retry-After": "1"}))

    async def on_error(request: Request, error: Exception) -> JSONResponse:
        log_fault(named(request.scope), error)
        detail = "the request failed by a fault of ours; it was logged, and nothing half-done stays"
        return problem_response(Problem(500, "internal-error", detail))

    for fault in DATABASE_FAULTS:
        app.add_exception_handler(fault, on_database)
    app.add_exception_handler(Exception, on_error)
    app.add_exception_handler(Problem, on_problem)
    app.add_exception_handler(Refusal, on_refusal)
    app.add_exception_handler(RequestValidationError, on_validation)
    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(EventTooLarge, on_too_large)
    app.add_exception_handler(NewerVersion, on_newer)
