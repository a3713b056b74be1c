"""How a consumer stands is counted; it has stalled when it could get on, does not, and nothing says why."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial

import pytest

from steerco_events.clock import SystemClock
from steerco_events.consuming import consumer as consuming
from steerco_events.consuming.consumer import run_shards
from steerco_events.consuming.standing import STALLED_SECONDS, Standing, stalled_now
from steerco_events.ids import new_id
from steerco_events.metering import Counter, Gauge
from steerco_events.metrics import CONSUMER_EVENTS, CONSUMER_LAG, CONSUMER_RESTARTS, CONSUMER_STOPPED, METRICS
from steerco_events.ports import WHOLE, Cursor
from steerco_events.positions import START, Head, advanced
from steerco_events.postgres.lease_keeper import LeaseKeeper
from steerco_events.retrying import failing_now
from steerco_events.testkit.eaters import Eater, ViewEater
from steerco_events.testkit.feeds import count_up
from steerco_events.testkit.logs import Log, running, until
from steerco_events.testkit.tally import Counted

LONG = STALLED_SECONDS + 1


class Watch:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def standing(watch: Watch) -> Standing:
    standing = Standing(f"consumer {new_id()}", "finance", "known", f"tally {new_id()}", WHOLE, watch)
    standing.begins()
    return standing


def at(position: int) -> Cursor:
    return Cursor(1, advanced(START, [(3, position)]))


def head(position: int) -> Head:
    return Head((0,), at(position).positions, SystemClock().now())


def hangs_while_it_applies(standing: Standing) -> None:
    standing.applies()
    standing.hangs()


def finds_nothing_though_there_is_more(standing: Standing) -> None:
    standing.stands(at(3), head(7), 0)


@pytest.mark.parametrize("again", [hangs_while_it_applies, finds_nothing_though_there_is_more])
def test_who_has_something_to_apply_and_gets_no_further_has_stalled_after_some_minutes(
    standing: Standing, watch: Watch, again: Callable[[Standing], None]
) -> None:
    for _ in range(10):
        again(standing)
        assert standing.name not in stalled_now()
        watch.seconds += STALLED_SECONDS / 10
    again(standing)
    assert standing.name in stalled_now()
    standing.stands(at(7), head(7), 4)
    assert standing.name not in stalled_now()


def test_who_applies_little_by_little_has_not_stalled(standing: Standing, watch: Watch) -> None:
    for position in range(1, 5):
        standing.applies()
        standing.stands(at(position), head(7), 1)
        watch.seconds += STALLED_SECONDS - 1
    assert standing.name not in stalled_now()


@pytest.mark.parametrize("why", [Standing.fails, Standing.stops, Standing.leaves])
def test_who_says_why_or_has_left_it_to_others_has_not_stalled(
    standing: Standing, watch: Watch, why: Callable[[Standing], None]
) -> None:
    standing.applies()
    watch.seconds += LONG
    assert standing.name in stalled_now()
    why(standing)
    assert standing.name not in stalled_now()


def test_who_hangs_while_it_reads_waits_for_its_broker_or_database_and_has_not_stalled(
    standing: Standing, watch: Watch
) -> None:
    standing.stands(at(3), head(7), 3)
    watch.seconds += LONG
    standing.hangs()
    assert standing.name not in stalled_now()


@pytest.mark.parametrize("why", [Standing.fails, Standing.stops, Standing.hangs])
def test_who_gets_a_shard_again_after_an_error_goes_on_where_another_tells_nothing(
    watch: Watch, why: Callable[[Standing], None]
) -> None:
    source = f"tally {new_id()}"
    standing = Standing("consumer", "finance", "known", source, WHOLE, watch)

    def lag() -> float | None:
        return METRICS.value(CONSUMER_LAG.about, "finance", "known", source, "0")

    standing.begins()
    standing.stands(at(3), head(7), 3)
    why(standing)
    assert lag() == 4
    standing.begins()
    standing.stands(at(5), head(7), 2)
    assert lag() == 2
    why(standing)
    standing.leaves()
    assert lag() is None
    standing.stands(at(5), head(7), 0)
    assert lag() is None, "of what is another's nothing is told"


@asynccontextmanager
async def following(eater: Eater, **more: int) -> AsyncIterator[None]:
    """Inside, a worker of finance has the consumer run."""
    log = eater.log
    leases = LeaseKeeper(log.engine)
    consumers = replace(log.consumers(leases, **more), service="finance")
    role = replace(eater.role(), known_as="known")
    async with running(leases.run, partial(run_shards, consumers, role, log.service, log.feed)):
        yield


def counted(of: Counter | Gauge, log: Log, *shard: str) -> float | None:
    return METRICS.value(of.about, "finance", "known", log.service, *shard)


async def test_what_a_consumer_applies_is_counted_and_how_far_it_is_behind(log: Log) -> None:
    eater = await ViewEater.of(log)
    await count_up(log, streams=4, times=3)
    await log.seal()

    async def has_all() -> bool:
        return counted(CONSUMER_EVENTS, log) == 12 and counted(CONSUMER_LAG, log, "0") == 0

    async with following(eater):
        await until(has_all, "all is applied, and counted")
        assert counted(CONSUMER_STOPPED, log, "0") == 0
        assert counted(CONSUMER_RESTARTS, log) == 0
    assert counted(CONSUMER_LAG, log, "0") is None, "nothing is known by who has left"


async def test_who_can_t_park_more_has_stopped_and_is_behind_for_as_long(log: Log) -> None:
    eater = await ViewEater.of(log)
    eater.appetite.poison.add(5)
    await log.append("tally-1", Counted(by=1))
    await log.seal()

    async def stopped() -> bool:
        return counted(CONSUMER_STOPPED, log, "0") == 1

    async def goes_on() -> bool:
        return counted(CONSUMER_STOPPED, log, "0") == 0 and counted(CONSUMER_EVENTS, log) == 2

    async with following(eater, parked_limit=0):
        await until(lambda: eater_has(eater, 1), "it has begun")
        await log.append("tally-1", Counted(by=5))
        await log.seal()
        await until(stopped, "it has stopped")
        eater.appetite.poison.clear()
        await until(goes_on, "it goes on")


async def test_who_has_stopped_tells_so_until_another_has_the_shard(log: Log) -> None:
    eater = await ViewEater.of(log)
    eater.appetite.poison.add(5)
    await log.append("tally-1", Counted(by=5))
    await log.seal()

    async def stopped() -> bool:
        return counted(CONSUMER_STOPPED, log, "0") == 1

    async def tells_nothing() -> bool:
        return counted(CONSUMER_STOPPED, log, "0") is None and counted(CONSUMER_LAG, log, "0") is None

    async with following(eater, parked_limit=0):
        await until(stopped, "it has stopped")
        async with log.engine.begin() as tx:
            taken = "holder = gen_random_uuid(), expires_at = clock_timestamp() + interval '1 hour'"
            await tx.exec_driver_sql(f"UPDATE log.leases SET {taken} WHERE name LIKE 'consumer %'")
        await until(tells_nothing, "it has learned that another has it")


async def eater_has(eater: Eater, events: int) -> bool:
    return counted(CONSUMER_EVENTS, eater.log) == events


async def test_a_step_that_comes_to_no_end_is_counted_as_a_restart(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    eater = await ViewEater.of(log)
    await count_up(log, streams=1, times=1)
    await log.seal()

    async def restarted() -> bool:
        return bool(counted(CONSUMER_RESTARTS, log))

    async with log.engine.begin() as tx:  # who holds the checkpoint's division keeps the step waiting
        monkeypatch.setattr(consuming, "STEP_SECONDS", 0.1)
        await tx.exec_driver_sql("LOCK TABLE log.checkpoints IN ACCESS EXCLUSIVE MODE")
        async with following(eater):
            await until(restarted, "the watchdog has started it again")
            await tx.rollback()


async def test_to_wait_for_a_lock_is_an_error_before_the_step_hangs(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    eater = await ViewEater.of(log)
    name = eater.consumer().name
    await count_up(log, streams=1, times=1)
    await log.seal()

    async def says_why() -> bool:
        return "canceling statement due to lock timeout" in failing_now("finance").get(name, "")

    async with following(eater):
        await until(partial(eater_has, eater, 1), "it has begun")
        monkeypatch.setattr(consuming, "LOCK_TIMEOUT", "50ms")
        async with log.engine.begin() as tx:
            await tx.exec_driver_sql("SELECT FROM log.checkpoints FOR UPDATE")
            await count_up(log, streams=1, times=1)
            await log.seal()
            await until(says_why, "it says why it does not get on")
            await tx.rollback()
        await until(partial(eater_has, eater, 2), "it goes on")
        assert counted(CONSUMER_RESTARTS, log) == 0
