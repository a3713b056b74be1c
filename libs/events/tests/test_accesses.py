"""Who asked for what: found by what is asked about it, and dropped when it is too old."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from steerco_events.clock import ManualClock
from steerco_events.ids import derived_id
from steerco_events.postgres import accesses
from steerco_events.postgres.accesses import KEPT, Accessed, AccessesSought, clear, find, keep_clearing, write
from steerco_events.testkit.logs import Log, fresh_log, running, until
from steerco_servers.testing import TemporaryPostgres

NOON = datetime(2026, 3, 31, 12, tzinfo=UTC)
ANN, BOB = (derived_id("person", name) for name in ("Ann", "Bob"))
MINUTE = timedelta(minutes=1)


def asked(n: int) -> Accessed:
    """The n-th request of a morning: Ann and Bob ask by turns, every third time for something sensitive."""
    return Accessed(
        at=NOON + n * MINUTE,
        actor=(ANN, BOB)[n % 2],
        client="tests",
        address="2001:db8::7",
        method="GET",
        operation="one_thing" if n % 3 else "one_secret",
        path=f"/things/{n}",
        subject=f"thing-{n % 4}",
        status=200,
        is_sensitive=n % 3 == 0,
        traceparent=None,
    )


ALL = [asked(n) for n in range(12)]


@pytest.fixture
async def log(postgres: TemporaryPostgres) -> AsyncIterator[Log]:
    async with fresh_log(postgres) as log:
        async with log.engine.begin() as tx:
            await write(tx, ALL)
        yield log


async def found(log: Log, sought: AccessesSought | None = None) -> Sequence[Accessed]:
    """Those that are sought, in pages of five, in the order in which they were asked."""
    rows: list[Accessed] = []
    before = None
    while True:
        async with log.engine.connect() as connection:
            page = await find(connection, sought or AccessesSought(), 5, before)
        rows += [Accessed(*(getattr(row, name) for name in Accessed._fields)) for row in page]
        if len(page) < 5:
            return rows[::-1]
        before = page[-1].at, page[-1].id


@pytest.mark.parametrize(
    ("sought", "rows"),
    [
        (AccessesSought(), ALL),
        (AccessesSought(actor=BOB), ALL[1::2]),
        (AccessesSought(since=NOON + 3 * MINUTE, until=NOON + 8 * MINUTE), ALL[3:9]),
        (AccessesSought(operation="one_secret"), ALL[::3]),
        (AccessesSought(subject="thing-2"), ALL[2::4]),
        (AccessesSought(is_sensitive=True, actor=ANN), ALL[::6]),
        (AccessesSought(since=NOON + 12 * MINUTE), []),
    ],
)
async def test_what_is_sought_is_found_page_by_page_each_row_once(
    log: Log, sought: AccessesSought, rows: Sequence[Accessed]
) -> None:
    assert await found(log, sought) == rows


async def test_requests_of_one_instant_keep_their_order(log: Log) -> None:
    twins = [asked(20)._replace(path=f"/twins/{n}") for n in range(7)]
    async with log.engine.begin() as tx:
        await write(tx, twins)
    assert await found(log, AccessesSought(since=NOON + 20 * MINUTE)) == twins


async def test_what_nobody_asked_for_by_name_has_no_name(log: Log) -> None:
    stranger = asked(20)._replace(actor=None, client=None, operation=None, subject=None, status=401)
    async with log.engine.begin() as tx:
        await write(tx, [stranger])
    assert (await found(log))[-1] == stranger


async def test_what_is_too_old_is_dropped_however_much_it_is(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accesses, "CLEARED_AT_ONCE", 2)
    assert await clear(log.engine, NOON + 7 * MINUTE) == 7
    assert await found(log) == ALL[7:]
    assert await clear(log.engine, NOON + 7 * MINUTE) == 0


async def test_it_is_dropped_by_itself_after_ninety_days_or_as_many_as_are_set(log: Log) -> None:
    for kept, left in ((KEPT, ALL[4:]), (timedelta(days=7), ALL[9:])):
        clock = ManualClock(left[0].at + kept)

        async def is_dropped(first: Accessed = left[0]) -> bool:
            return (await found(log))[0] == first

        async with running(partial(keep_clearing, log.engine, clock, kept)):
            await until(is_dropped, "what is too old is dropped")
        assert await found(log) == left


@pytest.mark.parametrize("change", ["UPDATE log.accesses SET address = ''", "TRUNCATE log.accesses"])
async def test_a_service_can_t_alter_what_was_recorded(log: Log, change: str) -> None:
    with pytest.raises(ProgrammingError, match="permission denied"):
        async with log.engine.begin() as tx:
            await tx.execute(text(change))


async def test_who_reads_the_log_sees_nothing_of_it(log: Log) -> None:
    with pytest.raises(ProgrammingError, match="permission denied"):
        async with log.reader.connect() as connection:
            await connection.execute(text("SELECT * FROM log.accesses"))
