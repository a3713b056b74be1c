"""Trying again, in a new transaction, what another writer came between."""

from collections.abc import Awaitable, Callable

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from steerco_events import tracing
from steerco_events.decider import Refusal
from steerco_events.postgres.store import VersionConflict

ATTEMPTS = 8


class Contended(Refusal):
    """Others kept writing to the stream; the same command may be sent again."""


async def in_transaction[Result](
    engine: AsyncEngine,
    work: Callable[[AsyncConnection], Awaitable[Result]],
    *,
    attempts: int = ATTEMPTS,
) -> Result:
    """Run `work` in a transaction, and again in a new one when another writer came between.

    Raises `Contended` after so many attempts.
    """
    for _ in range(attempts):
        try:
            with tracing.once_committed():
                async with engine.begin() as tx:
                    return await work(tx)
        except VersionConflict as conflict:
            last = conflict
    raise Contended(f"{last}; others kept writing to it") from last
