"""Store, sealer and feed against an oracle in memory: whatever happens, readers get what was committed.

Each history has appends in transactions that stay open, end, or are cut off; sealers that are restarted and
usurped; a clock that jumps; and readers that begin anywhere.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from typing import cast

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from steerco_events.clock import ManualClock
from steerco_events.envelope import Recorded
from steerco_events.ports import Cursor
from steerco_events.positions import PARTITIONS, Head, Token
from steerco_events.postgres.lease import Lease, LeaseLost
from steerco_events.postgres.sealer import Sealer, Superseded
from steerco_events.postgres.store import VersionConflict, Write
from steerco_events.testkit.logs import Log, fresh_log, until, waits_for_a_lock
from steerco_events.testkit.oracle import OpenTransaction, Oracle, Plan, names_in_partitions
from steerco_events.testkit.soundness import unsound
from steerco_servers.testing import TemporaryPostgres

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
WHOLE = 100_000
SLOTS = st.integers(0, 2)
ALONE = 3
"""The slot of transactions that end at once."""

PLANS = st.dictionaries(
    st.integers(0, 7), st.tuples(st.integers(1, 4), st.sampled_from([0] * 12 + [1, -1])), min_size=1, max_size=3
)


class LogMachine(RuleBasedStateMachine):
    """One history. It begins at the end of those before it, with streams of its own."""

    numbers = count(1)

    def __init__(self, loop: asyncio.Runner, log: Log, clock: ManualClock) -> None:
        super().__init__()
        self.run = loop.run
        self.log = log
        self.clock = clock
        self.names = names_in_partitions(f"tally-{next(self.numbers)}")
        self.oracle = Oracle()
        self.connections: dict[int, AsyncConnection] = {}
        self.waiting: dict[int, tuple[asyncio.Task[Token], Sequence[Write], bool]] = {}
        self.sealer = self.new_sealer()
        self.zombies: list[Sealer] = []
        self.whole: list[Recorded] = []
        self.read: list[Recorded] = []
        self.run(self._begin())

    async def _begin(self) -> None:
        await self._usurp()
        self.zombies.clear()
        await self._seal_all()
        self.head = await self.log.feed().head()
        self.clock.set(max(NOON, self.head.watermark))
        self.start = Cursor(self.head.generation, (max(self.head.positions),) * PARTITIONS)
        self.cursor = self.start

    def new_sealer(self) -> Sealer:
        return Sealer(self.log.engine, self.clock, Lease("sealer"))

    # Appends

    @rule(slot=SLOTS, plan=PLANS, savepoint=st.sampled_from([None, None, "kept", "undone"]))
    def append(self, slot: int, plan: dict[int, tuple[int, int]], savepoint: str | None) -> None:
        self.run(self._append(slot, plan, savepoint))

    @rule(plan=PLANS)
    def append_and_commit(self, plan: dict[int, tuple[int, int]]) -> None:
        if not self.oracle.blockers(ALONE, self._streams(plan)):
            self.run(self._append(ALONE, plan, None))
            self.end(ALONE, "commit")

    @rule(slot=SLOTS, how=st.sampled_from(["commit", "commit", "roll back", "cut off"]))
    def end(self, slot: int, how: str) -> None:
        held = self.oracle.open.get(slot)
        if held and held.waits_for is None:
            self.run(self._end(slot, how))

    def _streams(self, plan: dict[int, tuple[int, int]]) -> Plan:
        return {self.names[n]: wanted for n, wanted in plan.items()}

    async def _append(self, slot: int, plan: dict[int, tuple[int, int]], savepoint: str | None) -> None:
        if slot not in self.oracle.open:
            self.connections[slot] = await self.log.engine.connect()
            self.oracle.open[slot] = OpenTransaction()
        streams = self._streams(plan)
        if not self.oracle.can_append(slot, streams):
            return
        blockers, writes = self.oracle.blockers(slot, streams), self.oracle.writes(slot, streams)
        writing = asyncio.create_task(self._write(self.connections[slot], writes, savepoint))
        self.waiting[slot] = writing, writes, savepoint == "undone"
        if blockers:
            await until(self._somebody_waits, "an append waits for another's stream")
            held = self.oracle.open[slot]
            held.waits_for = blockers.pop()
            held.locked |= streams.keys()
        else:
            await self._settle(slot)

    async def _write(self, connection: AsyncConnection, writes: Sequence[Write], savepoint: str | None) -> Token:
        if savepoint is None:
            return await self.log.store.append(connection, writes, self.log.context())
        async with connection.begin_nested() as nested:
            token = await self.log.store.append(connection, writes, self.log.context())
            if savepoint == "undone":
                await nested.rollback()
        return token

    async def _settle(self, slot: int) -> None:
        """Accepted or refused, as the oracle says; after a refusal the transaction is of no use any more."""
        writing, writes, undone = self.waiting.pop(slot)
        try:
            token = await asyncio.wait_for(writing, 30)
        except VersionConflict:
            assert not self.oracle.fits(slot, writes)
            await self._end(slot, "roll back")
            return
        assert self.oracle.fits(slot, writes)
        if not undone:
            self.oracle.append(slot, writes, token)

    async def _end(self, slot: int, how: str) -> None:
        connection = self.connections.pop(slot)
        if how == "commit":
            await connection.commit()
        elif how == "cut off":
            pid = (await connection.execute(text("SELECT pg_backend_pid()"))).scalar_one()
            async with self.log.engine.connect() as other:
                await other.execute(text(f"SELECT pg_terminate_backend({pid}, 30000)"))
            await connection.invalidate()
        await connection.close()
        for waiter in self.oracle.end(slot, committed=how == "commit"):
            held = self.oracle.open[waiter]
            held.waits_for = None
            held.locked = {write.stream for _, writes in held.appends for write in writes}
            await self._settle(waiter)

    async def _somebody_waits(self) -> bool:
        async with self.log.engine.connect() as connection:
            return await waits_for_a_lock(connection)

    # Sealers

    @rule()
    def scan(self) -> None:
        scan = self.run(self.sealer.scan())
        if not self.oracle.open:
            assert not scan.pending

    @rule(what=st.sampled_from(["beat", "renew", "restart", "usurp", "usurp"]))
    def upset(self, what: str) -> None:
        match what:
            case "beat":
                self.run(self.sealer.beat())
            case "renew":
                assert self.run(self.sealer.renew())
            case "restart":
                self.run(self._restart())
            case _:
                self.run(self._usurp())

    @precondition(lambda self: self.zombies)
    @rule(beats=st.booleans())
    def zombie_wakes(self, beats: bool) -> None:
        self.run(self._zombie(self.zombies.pop(), beats))

    @rule(minutes=st.integers(-60, 60))
    def clock_jumps(self, minutes: int) -> None:
        self.clock.advance(timedelta(minutes=minutes))

    async def _restart(self) -> None:
        await self.sealer.stop()
        self.sealer = self.new_sealer()
        assert await self.sealer.start()

    async def _usurp(self) -> None:
        async with self.log.engine.begin() as tx:
            await tx.execute(text("UPDATE log.leases SET expires_at = clock_timestamp()"))
        self.zombies.append(self.sealer)
        self.sealer = self.new_sealer()
        assert await self.sealer.start()

    async def _zombie(self, zombie: Sealer, beats: bool) -> None:
        before = await self.log.feed().head()
        try:
            await (zombie.beat() if beats else zombie.scan())
        except (LeaseLost, Superseded):
            assert not await zombie.renew()
        assert await self.log.feed().head() == before

    async def _seal_all(self) -> None:
        while (await self.sealer.scan()).pending:
            assert not self.oracle.open

    # Readers

    @rule(limit=st.integers(1, 9))
    def read_on(self, limit: int) -> None:
        batch = self.run(self.log.feed().read(self.cursor, limit))
        assert len(batch.events) <= limit
        self.cursor = batch.cursor
        self.read += batch.events

    @rule(places=st.tuples(*[st.integers(0, 60)] * PARTITIONS), limit=st.integers(1, 9))
    def read_from_anywhere(self, places: tuple[int, ...], limit: int) -> None:
        end, begin = max(self.head.positions), self.start.positions[0]
        positions = tuple(min(begin + place, max(begin, end)) for place in places)
        found = self.run(self._read_all(Cursor(self.head.generation, positions), limit))
        assert found == [event for event in self.whole if event.position > positions[event.partition]]

    async def _read_all(self, cursor: Cursor, limit: int) -> list[Recorded]:
        found: list[Recorded] = []
        while True:
            batch = await self.log.feed().read(cursor, limit)
            found += batch.events
            cursor = batch.cursor
            if cursor.watermark is not None:
                return found

    @invariant()
    def the_log_only_grows_by_what_was_committed(self) -> None:
        before, self.head = self.head, self.run(self.log.feed().head())
        whole = self.run(self._read_all(self.start, WHOLE))
        assert self._is_later(before, self.head, whole[len(self.whole) :])
        assert whole[: len(self.whole)] == self.whole
        assert self.oracle.wrong_in(whole) == []
        assert self.read == whole[: len(self.read)]
        self.whole = whole

    @staticmethod
    def _is_later(before: Head, after: Head, new: Sequence[Recorded]) -> bool:
        """The head goes on, and whatever is new was sealed later than the watermark that readers knew."""
        instants = [event.sealed_at for event in new]
        return (
            all(now >= then for now, then in zip(after.positions, before.positions, strict=True))
            and before.watermark <= after.watermark
            and all(before.watermark < instant <= after.watermark for instant in instants)
            and instants == sorted(instants)
        )

    def teardown(self) -> None:
        try:
            self.run(self._finish())
            self.the_log_only_grows_by_what_was_committed()
            self.read_on(WHOLE)
            assert self.read == self.whole
            assert self.oracle.missing_in(self.whole) == []
        finally:
            self.run(self._leave())

    async def _finish(self) -> None:
        while self.oracle.open:
            for slot in [slot for slot, held in self.oracle.open.items() if held.waits_for is None]:
                await self._end(slot, "commit")
        await self._seal_all()
        async with self.log.engine.connect() as connection:
            assert await unsound(connection) == []

    async def _leave(self) -> None:
        """After a failure: what is open must hold nobody up any more."""
        for writing, _, _ in self.waiting.values():
            writing.cancel()
        for connection in self.connections.values():
            await connection.invalidate()
            await connection.close()


def test_in_every_history_readers_get_what_was_committed_once_and_in_order(postgres: TemporaryPostgres) -> None:
    clock = ManualClock(NOON)
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as loop:
        opened = fresh_log(postgres, clock=clock, writers=12)
        log = loop.run(opened.__aenter__())
        try:
            run_state_machine_as_test(
                cast(type[RuleBasedStateMachine], partial(LogMachine, loop, log, clock)),
                settings=settings(max_examples=60, stateful_step_count=40, deadline=None),
            )
        finally:
            loop.run(opened.__aexit__(None, None, None))
