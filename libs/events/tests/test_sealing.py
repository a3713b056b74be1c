"""A log in which nothing happens costs little, and all the same is known to be complete up to now."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from asyncpg.connection import LoggedQuery
from sqlalchemy import event, text

from steerco_events import sealing
from steerco_events.ports import Cursor
from steerco_events.postgres.lease import Lease
from steerco_events.postgres.sealer import Sealer
from steerco_events.retrying import failing_now, retrying
from steerco_events.sealing import Sealing
from steerco_events.signals import Signal
from steerco_events.testkit.logs import Log, read_on, running, until
from steerco_events.testkit.tally import Counted

BRIEF = timedelta(seconds=3)
LONG = timedelta(hours=1)
"""A third of it, after which a lease is renewed by a statement of its own, is longer than any test waits."""

BEATS = 20


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "POLL_SECONDS", 0.02)
    monkeypatch.setattr(sealing, "BEAT_SECONDS", 0.04)
    monkeypatch.setattr(sealing, "STARVED_SECONDS", 0.08)


@contextmanager
def statements(log: Log) -> Iterator[list[str]]:
    """What is sent to the database over connections that are opened inside."""
    sent: list[str] = []

    def note(query: LoggedQuery) -> None:
        sent.append(query.query)

    def follow(connection: Any, _: Any) -> None:
        connection.driver_connection.add_query_logger(note)

    event.listen(log.engine.sync_engine, "connect", follow)
    try:
        yield sent
    finally:
        event.remove(log.engine.sync_engine, "connect", follow)


async def test_a_quiet_log_is_asked_by_one_statement_at_a_time_which_keeps_the_lease_too(log: Log) -> None:
    sealer = Sealer(log.engine, log.clock, Lease("sealer", LONG))

    async def lasts_until() -> datetime:
        async with log.engine.connect() as connection:
            end: datetime = (await connection.execute(text("SELECT expires_at FROM log.leases"))).scalar_one()
        return end

    with statements(log) as sent:

        async def beaten() -> bool:
            return sum("watermark = " in each for each in sent) >= BEATS

        async with running(Sealing(sealer, log.appended, log.sealed, LONG).run):
            await until(beaten, "the log beats")
            began = next(n for n, each in enumerate(sent) if "watermark = " in each)
            quiet = sent[began:]
            then = await lasts_until()

            async def is_kept() -> bool:
                return await lasts_until() > then

            await until(is_kept, "the lease lasts longer, though nothing else renewed it")
    assert {each.split()[0] for each in quiet} == {"SELECT", "WITH"}
    assert len(set(quiet)) == 2


async def test_the_watermark_of_a_quiet_log_goes_with_the_clock(log: Log) -> None:
    async with log.sealing():
        await log.append("tally-1", Counted(by=1))
        await read_on(log.feed(), Cursor(), 1)
        then = log.clock.now()

        async def is_later() -> bool:
            return (await log.feed().head()).watermark > then

        await until(is_later, "the log is known to be complete up to then")


async def test_the_watermark_of_a_quiet_log_moves_also_while_it_is_woken_for_nothing_all_the_time(log: Log) -> None:
    async with log.sealing():
        await log.append("tally-1", Counted(by=1))
        await read_on(log.feed(), Cursor(), 1)
        then = log.clock.now()

        async def is_later() -> bool:
            log.appended.notify()
            return (await log.feed().head()).watermark > then

        await until(is_later, "the log is known to be complete up to then")


async def test_who_waits_for_the_watermark_of_a_quiet_log_is_woken_as_it_moves(log: Log) -> None:
    rested = Signal()
    heard = rested.subscribe()
    async with running(Sealing(log.sealer, log.appended, log.sealed, BRIEF, rested=rested).run):
        for _ in range(3):
            then = log.clock.now()
            assert await heard.wait(10)
            assert (await log.feed().head()).watermark >= then or await heard.wait(10)


async def test_what_was_appended_without_a_wake_up_is_sealed_at_the_next_look(log: Log) -> None:
    async with running(Sealing(log.sealer, Signal(), log.sealed).run):
        for n in range(1, 4):
            await log.append("tally-1", Counted(by=1))
            await read_on(log.feed(), Cursor(), n)


async def test_a_sealer_that_hangs_is_cut_off_and_starts_again(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "STEP_SECONDS", 0.3)
    work = Sealing(log.sealer, log.appended, log.sealed, service=log.service)

    async def cut_off() -> bool:
        return failing_now().get(log.service, "").startswith(f"Hangs: the sealer of {log.service} came to no end in ")

    async with log.engine.begin() as tx:
        await tx.execute(text("SELECT FROM log.head FOR UPDATE"))
        async with running(lambda: retrying(work.run, log.service)):
            await log.append("tally-1", Counted(by=1))
            await until(cut_off, "it was cut off")
            monkeypatch.undo()
            await tx.rollback()
            await read_on(log.feed(), Cursor(), 1)
