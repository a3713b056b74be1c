"""Whatever happens, in the end every event was digested once and in order, but for those that were skipped.

Each history has streams with events that can't be digested until they are mended; workers that hold shards of one
division or another and go on as zombies when it was divided anew; batches in any interleaving, cut anywhere, with
events that come again; outages at any moment; and operators who ask that streams be tried again, or events skipped.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import count
from random import Random
from typing import cast

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy import text

from steerco_events.consuming.consumer import Consumer
from steerco_events.envelope import Recorded
from steerco_events.ports import WHOLE, Batch, Cursor, Shard
from steerco_events.positions import partition_of
from steerco_events.postgres.checkpoints import CheckpointMoved
from steerco_events.testkit.eaters import Eater, Outage, ReactionEater, ViewEater
from steerco_events.testkit.logs import Log, fresh_log
from steerco_events.testkit.recorded import Seal, log_of
from steerco_events.testkit.tally import Counted
from steerco_servers.testing import TemporaryPostgres

PARTITIONS_OF_STREAMS = (0, 0, 3, 5, 10)
STREAMS = len(PARTITIONS_OF_STREAMS)
SLOTS = st.integers(0, 2)
SEEDS = st.integers(0, 2**16)


def name_in(partition: int, prefix: str) -> str:
    """A stream's name that lies in the partition: a history that is told again finds it where it was."""
    return next(name for n in count() if partition_of(name := f"{prefix}-{n}") == partition)


type Make = Callable[[Log, str], Coroutine[object, object, Eater]]


@dataclass(frozen=True, slots=True)
class Shuffled:
    """A feed that gives what comes next of each partition in any interleaving, cut anywhere, some of it again."""

    service: str
    events: list[Recorded]
    shard: Shard
    random: Random
    most: int = 100

    async def read(self, after: Cursor, limit: int) -> Batch:
        waiting: dict[int, list[Recorded]] = defaultdict(list)
        for event in self.events:
            if event.partition in self.shard.partitions and event.position > after.positions[event.partition]:
                waiting[event.partition].append(event)
        given: list[Recorded] = []
        positions = list(after.positions)
        for _ in range(self.random.randint(1, self.most)):
            if not waiting:
                break
            partition = self.random.choice(sorted(waiting))
            event = waiting[partition].pop(0)
            positions[partition] = event.position
            given.append(event)
            if not waiting[partition]:
                del waiting[partition]
        events = [*self._some_up_to(after.positions), *given, *self._some_up_to(positions)]
        return Batch(events, Cursor(1, tuple(positions)))

    def _some_up_to(self, positions: Sequence[int]) -> list[Recorded]:
        """Events that were given already, in any order."""
        seen = [
            event
            for event in self.events
            if event.partition in self.shard.partitions and event.position <= positions[event.partition]
        ]
        return self.random.sample(seen, min(len(seen), self.random.randrange(4)))

    async def wait(self, seconds: float) -> None:
        """There is nothing to wait for."""

    async def close(self) -> None:
        """There is nothing to free."""


class ConsumerMachine(RuleBasedStateMachine):
    """One history."""

    numbers = count(1)

    def __init__(self, loop: asyncio.Runner, log: Log, make: Make) -> None:
        super().__init__()
        self.run = loop.run
        number = next(self.numbers)
        self.service = f"{log.service}_{number}"
        self.names = [name_in(partition, f"tally-{number}-{n}") for n, partition in enumerate(PARTITIONS_OF_STREAMS)]
        self.eater: Eater = self.run(make(log, self.service))
        self.seals: list[Seal] = []
        self.told: dict[str, list[int]] = {name: [] for name in self.names}
        self.counts = count(1)
        self.workers: dict[int, tuple[Consumer, Shard]] = {}
        self.may_be_skipped: set[int] = set()

    @property
    def events(self) -> list[Recorded]:
        return [*log_of(self.seals, self.service)]

    @rule(streams=st.lists(st.integers(0, STREAMS - 1), min_size=1, max_size=6), poison=st.integers(0, 5))
    def tell(self, streams: list[int], poison: int) -> None:
        """Let streams go on; one in four times, one of the events can't be digested."""
        by = [next(self.counts) for _ in streams]
        self.seals.append([(self.names[n], Counted(by=each)) for n, each in zip(streams, by, strict=True)])
        for n, each in zip(streams, by, strict=True):
            self.told[self.names[n]].append(each)
        if poison < len(by) and poison < 2:
            self.eater.appetite.poison.add(by[poison])

    @rule(slot=SLOTS, shards=st.integers(1, 4), number=st.integers(0, 3))
    def start(self, slot: int, shards: int, number: int) -> None:
        """A worker begins, by some division."""
        shard = Shard(number % shards, shards)
        self.workers[slot] = (self.eater.consumer(shard), shard)

    @rule(slot=SLOTS, seed=SEEDS, most=st.integers(1, 12))
    def step(self, slot: int, seed: int, most: int) -> None:
        """A worker takes a batch, if nobody has taken it before and nothing fails."""
        worker, shard = self.workers.get(slot) or (self.eater.consumer(), WHOLE)
        self.workers[slot] = (worker, shard)
        feed = Shuffled(self.service, self.events, shard, Random(seed), most)
        self.run(self._try(lambda: worker.step(feed)))

    @rule(after=st.integers(0, 12))
    def fail(self, after: int) -> None:
        """The database will be away, for a moment."""
        self.eater.appetite.outage_after = after

    @rule(seed=SEEDS)
    def mend(self, seed: int) -> None:
        """A release comes that can digest one event more."""
        if poison := sorted(self.eater.appetite.poison):
            self.eater.appetite.poison.remove(Random(seed).choice(poison))

    @rule(stream=st.integers(0, STREAMS - 1))
    def ask_for_a_retry(self, stream: int) -> None:
        self.run(self.eater.ask(self.names[stream], "retry"))

    @rule(stream=st.integers(0, STREAMS - 1))
    def ask_for_a_skip(self, stream: int) -> None:
        for parked in self.run(self.eater.parked()):
            if parked.stream == self.names[stream]:
                self.may_be_skipped.add(parked.first)
                self.run(self.eater.ask(parked.stream, "skip", "it is wrong"))

    @rule(batch=st.integers(1, 4))
    def do_what_is_asked(self, batch: int) -> None:
        self.run(self._try(lambda: self.eater.unpark(batch)))

    async def _try(self, work: Callable[[], Awaitable[object]]) -> None:
        with suppress(Outage, CheckpointMoved):
            await work()

    @invariant()
    def what_was_digested_is_what_was_told_in_its_order(self) -> None:
        skipped = self.run(self._skipped())
        digested = self.run(self.eater.digested())
        waiting = {each.stream: each for each in self.run(self.eater.parked())}
        for name, told in self.told.items():
            expected = [each for each in told if each not in skipped]
            found = list(digested.get(name, []))
            assert found == expected[: len(found)]
            if parked := waiting.get(name):
                behind = [event.payload.by for event in self.run(self.eater.waiting(name))]
                assert behind == expected[len(found) :][: len(behind)]
                assert parked.events == len(behind) > 0

    async def _skipped(self) -> set[int]:
        """The counts of the events that were skipped, each of which somebody asked to be."""
        query = text("SELECT position FROM log.skipped_events WHERE consumer = :it")
        async with self.eater.log.engine.connect() as connection:
            positions = set((await connection.execute(query, {"it": self.eater.role().name})).scalars())
        assert positions <= self.may_be_skipped
        return {event.payload.by for event in self.events if event.position in positions}

    def teardown(self) -> None:
        self.eater.appetite.poison.clear()
        self.eater.appetite.outage_after = None
        self.run(self._finish())
        skipped = self.run(self._skipped())
        digested = self.run(self.eater.digested())
        for name, told in self.told.items():
            assert list(digested.get(name, [])) == [each for each in told if each not in skipped]
        assert self.run(self.eater.parked()) == []

    async def _finish(self) -> None:
        worker, random = self.eater.consumer(), Random(0)
        while await worker.step(Shuffled(self.service, self.events, WHOLE, random)):
            pass
        for name in self.names:
            await self.eater.ask(name, "retry")
        await self.eater.unpark()


@pytest.mark.parametrize("make", [ViewEater.of, ReactionEater.of], ids=["view", "reaction"])
def test_in_every_history_all_is_digested_once_and_in_order_but_for_what_was_skipped(
    postgres: TemporaryPostgres, make: Make
) -> None:
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as loop:
        opened = fresh_log(postgres)
        log = loop.run(opened.__aenter__())
        try:
            run_state_machine_as_test(
                cast(type[RuleBasedStateMachine], partial(ConsumerMachine, loop, log, make)),
                settings=settings(max_examples=40, stateful_step_count=40, deadline=None),
            )
        finally:
            loop.run(opened.__aexit__(None, None, None))
