"""What has to hold before a build takes the live one's place: it answers all that the live one can answer."""

from collections.abc import Mapping

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from steerco_events.ports import Cursor
from steerco_events.positions import reached
from steerco_events.postgres.parking import parked_streams
from steerco_events.projections.builds import Build, Builds

_LOCK_TIMEOUT = text("SET LOCAL lock_timeout = '1s'")
_STAND_STILL = text("LOCK TABLE log.checkpoints IN SHARE ROW EXCLUSIVE MODE")
_HELD_BY_NOBODY = text("SELECT 1 FROM log.checkpoints WHERE consumer = :consumer FOR UPDATE NOWAIT")

LOCK_NOT_AVAILABLE = "55P03"
"""The SQLSTATE of who would wait for a lock too long."""


class NotStandingStill(Exception):
    """Somebody works on the live build and will not be done soon."""


async def stand_still(tx: AsyncConnection, live: Build) -> None:
    """Let no checkpoint be moved, nor a first one be made, until the transaction ends. Raises `NotStandingStill`."""
    try:
        await tx.execute(_LOCK_TIMEOUT)
        await tx.execute(_STAND_STILL)
        await tx.execute(_HELD_BY_NOBODY, {"consumer": live.checkpoints.consumer})
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) == LOCK_NOT_AVAILABLE:
            raise NotStandingStill(live.checkpoints.consumer) from error
        raise


async def lacks_what_is_in(tx: AsyncConnection, live: Build, have: Mapping[str, Cursor]) -> bool:
    """Whether the live build has come further in some log; one that a restored log stopped has not."""
    for service, cursor in have.items():
        want = await live.checkpoints.load(tx, service)
        is_behind = cursor.generation == want.generation and not reached(cursor.positions, want.positions)
        if is_behind or cursor.generation < want.generation:
            return True
    return False


async def lacks_what_is_parked(tx: AsyncConnection, build: Build) -> str | None:
    """What the live build could digest and this one could not, unless that was accepted."""
    builds = Builds(build.view)
    parked = await parked_streams(tx, build.checkpoints.consumer)
    for live in await builds.in_state(tx, "live"):
        only_here = parked - await parked_streams(tx, live.checkpoints.consumer)
        if only_here and not await builds.accepts_parked(tx, build):
            service, stream = min(only_here)
            return f"{len(only_here)} streams are parked that the live build has, such as {stream} of {service}"
    return None
