"""Events that a consumer can't digest: which errors say so, and which of many events it is."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import asyncpg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from steerco_events.commands.attempts import Contended
from steerco_events.envelope import Recorded
from steerco_events.postgres.checkpoints import CheckpointMoved
from steerco_events.postgres.faults import DATABASE_FAULTS
from steerco_events.postgres.lease import LeaseLost
from steerco_events.postgres.store import VersionConflict

type Work = Callable[[AsyncConnection, Sequence[Recorded]], Awaitable[None]]
"""What a consumer does with events, in their order, in the transaction in which its checkpoint moves."""

_NOT_THE_EVENT = (CheckpointMoved, LeaseLost, VersionConflict, Contended)
_NOT_THE_DATA = ("08", "25", "28", "3D", "40", "42", "53", "55", "57", "58", "XX")
"""Classes of SQLSTATE: the database can't now, or it is not what this release needs, whatever event it is."""


@dataclass(frozen=True, slots=True)
class Poison:
    """What a stream leaves undigested: the event that failed, those after it, and why."""

    events: Sequence[Recorded]
    error: Exception


def is_poison(error: Exception) -> bool:
    """Whether it is the event's fault: it would fail again whoever tries, and the others need not."""
    if isinstance(error, _NOT_THE_EVENT):
        return False
    if not isinstance(error, DATABASE_FAULTS):
        return True
    if isinstance(error, DBAPIError):
        state = getattr(error.orig, "sqlstate", None) or ""
        return not error.connection_invalidated and not state.startswith(_NOT_THE_DATA)
    if isinstance(error, asyncpg.PostgresError):
        return not (error.sqlstate or "").startswith(_NOT_THE_DATA)
    return isinstance(error, asyncpg.InterfaceError) and isinstance(error, ValueError)


async def digest(tx: AsyncConnection, work: Work, events: Sequence[Recorded]) -> Sequence[Poison]:
    """Do the work on all that can be digested, each stream in its order; what each of the others leaves.

    Between streams nothing may be assumed about order, so that each stands or falls alone. Of n streams with one
    that fails, some 2 log n are tried again. Raises what is no event's fault.
    """
    streams: dict[str, list[Recorded]] = {}
    for event in events:
        streams.setdefault(event.stream, []).append(event)
    return await _digest_streams(tx, work, list(streams.values()))


async def _digest_streams(tx: AsyncConnection, work: Work, streams: Sequence[Sequence[Recorded]]) -> Sequence[Poison]:
    if len(streams) == 1:
        poison = await digest_stream(tx, work, streams[0])
        return [poison] if poison else []
    if not streams or await _try(tx, work, [event for stream in streams for event in stream]) is None:
        return []
    middle = len(streams) // 2
    return [
        *await _digest_streams(tx, work, streams[:middle]),
        *await _digest_streams(tx, work, streams[middle:]),
    ]


async def digest_stream(tx: AsyncConnection, work: Work, events: Sequence[Recorded]) -> Poison | None:
    """Do the work on one stream's events as far as it goes; what is left. Raises what is no event's fault."""
    error = await _try(tx, work, events)
    if error is None:
        return None
    if len(events) == 1:
        return Poison(events, error)
    middle = len(events) // 2
    if first := await digest_stream(tx, work, events[:middle]):
        return Poison([*first.events, *events[middle:]], first.error)
    return await digest_stream(tx, work, events[middle:])


async def _try(tx: AsyncConnection, work: Work, events: Sequence[Recorded]) -> Exception | None:
    try:
        async with tx.begin_nested():
            await work(tx, events)
    except Exception as error:
        if not is_poison(error):
            raise
        return error
    return None
