"""Reactions: another log's event leads to commands of ours, exactly once in effect.

The checkpoint moves in the transaction of what the reaction wrote. Its commands and their events bear ids
derived from the reaction and the cause, so that running it again doubles nothing.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from steerco_events.clock import Clock
from steerco_events.commands.handling import handle
from steerco_events.consuming.consumer import Role
from steerco_events.decider import Decider, Refusal
from steerco_events.envelope import Actor, Context, Recorded
from steerco_events.ids import derived_id
from steerco_events.postgres.store import EventStore
from steerco_events.signals import Signal

BATCH = 200


@dataclass(frozen=True, slots=True)
class Order:
    """A command that a reaction gives.

    A refusal is answered by the command that `refused` makes of it (which records it as an event); `None`
    there declares that the refusal may be passed over. `reason` is why; the cause's, if it is not said.
    """

    decider: Decider[Any, Any]
    stream: str
    command: Any
    refused: Callable[[Refusal], Any] | None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Sight:
    """What a reaction may look at: its service's own streams, and its own view, on the runner's connection."""

    connection: AsyncConnection
    store: EventStore

    async def fold[State](self, decider: Decider[State, Any], stream: str) -> State:
        """The situation that a stream of the service's own is in."""
        return decider.fold((await self.store.read_stream(self.connection, stream)).payloads)


@dataclass(frozen=True, slots=True)
class Reaction:
    """`react` is given the event and what it may look at; it writes nothing itself, it gives orders."""

    name: str
    service: str
    react: Callable[[Sight, Recorded], Awaitable[Sequence[Order]]]

    @property
    def actor(self) -> Actor:
        """Who a reaction is in the log."""
        return Actor(derived_id("reaction", self.name), f"reaction {self.name}")

    def context(self, cause: Recorded, n: int, clock: Clock) -> Context:
        """The context of the n-th command that an event leads to."""
        return Context(
            command_id=derived_id(self.name, cause.id, n),
            actor=self.actor,
            client="steerco-reaction",
            recorded_at=clock.now(),
            correlation_id=cause.correlation_id,
            causation_id=cause.id,
            reason=cause.reason,
            traceparent=cause.traceparent,
            org_units=cause.org_units,
        )


def reacting(reaction: Reaction, store: EventStore, clock: Clock, appended: Signal) -> Role:
    """What follows a log on behalf of a reaction."""

    async def react(tx: AsyncConnection, events: Sequence[Recorded]) -> None:
        for event in events:
            await _react(tx, reaction, store, clock, event)

    return Role(reaction.name, react, BATCH, after=[appended])


async def _react(tx: AsyncConnection, reaction: Reaction, store: EventStore, clock: Clock, event: Recorded) -> None:
    for n, order in enumerate(await reaction.react(Sight(tx, store), event)):
        context = reaction.context(event, n, clock)
        context = replace(context, reason=order.reason or context.reason)
        try:
            async with tx.begin_nested():
                await handle(tx, store, order.decider, order.stream, order.command, context)
        except Refusal as refusal:
            if order.refused is not None:
                instead = order.refused(refusal)
                await handle(tx, store, order.decider, order.stream, instead, context)
