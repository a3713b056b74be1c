"""The handling loop: read the streams, decide, append at the versions read; decide again if others were faster.

Many commands may be handled in one transaction, each accepted or refused alone: a later one sees what those
before it have decided.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from steerco_events.commands.planning import Decided, Handling, Situation, planned
from steerco_events.decider import Decider
from steerco_events.envelope import Context, StreamSlice
from steerco_events.positions import Token
from steerco_events.postgres.statements import Transaction
from steerco_events.postgres.store import EventStore
from steerco_events.postgres.timers import keep_timers
from steerco_events.registry import Payload


class Handled(msgspec.Struct, frozen=True):
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
    none, as the stream's last event was, if the decider is of one place.

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
    return (await resolve_all(tx, store, handlings, slices, {})).outcomes


class Resolved(msgspec.Struct, frozen=True):
    """What came of each command; and where the streams that were appended to stand, once that is committed."""

    outcomes: Sequence[Outcome]
    situations: Mapping[str, Situation]


async def resolve_all(
    tx: Transaction,
    store: EventStore,
    handlings: Sequence[Handling[Any, Any]],
    slices: Mapping[str, StreamSlice],
    assumed: Mapping[str, Situation],
) -> Resolved:
    """The same, where for some streams a situation of the command's decider is assumed instead of read.

    An append on it proves it, by its version. Where nothing is appended, the stream is read after all.
    """
    plan, outcomes, slices = await planned(tx, store, handlings, slices, assumed)
    tokens = await store.append_all(tx, plan.appends) if plan.appends else ()
    await keep_timers(tx, plan.timers)
    handled = [each if isinstance(each, Exception) else _handled(each, slices, tokens) for each in outcomes]
    return Resolved(handled, plan.situations)


def appends_of(
    handlings: Sequence[Handling[Any, Any]], outcomes: Sequence[Outcome]
) -> Iterator[tuple[str | None, int]]:
    """Of the commands that led to events: the context that they came in, and how many events."""
    for handling, outcome in zip(handlings, outcomes, strict=True):
        if isinstance(outcome, Handled) and outcome.events:
            yield handling.context.traceparent, len(outcome.events)


async def weigh(
    tx: Transaction, store: EventStore, handling: Handling[Any, Any], slices: Mapping[str, StreamSlice]
) -> Sequence[Payload]:
    """What a command would lead to now, of which nothing is appended; `slices` have its stream.

    Raises what it would be refused with.
    """
    _, (outcome,), _ = await planned(tx, store, [handling], slices, {})
    if isinstance(outcome, Exception):
        raise outcome
    return outcome.events


def _handled(decided: Decided, slices: Mapping[str, StreamSlice], tokens: Sequence[Token]) -> Handled:
    token = slices[decided.stream].token if decided.append is None else tokens[decided.append]
    return Handled(decided.stream, decided.version, decided.events, token)
