"""Waiting, bounded, until a service has applied what a caller has seen.

Never a silent answer without it: what will not come by waiting is said at once.
"""

import asyncio
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from fastapi import Request
from sqlalchemy.ext.asyncio import AsyncConnection

from steerco_events.ports import Cursor
from steerco_events.positions import Token, TokenMalformed, kept_of, reached
from steerco_events.postgres.checkpoints import load_all
from steerco_events.postgres.parking import parked_by
from steerco_events.projections.builds import Build, ViewNotBuilt
from steerco_service.headers import CONSISTENCY_TOKEN
from steerco_service.problems import Problem
from steerco_service.runtime import Runtime

WAIT_SECONDS = 5.0
POLL_SECONDS = 0.25
LOOK_SECONDS = 0.5
"""How long the last look may take beyond the wait."""

PARKED_RETRY_SECONDS = 30
"""When to ask again for what is parked: somebody has to see to it first."""


def token_of_header(value: str | None) -> Token:
    """The token of a header. Raises a 400 `Problem`."""
    try:
        return Token.decode(value) if value else Token()
    except TokenMalformed as error:
        raise Problem(400, "malformed-consistency-token", str(error)) from error


def seen_by(request: Request) -> Token:
    """The token of what a request's caller has seen. Raises a 400 `Problem`."""
    return token_of_header(request.headers.get(CONSISTENCY_TOKEN))


def deadline_from_now() -> float:
    """Until when a request that begins now waits, all its waiting together: by the time of the loop."""
    return asyncio.get_running_loop().time() + WAIT_SECONDS


async def wait_until(runtime: Runtime, token: Token, deadline: float | None = None) -> None:
    """Return when the service's view and reactions have applied everything the token covers.

    Raises a 503 `projection-behind` with `Retry-After`: at the deadline, or 5 seconds from now; at once when a stream
    of it is parked. And a 409 `log-rewound` when the log was restored to a point before it.
    """
    if not token.seen:
        return
    applied = runtime.signals.applied.subscribe()
    loop = asyncio.get_running_loop()
    deadline = deadline_from_now() if deadline is None else deadline
    behind: Sequence[str] = ()
    while True:
        try:
            async with asyncio.timeout_at(deadline + LOOK_SECONDS), runtime.engine.connect() as connection:
                behind = await _behind(connection, runtime, token)
        except TimeoutError as error:
            raise _problem(runtime, behind or ["its database was too busy to tell"]) from error
        if not behind:
            return
        left = deadline - loop.time()
        if left <= 0:
            raise _problem(runtime, behind)
        await applied.wait(min(POLL_SECONDS, left))


def _problem(runtime: Runtime, behind: Sequence[str], retry_after: int = 1) -> Problem:
    detail = f"{runtime.service.name} has not applied yet what the token covers: {', '.join(behind)}"
    return Problem(503, "projection-behind", detail, headers={"Retry-After": str(retry_after)})


@dataclass(frozen=True, slots=True)
class Consumed:
    """A log that a consumer of the service reads."""

    consumer: str
    service: str


async def _behind(connection: AsyncConnection, runtime: Runtime, token: Token) -> Sequence[str]:
    """Which consumers are behind. Raises a `Problem` for what will not come by waiting."""
    concerned = [each for each in await consumed(connection, runtime) if each.service in token.seen]
    names = {each.consumer for each in concerned}
    cursors = await load_all(connection, sorted(names))
    behind = []
    for each in concerned:
        generation, target = token.target(each.service)
        cursor = cursors.get((each.consumer, each.service), Cursor())
        check_not_rewound(token, each.service, cursor.began)
        if cursor.generation < generation or not reached(cursor.positions, target):
            behind.append(f"{each.consumer} in the log of {each.service}")
    await _check_not_parked(connection, runtime, token, names)
    return behind


def check_not_rewound(token: Token, service: str, began: Sequence[int]) -> None:
    """Raise a 409 `log-rewound` if a later generation of the log began before what the token covers.

    `began` says after which position each generation began, as far as is known.
    """
    generation, target = token.target(service)
    kept, position = kept_of(began, generation), max(target)
    if kept is not None and position > kept:
        detail = (
            f"the log of {service} was restored and goes on after position {kept} in another generation; what the token"
            f" covers, up to position {position} of generation {generation}, may be lost: look without the token"
        )
        raise Problem(409, "log-rewound", detail)


async def _check_not_parked(
    connection: AsyncConnection, runtime: Runtime, token: Token, consumers: Collection[str]
) -> None:
    parked = Counter(
        each.consumer
        for each in await parked_by(connection, sorted(consumers))
        if token.covers(each.service, each.stream, each.first)
    )
    if parked:
        said = [f"parked for {consumer}, streams: {count}" for consumer, count in sorted(parked.items())]
        raise _problem(runtime, said, PARKED_RETRY_SECONDS)


async def consumed(connection: AsyncConnection, runtime: Runtime) -> Sequence[Consumed]:
    """What the service's live view and reactions read. Raises a 503 `Problem` while there is no live view."""
    service = runtime.service
    build = await live_build(connection, runtime)
    view = [Consumed(build.checkpoints.consumer, source) for source in service.view.services]
    reactions = [Consumed(each.name, each.service) for each in service.reactions]
    return [*view, *reactions]


async def live_build(connection: AsyncConnection, runtime: Runtime) -> Build:
    """The build of the service's view to read. Raises a 503 `Problem` while the first one is being made."""
    try:
        return await runtime.builds.live(connection)
    except ViewNotBuilt as error:
        raise view_not_built(error) from error


def view_not_built(error: ViewNotBuilt) -> Problem:
    """The problem of who asks while the service's first view is being made."""
    return Problem(503, "view-not-built", f"{error} is being built", headers={"Retry-After": "1"})
