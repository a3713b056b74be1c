"""Every request to a service becomes a row of its access log, also each one inside a batch."""

import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from urllib.parse import quote
from uuid import UUID

from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from steerco_events.clock import Clock
from steerco_events.postgres.accesses import Accessed
from steerco_events.postgres.faults import DATABASE_FAULTS
from steerco_events.trace_contexts import traceparent
from steerco_service.access.permissions import Permission
from steerco_service.audit.access_log import AccessLog
from steerco_service.edge.buckets import Buckets, Rate
from steerco_service.identity.principal import Principal
from steerco_service.problems import Problem, problem_response

LONGEST_PATH = 200
STRANGERS = Rate(per_second=1.0, at_once=100)
"""So many requests of who has no valid token are recorded: a flood of them fills no table."""
LONGEST_NAME = 500
REFUSED = 400
FAULT = 500
RETRY_SECONDS = 5

_ACCESSING = "steerco.accessing"


class _Unrecorded(Exception):
    """A sensitive answer that may not be given: that it was asked for could not be written."""


class _Accessing:
    """A request while it is answered: when it came, whereto it led outside of the service, and who asks."""

    __slots__ = ("at", "is_answered", "outside", "principal")

    def __init__(self, at: datetime, outside: object) -> None:
        self.at = at
        self.outside = outside
        self.principal: Principal | None = None
        self.is_answered = False


class LoggedAccesses:
    """ASGI middleware: who asked for what, when the answer begins; what is open to everybody is left out.

    The row of a sensitive answer is in the database before the answer is given. Where it can't be written there is
    none, but a 503.
    """

    def __init__(self, app: ASGIApp, log: AccessLog, clock: Clock, permissions: Mapping[str, Permission]) -> None:
        self._app = app
        self._log = log
        self._clock = clock
        self._permissions = permissions
        self._strangers = Buckets[None](STRANGERS, time.monotonic)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        asked = scope[_ACCESSING] = _Accessing(self._clock.now(), scope.get("endpoint"))

        async def logged(message: Message) -> None:
            if message["type"] == "http.response.start":
                await self._record(scope, asked, message["status"])
            await send(message)

        try:
            await self._app(scope, receive, logged)
        except _Unrecorded:
            detail = "this is answered only once it is recorded who asked, and that can't be written now"
            headers = {"Retry-After": str(RETRY_SECONDS)}
            await problem_response(Problem(503, "access-log-unavailable", detail, headers=headers))(
                scope, receive, send
            )
        except Exception:
            if not asked.is_answered:
                await self._record(scope, asked, FAULT)
            raise

    async def _record(self, scope: Scope, asked: _Accessing, status: int) -> None:
        asked.is_answered = True
        route = scope.get("route")
        operation = route.name if isinstance(route, APIRoute) else None
        permission = self._permissions.get(operation) if operation else None
        is_somewhere = scope.get("endpoint") is not asked.outside
        if is_somewhere and (permission is None or not permission.needs_token):
            return
        is_sensitive = permission is not None and permission.is_sensitive
        row = _row(scope, asked, operation, status, is_sensitive)
        if is_sensitive and status < REFUSED:
            try:
                await self._log.write(row)
            except DATABASE_FAULTS as error:
                raise _Unrecorded from error
        elif asked.principal or not self._strangers.take(None):
            self._log.put(row)


def asked_by(scope: Scope, principal: Principal) -> None:
    """Say who asks, for the access log."""
    asked = scope.get(_ACCESSING)
    if isinstance(asked, _Accessing):
        asked.principal = principal


def _row(scope: Scope, asked: _Accessing, operation: str | None, status: int, is_sensitive: bool) -> Accessed:
    principal, client = asked.principal, scope.get("client")
    return Accessed(
        at=asked.at,
        actor=principal.actor.id if principal else None,
        client=principal.client if principal else None,
        address=client[0] if client else "",
        method=scope["method"][:LONGEST_NAME],
        operation=operation,
        path=_path(scope)[:LONGEST_PATH],
        subject=_subject(scope) if operation else None,
        status=status,
        is_sensitive=is_sensitive,
        traceparent=traceparent(),
    )


def _path(scope: Scope) -> str:
    """The path below the service's own, escaped as in addresses: nothing in it that the database can't take."""
    return quote(scope["path"].removeprefix(scope.get("root_path", "")), safe="/:@!$&'()*+,;=~-._", errors="replace")


def _subject(scope: Scope) -> str | None:
    """What a path names: the first id in it, or else the last of its parts that vary."""
    named = [str(value) for value in scope.get("path_params", {}).values()]
    for each in named:
        with suppress(ValueError):
            return str(UUID(each))
    return named[-1].replace("\0", "�")[:LONGEST_NAME] if named else None
