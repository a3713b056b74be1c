"""Reactions: another log's event leads to commands of ours, exactly once in effect.

The checkpoint moves in the transaction of what the reaction wrote. Its commands and their events bear ids
derived from the reaction and the cause, so that running it again doubles nothing.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from steerco_events import tracing
from steerco_events.clock import Clock
from steerco_events.commands.handling import appends_of, handle_all
from steerco_events.commands.planning import Handling
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


class Sight:
    """What a reaction may look at: its service's own streams, as the orders given before leave them.

    What an order reserved is the exception: that stream is seen once the order is carried out.
    """

    def __init__(self, tx: AsyncConnection, store: EventStore, orders: "_Orders") -> None:
        self._tx = tx
        self._store = store
        self._orders = orders
        self._folded: dict[str, tuple[Decider[Any, Any], int, Any]] = {}

    async def fold[State](self, decider: Decider[State, Any], stream: str) -> State:
        """The situation that a stream of the service's own is in; what was folded before is not read again.

        Raises what orders on that stream come to, which is not for the reaction to catch.
        """
        await self._orders.carry_out_on(stream)
        found = self._folded.get(stream)
        _, version, state = found if found and found[0] is decider else (decider, 0, decider.initial)
        later = await self._store.read_stream(self._tx, stream, after=version)
        if later.payloads:
            version, state = later.version, decider.fold(later.payloads, state)
            self._folded[stream] = decider, version, state
        return state


class _Orders:
    """The orders on a batch of events: carried out together, or before somebody looks at the stream of one."""

    def __init__(self, tx: AsyncConnection, store: EventStore) -> None:
        self._tx = tx
        self._store = store
        self._given: list[Handling[Any, Any]] = []
        self._failed: Exception | None = None

    def give(self, handling: Handling[Any, Any]) -> None:
        self._given.append(handling)

    async def carry_out_on(self, stream: str) -> None:
        if any(each.stream == stream for each in self._given):
            await self.carry_out()

    async def carry_out(self) -> None:
        """Handle what was given; a refusal that nothing was made of may be passed over.

        Raises the first other error, and again whenever it is called: nothing of the batch may be kept.
        """
        given, self._given = self._given, []
        began = tracing.now()
        outcomes = await handle_all(self._tx, self._store, given) if given else ()
        tracing.appended(self._store.service, appends_of(given, outcomes), began)
        for each, outcome in zip(given, outcomes, strict=True):
            if isinstance(outcome, Exception) and not (isinstance(outcome, Refusal) and each.instead is None):
                self._failed = self._failed or outcome
        if self._failed:
            raise self._failed


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
            traceparent=tracing.continued(cause.traceparent),
            org_units=cause.org_units,
        )


def reacting(reaction: Reaction, store: EventStore, clock: Clock, appended: Signal) -> Role:
    """What follows a log on behalf of a reaction."""

    async def react(tx: AsyncConnection, events: Sequence[Recorded]) -> None:
        orders = _Orders(tx, store)
        sight = Sight(tx, store, orders)
        for event in events:
            for n, order in enumerate(await reaction.react(sight, event)):
                context = reaction.context(event, n, clock)
                context = replace(context, reason=order.reason or context.reason)
                orders.give(Handling(order.decider, order.stream, order.command, context, instead=order.refused))
        await orders.carry_out()

    return Role(reaction.name, react, BATCH, after=[appended])
