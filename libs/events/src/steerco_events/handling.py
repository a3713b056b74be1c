"""The handling loop: read the stream, decide, append at the version read; decide again if others were faster."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from steerco_events.decider import Decider, Refusal
from steerco_events.envelope import Context
from steerco_events.positions import Token
from steerco_events.postgres.store import EventStore, VersionConflict, Write
from steerco_events.registry import Payload

ATTEMPTS = 8


class StaleVersion(Refusal):
    """The stream is at another version than the caller saw."""


class Contended(Refusal):
    """Others kept writing to the stream; the same command may be sent again."""


@dataclass(frozen=True, slots=True)
class Handled:
    """What came of a command: the stream's version afterwards, the new events, a token that covers them."""

    stream: str
    version: int
    events: Sequence[Payload]
    token: Token


async def handle[State, Command](
    tx: AsyncConnection,
    store: EventStore,
    decider: Decider[State, Command],
    stream: str,
    command: Command,
    context: Context,
    expected: int | None = None,
) -> Handled:
    """Decide once, in the caller's transaction.

    `expected` is the version that the caller saw (`None`: any). The events are stamped with the units of the
    context and of the situations before and after; where there is none, as the stream's last event was.

    Raises `StaleVersion` when the stream is at another, the domain's `Refusal`s, and `VersionConflict` when
    another writer came between.
    """
    current = await store.read_stream(tx, stream)
    if expected is not None and expected != current.version:
        raise StaleVersion(f"{stream} is at version {current.version}, not at {expected}")
    state = decider.fold(current.payloads)
    events = decider.decide(command, state)
    if not events:
        return Handled(stream, current.version, (), await store.token_of(tx, stream))
    reservations = [reserved for event in events if (reserved := decider.reserve(event))]
    writes = [
        Write(stream, current.version, events),
        *(Write(reserved.stream, 0, (reserved.event,)) for reserved in reservations),
    ]
    concerned = (*context.org_units, *decider.concerns(state), *decider.concerns(decider.fold(events, state)))
    context = context.concerning(*dict.fromkeys(concerned or current.org_units))
    try:
        token = await store.append(tx, writes, context)
    except VersionConflict as conflict:
        for reserved in reservations:
            if conflict.stream == reserved.stream:
                raise reserved.refusal from conflict
        raise
    return Handled(stream, current.version + len(events), events, token)


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
            async with engine.begin() as tx:
                return await work(tx)
        except VersionConflict as conflict:
            last = conflict
    raise Contended(f"{last}; others kept writing to it") from last
