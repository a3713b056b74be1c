"""Waiting, bounded, until a service has applied what a caller has seen."""

import asyncio
from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from steerco_events.positions import Token, TokenMalformed, reached
from steerco_events.postgres.checkpoints import Checkpoints
from steerco_events.projections.builds import Build, ViewNotBuilt
from steerco_service.problems import Problem
from steerco_service.runtime import Runtime

WAIT_SECONDS = 5.0
POLL_SECONDS = 0.25


def token_of_header(value: str | None) -> Token:
    """The token of a header. Raises a 400 `Problem`."""
    try:
        return Token.decode(value) if value else Token()
    except TokenMalformed as error:
        raise Problem(400, "malformed-consistency-token", str(error)) from error


async def wait_until(runtime: Runtime, token: Token) -> None:
    """Return when the service's view and reactions have applied everything the token covers.

    Raises a 503 `projection-behind` with `Retry-After` after 5 seconds.
    """
    if not token.seen:
        return
    applied = runtime.signals.applied.subscribe()
    loop = asyncio.get_running_loop()
    deadline = loop.time() + WAIT_SECONDS
    while True:
        async with runtime.engine.connect() as connection:
            behind = await _behind(connection, runtime, token)
        if not behind:
            return
        left = deadline - loop.time()
        if left <= 0:
            raise Problem(
                503,
                "projection-behind",
                f"{runtime.service.name} has not applied yet what the token covers: {', '.join(behind)}",
                headers={"Retry-After": "1"},
            )
        await applied.wait(min(POLL_SECONDS, left))


async def _behind(connection: AsyncConnection, runtime: Runtime, token: Token) -> Sequence[str]:
    behind = []
    for checkpoints, service in await _consumers(connection, runtime):
        generation, target = token.target(service)
        if generation == 0:
            continue
        cursor = await checkpoints.load(connection, service)
        if cursor.generation < generation or not reached(cursor.positions, target):
            behind.append(f"{checkpoints.consumer} in the log of {service}")
    return behind


async def _consumers(connection: AsyncConnection, runtime: Runtime) -> Sequence[tuple[Checkpoints, str]]:
    service = runtime.service
    build = await live_build(connection, runtime)
    view = [(build.checkpoints, source) for source in service.view.services]
    reactions = [(Checkpoints(each.name), each.service) for each in service.reactions]
    return [*view, *reactions]


async def live_build(connection: AsyncConnection, runtime: Runtime) -> Build:
    """The build of the service's view to read. Raises a 503 `Problem` while the first one is being made."""
    try:
        return await runtime.builds.live(connection)
    except ViewNotBuilt as error:
        raise Problem(503, "view-not-built", f"{error} is being built", headers={"Retry-After": "1"}) from error
