"""Reactions: another log's event leads to commands of ours, exactly once in effect.

The checkpoint moves in the transaction of what the reaction wrote. Its commands and their events bear ids
derived from the reaction and the cause, so that running it again doubles nothing.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from steerco_events.clock import Clock
from steerco_events.decider import Decider, Refusal
from steerco_events.envelope import Actor, Context, Recorded
from steerco_events.handling import handle, in_transaction
from steerco_events.ids import derived_id
from steerco_events.ports import Cursor, EventFeed, OpenFeed
from steerco_events.positions import Positions, advanced
from steerco_events.postgres.checkpoints import CheckpointMoved, Checkpoints
from steerco_events.postgres.store import EventStore
from steerco_events.signals import Signal

BATCH = 200
IDLE_SECONDS = 5.0


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


class ReactionRunner:
    """Follows one service's log on behalf of one reaction."""

    def __init__(
        self,
        reaction: Reaction,
        engine: AsyncEngine,
        store: EventStore,
        open_feed: OpenFeed,
        clock: Clock,
        appended: Signal,
        applied: Signal,
    ) -> None:
        self._reaction = reaction
        self._engine = engine
        self._store = store
        self._open_feed = open_feed
        self._clock = clock
        self._appended = appended
        self._applied = applied
        self._checkpoints = Checkpoints(reaction.name)
        self._cursor: Cursor | None = None

    async def step(self, feed: EventFeed) -> int:
        """React to one batch; the number of its events. Raises `CheckpointMoved`, having changed nothing."""
        if self._cursor is None:
            async with self._engine.connect() as connection:
                self._cursor = await self._checkpoints.load(connection, feed.service)
        seen = self._cursor
        batch = await feed.read(seen, BATCH)
        if batch.cursor.place == seen.place:
            return 0
        new = _not_yet_seen(batch.events, seen.positions)

        async def work(tx: AsyncConnection) -> None:
            # First the checkpoint: a zombie learns there that it is one, not from the ids that are taken.
            await self._checkpoints.advance(tx, feed.service, seen, batch.cursor)
            for event in new:
                await self._react(tx, event)

        try:
            await in_transaction(self._engine, work)
        except CheckpointMoved:
            self._cursor = None
            raise
        self._cursor = batch.cursor
        self._applied.notify()
        if new:
            self._appended.notify()
        return len(batch.events)

    async def _react(self, tx: AsyncConnection, event: Recorded) -> None:
        for n, order in enumerate(await self._reaction.react(Sight(tx, self._store), event)):
            context = self._reaction.context(event, n, self._clock)
            context = replace(context, reason=order.reason or context.reason)
            try:
                async with tx.begin_nested():
                    await handle(tx, self._store, order.decider, order.stream, order.command, context)
            except Refusal as refusal:
                if order.refused is not None:
                    instead = order.refused(refusal)
                    await handle(tx, self._store, order.decider, order.stream, instead, context)

    async def run(self) -> None:
        """Follow the log until cancelled."""
        feed = self._open_feed()
        try:
            while True:
                if not await self.step(feed):
                    await feed.wait(IDLE_SECONDS)
        finally:
            await feed.close()


def _not_yet_seen(events: Sequence[Recorded], positions: Positions) -> Sequence[Recorded]:
    """Each event once, and none that the positions cover: a feed may give one twice."""
    new: list[Recorded] = []
    for event in events:
        if event.position > positions[event.partition]:
            positions = advanced(positions, [(event.partition, event.position)])
            new.append(event)
    return new
