"""What seals, publishes, appends and keeps time is counted where it is done."""

from datetime import timedelta

from steerco_events.commands.batching import Batcher
from steerco_events.commands.planning import Handling
from steerco_events.metering import Counter, Gauge, Histogram
from steerco_events.metrics import (
    APPEND_COMMANDS,
    APPEND_SECONDS,
    METRICS,
    RELAY_ERRORS,
    RELAY_LEADER,
    RELAY_PUBLISHED,
    SEALED_EVENTS,
    SEALER_LEADER,
    SEALS,
)
from steerco_events.postgres.lease import Lease
from steerco_events.postgres.sealer import Sealer
from steerco_events.retrying import retrying
from steerco_events.sealing import Sealing
from steerco_events.signals import Signal
from steerco_events.testkit.feeds import count_up
from steerco_events.testkit.logs import Log, running, until
from steerco_events.testkit.tally import Count, tally
from steerco_events.testkit.wires import Wire, relay

BRIEF = timedelta(seconds=1)


def counted(of: Counter | Gauge | Histogram, service: str) -> float | None:
    return METRICS.value(of.about, service)


def sealing(log: Log, lasts: timedelta = BRIEF) -> Sealing:
    sealer = Sealer(log.engine, log.clock, Lease("sealer", lasts))
    return Sealing(sealer, log.appended, log.sealed, lasts, service=log.service)


async def test_seals_are_counted_by_who_leads(log: Log) -> None:
    async def is_sealed() -> bool:
        return counted(SEALED_EVENTS, log.service) == 6

    async with running(sealing(log).run):
        await count_up(log, streams=2, times=3)
        await until(is_sealed, "all is sealed")
        assert counted(SEALER_LEADER, log.service) == 1
        assert 1 <= (counted(SEALS, log.service) or 0) <= 6
    assert counted(SEALER_LEADER, log.service) == 0


async def test_a_standby_does_not_lead(log: Log) -> None:
    async with log.engine.begin() as tx:
        await Lease("sealer", timedelta(hours=1)).acquire(tx)
        await Lease("relay", timedelta(hours=1)).acquire(tx)

    async def stand_by() -> bool:
        return [counted(each, log.service) for each in (SEALER_LEADER, RELAY_LEADER)] == [0, 0]

    async with running(sealing(log).run, relay(log, Wire(), BRIEF).run):
        await until(stand_by, "both wait for their turn")


async def test_what_is_published_is_counted_and_how_often_it_was_broken_off(log: Log) -> None:
    await count_up(log, streams=4, times=3)
    await log.seal()
    wire = Wire()
    wire.breaks = [5]

    async def is_published() -> bool:
        return counted(RELAY_PUBLISHED, log.service) == 12

    async with running(lambda: retrying(relay(log, wire, BRIEF).run, f"relay of {log.service}")):
        await until(is_published, "all is published")
        assert counted(RELAY_ERRORS, log.service) == 1
        assert counted(RELAY_LEADER, log.service) == 1
    assert counted(RELAY_LEADER, log.service) == 0


async def test_a_transaction_of_commands_is_counted_with_how_many_shared_it(log: Log) -> None:
    batcher = Batcher(log.engine, log.store, Signal())
    for n in range(3):
        handling = Handling(tally, f"tally-{n}", Count(by=1), log.context())
        await batcher.submit(handling, None, lambda _: b"")
    assert counted(APPEND_SECONDS, log.service) == counted(APPEND_COMMANDS, log.service) == 3
