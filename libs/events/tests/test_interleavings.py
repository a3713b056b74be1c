"""Every order of what transactions and the sealer do, on real connections: each step is taken when the order says so.

Orders that differ only in steps of which neither sees the other are one; all others are gone through.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from steerco_events.envelope import Recorded
from steerco_events.ports import Cursor
from steerco_events.postgres.lease import Lease
from steerco_events.postgres.schema import LOG_LOCK
from steerco_events.postgres.sealer import Sealed, Sealer
from steerco_events.postgres.store import Write
from steerco_events.testkit.logs import Log
from steerco_events.testkit.soundness import unsound
from steerco_events.testkit.tally import Counted

LOCK, APPEND, COMMIT, ROLL_BACK = "lock", "append", "commit", "roll back"
SCAN = ("high-water mark", "holders", "rows", "seal")
"""The sealer's statements, one after the other; the last of these goes on to the end of the scan."""

SEES = {
    frozenset(pair)
    for pair in [
        (APPEND, APPEND),
        (APPEND, "high-water mark"),
        (LOCK, "holders"),
        *((end, what) for end in (COMMIT, ROLL_BACK) for what in ("holders", "rows", "seal")),
    ]
}
"""Steps that make a difference to one another: who draws first, who holds the lock, what is visible."""

type Step = tuple[int, str]
"""Whose, and what."""


def orders(*sequences: Sequence[str], sees: Callable[[str, str], bool]) -> Iterator[Sequence[Step]]:
    """The orders of all steps that keep each sequence's own.

    Of those that only differ in neighbors that do not see each other, the one that has the lower numbers first.
    """

    def is_first(order: Sequence[Step], step: Step) -> bool:
        for who, what in reversed(order):
            if who == step[0] or sees(what, step[1]):
                return True
            if who > step[0]:
                return False
        return True

    def continued(order: tuple[Step, ...], taken: tuple[int, ...]) -> Iterator[Sequence[Step]]:
        if len(order) == sum(map(len, sequences)):
            yield order
        for who, sequence in enumerate(sequences):
            if taken[who] < len(sequence) and is_first(order, step := (who, sequence[taken[who]])):
                yield from continued((*order, step), (*taken[:who], taken[who] + 1, *taken[who + 1 :]))

    return continued((), (0,) * len(sequences))


def known(one: str, other: str) -> bool:
    """Each statement of the sealer sees what it is there for."""
    return frozenset((one, other)) in SEES


def anything(one: str, other: str) -> bool:
    """Whatever the statements of the sealer may look at."""
    return one in SCAN or other in SCAN or one == other == APPEND


def stopping(stop: Callable[[], Awaitable[None]]) -> type[asyncpg.Connection]:
    """A connection that waits before each statement that is given to the driver itself."""

    class Stopping(asyncpg.Connection):  # type: ignore[misc]  # asyncpg has no types
        async def fetch(self, *query: Any, **options: Any) -> Any:
            await stop()
            return await super().fetch(*query, **options)

    return Stopping


class SteppedSealer:
    """A sealer whose scans stop before each of the statements of `SCAN` until they are told to go on."""

    def __init__(self, log: Log) -> None:
        self.engine = create_async_engine(
            log.urls.app_url, pool_size=1, connect_args={"connection_class": stopping(self._stop)}
        )
        self.sealer = Sealer(self.engine, log.clock, Lease("sealer", timedelta(hours=1)))
        self._may_go_on = asyncio.Semaphore(0)
        self._stands = asyncio.Event()
        self._left = 0
        self._scanning: asyncio.Task[Sealed] | None = None

    async def _stop(self) -> None:
        if self._left > 0:
            await self._next()

    async def _next(self) -> None:
        self._stands.set()
        await self._may_go_on.acquire()
        self._left -= 1

    async def step(self) -> bool:
        """Let it do one statement of `SCAN`; whether that ended a scan that sealed something.

        A scan that ends early does nothing in the steps that are left.
        """
        if self._scanning is None:
            self._left = len(SCAN)
            self._scanning = asyncio.create_task(self._scan())
            await self._stands.wait()
        self._stands.clear()
        last = self._left == 1
        self._may_go_on.release()
        if not last:
            await self._stands.wait()
            return False
        scanned, self._scanning = await self._scanning, None
        return scanned.events > 0

    async def _scan(self) -> Sealed:
        scanned = await self.sealer.scan()
        assert not (scanned.events and self._left), "a scan that seals has all the steps"
        while self._left > 0:
            await self._next()
        return scanned


@dataclass
class Writer:
    """One transaction, a stream of its own, and what it has appended to it."""

    log: Log
    stream: str
    connection: AsyncConnection
    numbers: list[int] = field(default_factory=list)
    committed: bool = False

    async def step(self, what: str) -> None:
        match what:
            case "lock":
                # What the trigger does first, as a step of its own: between it and the drawing is time as well.
                await self.connection.execute(text(f"SELECT pg_advisory_xact_lock_shared({LOG_LOCK}, 0)"))
            case "append":
                number = len(self.numbers) + 1
                write = Write(self.stream, number - 1, [Counted(by=number)])
                await self.log.store.append(self.connection, [write], self.log.context())
                self.numbers.append(number)
            case "commit":
                await self.connection.commit()
                self.committed = True
            case _:
                await self.connection.rollback()


@dataclass
class Bench:
    """A log, on which one order is tried after the other."""

    log: Log
    sealer: SteppedSealer
    tried: int = 0
    start: Cursor = field(default=Cursor(1))

    async def try_order(self, order: Sequence[Step]) -> None:
        """Take the steps of the order, of which the sealer's are the last sequence; then see what readers got."""
        self.tried += 1
        last = max(who for who, _ in order)
        writers = [Writer(self.log, f"tally-{self.tried}-{n}", await self.log.engine.connect()) for n in range(last)]
        reads: list[Sequence[Recorded]] = []
        for who, what in order:
            if who < last:
                await writers[who].step(what)
            elif await self.sealer.step():
                reads.append(await self.read())
        for writer in writers:
            await writer.connection.close()
        while (await self.sealer.sealer.scan()).pending:
            pass
        whole = await self.read()
        streams = {each.stream: [event.payload for event in whole if event.stream == each.stream] for each in writers}
        assert streams == {
            each.stream: [Counted(by=number) for number in each.numbers] if each.committed else [] for each in writers
        }, order
        assert all(whole[: len(read)] == read for read in reads), order
        assert len(whole) == sum(map(len, streams.values())), order
        for writer in writers:
            assert len({event.sealed_at for event in whole if event.stream == writer.stream}) <= 1, order
        self.start = Cursor(
            1, tuple(max([place, *(event.position for event in whole)]) for place in self.start.positions)
        )

    async def read(self) -> list[Recorded]:
        return list((await self.log.feed().read(self.start, 100)).events)


@pytest.fixture
async def bench(log: Log) -> AsyncIterator[Bench]:
    sealer = SteppedSealer(log)
    assert await sealer.sealer.start()
    yield Bench(log, sealer)
    async with log.engine.connect() as connection:
        assert await unsound(connection) == []
    await sealer.engine.dispose()


@pytest.mark.parametrize(
    ("writers", "scans", "sees"),
    [
        pytest.param([[LOCK, APPEND, COMMIT]] * 2, 1, anything, id="two transactions, whatever a scan looks at"),
        pytest.param([[LOCK, APPEND, COMMIT]] * 2, 2, known, id="two transactions, two scans"),
        pytest.param([[LOCK, APPEND, COMMIT], [LOCK, APPEND, ROLL_BACK]], 1, known, id="one is rolled back"),
        pytest.param([[LOCK, APPEND, APPEND, COMMIT], [LOCK, APPEND, COMMIT]], 1, known, id="one appends twice"),
        pytest.param([[LOCK, APPEND, COMMIT]] * 3, 1, known, id="three transactions"),
    ],
)
async def test_in_every_order_the_log_has_what_was_committed(
    bench: Bench, writers: Sequence[Sequence[str]], scans: int, sees: Callable[[str, str], bool]
) -> None:
    for order in orders(*writers, SCAN * scans, sees=sees):
        if draws_in_turn(order, writers):
            await bench.try_order(order)
    assert bench.tried > 100


def draws_in_turn(order: Sequence[Step], writers: Sequence[Sequence[str]]) -> bool:
    """Whether writers that do the same draw in the order of their numbers: else it is another order once more."""
    drew = list(dict.fromkeys(who for who, what in order if what == APPEND))
    return all(
        writers[one] != writers[other] or drew.index(one) < drew.index(other)
        for other in range(len(writers))
        for one in range(other)
    )
