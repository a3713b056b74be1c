"""Consumers of a log of tallies, for tests: what upsets them, and what came of the events."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from sqlalchemy import select, text

from steerco_events.consuming.consumer import PARKED_LIMIT, Consumer, Role
from steerco_events.consuming.reactions import Order, Reaction, Sight, reacting
from steerco_events.consuming.unparking import Unparking
from steerco_events.envelope import Recorded
from steerco_events.ids import derived_id
from steerco_events.ports import WHOLE, Batch, Cursor, Shard
from steerco_events.postgres.checkpoints import Checkpoints
from steerco_events.postgres.parking import Ask, ParkedStream, Parking, parked_by
from steerco_events.projections.builds import Build, Builds
from steerco_events.projections.model import Projection, View
from steerco_events.projections.runner import following
from steerco_events.projections.tables import known_at
from steerco_events.signals import Signal
from steerco_events.testkit.logs import Log, read_on
from steerco_events.testkit.tallies import TallyRow, evolve, key
from steerco_events.testkit.tally import Count, Counted, tally

OPERATOR = derived_id("person", "operator")

type Digested = Mapping[str, Sequence[int]]
"""What each stream's counts came to, in the order in which they were taken."""


class Indigestible(Exception):
    """The event can't be digested."""


class Outage(ConnectionError):
    """The database is away: no event's fault."""


@dataclass(slots=True)
class Appetite:
    """What upsets a consumer: the counts of `poison`; and, once, an outage after so many more events."""

    poison: set[int] = field(default_factory=set)
    outage_after: int | None = None

    def check(self, event: Recorded) -> None:
        """Raise what the event, or the moment, calls for."""
        if self.outage_after is not None:
            self.outage_after -= 1
            if self.outage_after < 0:
                self.outage_after = None
                raise Outage
        match event.payload:
            case Counted(by=by) if by in self.poison:
                raise Indigestible(f"{by} can't be digested")


@dataclass(frozen=True, slots=True)
class Eater:
    """A consumer that can be upset, and what to ask about it. `service` is whose log it reads."""

    log: Log
    service: str
    appetite: Appetite

    def role(self, batch: int = 100) -> Role:
        """The consumer."""
        raise NotImplementedError

    async def digested(self) -> Digested:
        """What came of the events."""
        raise NotImplementedError

    def consumer(self, shard: Shard = WHOLE, batch: int = 100, limit: int = PARKED_LIMIT) -> Consumer:
        """A worker's consumer in a shard."""
        return Consumer(self.log.consumers(parked_limit=limit), self.role(batch), self.service, shard)

    async def eat(self, shard: Shard = WHOLE, batch: int = 100, limit: int = PARKED_LIMIT) -> None:
        """Take all there is, as a worker that has just started."""
        consumer, feed = self.consumer(shard, batch, limit), self.log.feed(shard)
        while await consumer.step(feed):
            pass

    async def checkpoint(self) -> Cursor:
        """How far it is in all shards together."""
        async with self.log.engine.connect() as connection:
            return await Checkpoints(self.role().name).load(connection, self.service)

    @property
    def parking(self) -> Parking:
        """Where it parks."""
        return Parking(self.role().name, self.service)

    async def parked(self) -> Sequence[ParkedStream]:
        """What it has parked."""
        async with self.log.engine.connect() as connection:
            return await parked_by(connection, [self.role().name])

    async def waiting(self, stream: str) -> Sequence[Recorded]:
        """The events of a parked stream, as they are tried again."""
        async with self.log.engine.connect() as connection:
            events = await self.parking.first_events(connection, stream, 1000)
        return [event.recorded(self.service, self.log.registry) for event in events]

    async def ask(self, stream: str, ask: Ask, reason: str | None = None) -> bool:
        """Ask for a stream as an operator does."""
        async with self.log.engine.begin() as tx:
            return await self.parking.ask(tx, stream, ask, OPERATOR, reason)

    async def unpark(self, batch: int = 100) -> None:
        """Do what is asked, as a worker does."""
        roles = partial(list[Role], [self.role(batch)])
        await Unparking(self.log.consumers(), self.log.registry, roles, Signal()).step()


@dataclass(frozen=True, slots=True)
class ViewEater(Eater):
    """A view of the tallies."""

    build: Build

    @classmethod
    async def of(cls, log: Log, service: str | None = None) -> "ViewEater":
        """A view that is live and empty."""
        appetite = Appetite()

        def evolve_upset(row: TallyRow | None, event: Recorded) -> TallyRow | None:
            appetite.check(event)
            return evolve(row, event)

        view = View("tally", 1, (log.service,), (Projection("tallies", TallyRow, key, evolve_upset),))
        async with log.engine.begin() as tx:
            build = await Builds(view).begin(tx, log.clock.now())
            await Builds(view).go_live(tx, build, log.clock.now())
        return cls(log, service or log.service, appetite, build)

    def role(self, batch: int = 100) -> Role:
        return following(self.build, batch)

    async def digested(self) -> Digested:
        table = self.build.table("tallies")
        async with self.log.engine.connect() as connection:
            found = (await connection.execute(select(table).where(known_at(table, None)))).mappings()
            return {row["stream"]: list(row["counts"]) for row in found}


@dataclass(frozen=True, slots=True)
class ReactionEater(Eater):
    """A reaction that counts in a mirror of each tally what was counted in the tally."""

    @classmethod
    async def of(cls, log: Log, service: str | None = None) -> "ReactionEater":
        """A reaction that has not begun."""
        return cls(log, service or log.service, Appetite())

    def role(self, batch: int = 100) -> Role:
        reaction = Reaction(f"mirror_counts_of_{self.service}", self.service, self._mirror)
        role = reacting(reaction, self.log.store, self.log.clock, Signal())
        return Role(role.name, role.work, batch)

    async def _mirror(self, _: Sight, event: Recorded) -> Sequence[Order]:
        if not event.stream.startswith("tally-"):
            return []
        self.appetite.check(event)
        match event.payload:
            case Counted(by=by):
                return [Order(tally, f"mirror-{event.stream}", Count(by), refused=None)]
            case _:
                return []

    async def digested(self) -> Digested:
        async with self.log.engine.connect() as connection:
            query = text("SELECT DISTINCT stream FROM log.events WHERE stream LIKE 'mirror-%'")
            streams = (await connection.execute(query)).scalars().all()
            found = await self.log.store.read_streams(connection, streams)
        return {
            stream.removeprefix("mirror-"): [payload.by for payload in slice.payloads]
            for stream, slice in found.items()
        }


@dataclass(frozen=True, slots=True)
class Scripted:
    """A feed that gives the events of its shard in their order, each of them so many times."""

    source: str
    events: Sequence[Recorded]
    times: int = 1
    shard: Shard = WHOLE

    @property
    def service(self) -> str:
        return self.source

    async def read(self, after: Cursor, limit: int) -> Batch:
        mine = [event for event in self.events if event.partition in self.shard.partitions]
        positions = list(after.positions)
        for event in mine:
            positions[event.partition] = max(positions[event.partition], event.position)
        return Batch([event for event in mine for _ in range(self.times)], Cursor(1, tuple(positions)))

    async def wait(self, seconds: float) -> None:
        """There is nothing to wait for."""

    async def close(self) -> None:
        """There is nothing to free."""


def count(stream: int, n: int) -> int:
    """What the n-th event of a told stream counts: no other does."""
    return 100 * (stream + 1) + n


def counts(stream: int, *ns: int) -> Sequence[int]:
    """What some events of a told stream count."""
    return [count(stream, n) for n in ns]


async def told(log: Log, streams: int, *ns: int) -> Sequence[Recorded]:
    """Let some streams go on with their n-th events, sealed together; these, as the log has them."""
    head = await log.feed().head()
    before = Cursor(head.generation, (max(head.positions),) * len(head.positions))
    for n in ns:
        for stream in range(streams):
            await log.append(f"tally-{stream}", Counted(by=count(stream, n)))
    await log.seal()
    events, _ = await read_on(log.feed(), before, streams * len(ns))
    return events
