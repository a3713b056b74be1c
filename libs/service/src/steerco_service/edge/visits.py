"""How much each client may ask: requests over time, and streams at once. A client is an address until it is known who
asks, and then a person or machine.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from time import monotonic
from uuid import UUID

from starlette.types import ASGIApp, Receive, Scope, Send

from steerco_service.edge.addresses import client_of
from steerco_service.edge.buckets import Buckets, Rate
from steerco_service.identity.principal import Principal
from steerco_service.problems import Problem, problem_response

STREAM_RETRY_SECONDS = 10
"""When to ask again for a stream: they last long."""

_VISIT = "steerco.visit"


@dataclass(frozen=True, slots=True)
class Streams:
    """Event streams at once: of one person or machine, and of the process."""

    each: int = 50
    all: int = 1000


class Visits:
    """What the clients of a process have asked lately, and which streams they read."""

    def __init__(self, rate: Rate, streams: Streams, now: Callable[[], float] = monotonic) -> None:
        self._rate = rate
        self._limits = streams
        self._addresses = Buckets[str](rate, now)
        self._principals = Buckets[UUID](rate, now)
        self._streams = Counter[UUID]()

    def take_of_address(self, address: str) -> None:
        """Count a request. Raises a 429 `Problem`."""
        self._check(self._addresses.take(address), "address without a valid token")

    def take_of_principal(self, principal: UUID, address: str) -> None:
        """Count it for who asks, and not for the address. Raises a 429 `Problem`."""
        self._addresses.give_back(address)
        self._check(self._principals.take(principal), "person or machine")

    def _check(self, seconds: float, who: str) -> None:
        if seconds:
            rate = self._rate
            detail = f"each {who} may send {rate.at_once} requests at once and {rate.per_second:g} a second over time"
            raise Problem(429, "too-many-requests", detail, headers={"Retry-After": str(ceil(seconds))})

    def begin_stream(self, principal: UUID) -> None:
        """Count a stream. Raises a 429 `Problem`."""
        for there, most, who in (
            (self._streams[principal], self._limits.each, "each person or machine"),
            (self._streams.total(), self._limits.all, "all clients of this process together"),
        ):
            if there >= most:
                detail = f"{who} may read {most} event streams at once"
                raise Problem(429, "too-many-streams", detail, headers={"Retry-After": str(STREAM_RETRY_SECONDS)})
        self._streams[principal] += 1

    def end_stream(self, principal: UUID) -> None:
        """It is over."""
        self._streams[principal] -= 1
        if not self._streams[principal]:
            del self._streams[principal]


class Visit:
    """One request: of an address at first, then of who asks. What it holds is free again when it ends."""

    def __init__(self, visits: Visits, address: str) -> None:
        visits.take_of_address(address)
        self._visits = visits
        self._address = address
        self._principal: UUID | None = None
        self._stream: UUID | None = None

    def is_of(self, principal: Principal) -> None:
        """Say who asks; once is enough. Raises a 429 `Problem`."""
        if self._principal is None:
            self._principal = principal.actor.id
            self._visits.take_of_principal(self._principal, self._address)

    def begin_stream(self) -> None:
        """Say that the answer is an event stream. Raises a 429 `Problem`."""
        if self._principal and not self._stream:
            self._visits.begin_stream(self._principal)
            self._stream = self._principal

    def end(self) -> None:
        """Called once, when it was answered, was cut off or has failed."""
        if self._stream:
            self._visits.end_stream(self._stream)


class LimitedVisits:
    """ASGI middleware: each request is a visit, which the application finds by `visit_of`."""

    def __init__(self, app: ASGIApp, visits: Visits) -> None:
        self._app = app
        self._visits = visits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            visit = Visit(self._visits, client_of(scope))
        except Problem as problem:
            await problem_response(problem)(scope, receive, send)
            return
        try:
            await self._app({**scope, _VISIT: visit}, receive, send)
        finally:
            visit.end()


def visit_of(scope: Scope) -> Visit | None:
    """The visit that a request is; `None` for one that was sent from inside another, which was counted."""
    found = scope.get(_VISIT)
    return found if isinstance(found, Visit) else None
