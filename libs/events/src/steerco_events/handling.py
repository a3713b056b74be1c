"""The handling loop: read the streams, decide, append at the versions read; decide again if others were faster.

Many commands may be handled in one transaction, each accepted or refused alone: a later one sees what those
before it have decided.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from steerco_events.decider import Decider, Refusal
from steerco_events.envelope import Context, StreamSlice
from steerco_events.positions import Token
from steerco_events.postgres.store import Append, EventStore, VersionConflict, Write
from steerco_events.registry import Payload

ATTEMPTS = 8


class StaleVersion(Refusal):
    """The stream is at another version than the caller saw."""


class Contended(Refusal):
    """Others kept writing to the stream; the same command may be sent again."""


@dataclass(frozen=True, slots=True)
class Handling[State, Command]:
    """A command on its way to its decider.

    `expected` is the version that the caller saw (`None`: any); `must_exist` refuses a stream that is not there.
    """

    decider: Decider[State, Command]
    stream: str
    command: Command
    context: Context
    expected: int | None = None
    must_exist: bool = False


@dataclass(frozen=True, slots=True)
class Handled:
    """What came of a command: the stream's version afterwards, the new events, a token that covers them."""

    stream: str
    version: int
    events: Sequence[Payload]
    token: Token


type Outcome = Handled | Exception
"""Accepted, or why not: a `Refusal`, `EventTooLarge`, or what a decider should not raise."""


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

    The events are stamped with the units of the context and of the situations before and after; where there is
    none, as the stream's last event was.

    Raises `StaleVersion` when the stream is at another than the `expected` version, the domain's `Refusal`s, and
    `VersionConflict` when another writer came between.
    """
    (outcome,) = await handle_all(tx, store, [Handling(decider, stream, command, context, expected)])
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


async def handle_all(
    tx: AsyncConnection, store: EventStore, handlings: Sequence[Handling[Any, Any]]
) -> Sequence[Outcome]:
    """Decide each once, in the caller's transaction; what is accepted is appended.

    Raises `VersionConflict` when another writer came between: the caller rolls back and may try all of it again.
    """
    slices = await store.read_streams(tx, {each.stream for each in handlings})
    return await decide_all(tx, store, handlings, slices)


async def decide_all(
    tx: AsyncConnection,
    store: EventStore,
    handlings: Sequence[Handling[Any, Any]],
    slices: Mapping[str, StreamSlice],
) -> Sequence[Outcome]:
    """The same, on the slices of the streams that were read already."""
    known: dict[str, bool] = {}
    while True:
        plan = _Plan(store, slices, known)
        outcomes = [plan.decide(each) for each in handlings]
        unknown = plan.reserved.keys() - known.keys()
        if not unknown:
            break
        taken = await store.taken(tx, unknown)
        known |= {stream: stream in taken for stream in unknown}
        if not taken:
            break
    if not plan.appends:
        return [each if isinstance(each, Exception) else each.handled(slices[each.stream].token) for each in outcomes]
    tokens = await store.append_all(tx, plan.appends)
    return [each if isinstance(each, Exception) else _handled(each, slices, tokens) for each in outcomes]


@dataclass(frozen=True, slots=True)
class _Decided:
    """An accepted command: the number of the append that its answer stands on, if one is in this transaction."""

    stream: str
    version: int
    events: Sequence[Payload]
    append: int | None

    def handled(self, token: Token) -> Handled:
        return Handled(self.stream, self.version, self.events, token)


def _handled(decided: _Decided, slices: Mapping[str, StreamSlice], tokens: Sequence[Token]) -> Handled:
    return decided.handled(slices[decided.stream].token if decided.append is None else tokens[decided.append])


@dataclass(slots=True)
class _Situation:
    """Where a stream stands for a decider, after the events so far; `append` is the number of the last of these."""

    decider: Decider[Any, Any]
    state: Any
    version: int
    org_units: Sequence[UUID]
    new: Sequence[Payload] = ()
    append: int | None = None


@dataclass(slots=True)
class _Plan:
    """What a series of commands leads to, as long as nobody comes between. `known`: which reservations are taken."""

    store: EventStore
    slices: Mapping[str, StreamSlice]
    known: Mapping[str, bool]
    situations: dict[str, _Situation] = field(default_factory=dict)
    reserved: dict[str, None] = field(default_factory=dict)
    appends: list[Append] = field(default_factory=list)

    def decide(self, handling: Handling[Any, Any]) -> _Decided | Exception:
        """Decide one command after those before it."""
        try:
            return self._decide(handling)
        except Exception as error:
            return error

    def _decide(self, handling: Handling[Any, Any]) -> _Decided:
        decider, stream = handling.decider, handling.stream
        situation = self._situation(decider, stream)
        if handling.expected is not None and handling.expected != situation.version:
            raise StaleVersion(f"{stream} is at version {situation.version}, not at {handling.expected}")
        if handling.must_exist and situation.version == 0:
            raise StaleVersion(f"{stream} is not there yet")
        events = decider.decide(handling.command, situation.state)
        if not events:
            return _Decided(stream, situation.version, (), situation.append)
        reservations = [reserved for event in events if (reserved := decider.reserve(event))]
        for reserved in reservations:
            if self.known.get(reserved.stream) or reserved.stream in self.reserved:
                raise reserved.refusal
        after = decider.fold(events, situation.state)
        concerned = (*handling.context.org_units, *decider.concerns(situation.state), *decider.concerns(after))
        context = handling.context.concerning(*dict.fromkeys(concerned or situation.org_units))
        writes = [
            Write(stream, situation.version, events),
            *(Write(reserved.stream, 0, (reserved.event,)) for reserved in reservations),
        ]
        self.appends.append(self.store.prepare(writes, context))
        self.reserved |= dict.fromkeys(reserved.stream for reserved in reservations)
        version, number = situation.version + len(events), len(self.appends) - 1
        new = (*situation.new, *events)
        self.situations[stream] = _Situation(decider, after, version, context.org_units, new, number)
        return _Decided(stream, version, events, number)

    def _situation(self, decider: Decider[Any, Any], stream: str) -> _Situation:
        current = self.slices[stream]
        found = self.situations.get(stream)
        if found is None:
            found = _Situation(decider, decider.fold(current.payloads), current.version, current.org_units)
        elif found.decider is not decider:
            found = replace(found, decider=decider, state=decider.fold((*current.payloads, *found.new)))
        return found


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
