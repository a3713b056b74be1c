"""What is found out when somebody collects metrics: what the database knows, and how the process stands."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from time import monotonic

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.pool import QueuePool

from steerco_events import metrics
from steerco_events.metering import Sample
from steerco_events.postgres.checkpoints import Checkpoints
from steerco_events.postgres.faults import DATABASE_FAULTS
from steerco_events.postgres.schema import AS_WHO_LOGGED_IN, HOLDS_LOG_LOCK
from steerco_events.projections.builds import Build
from steerco_events.relay import CONSUMER
from steerco_events.retrying import failing_now
from steerco_service.metrics import CONNECTIONS, POOL_SIZE
from steerco_service.runtime import Runtime

KEPT_SECONDS = 5.0
"""The database is asked so often at most, however many collect."""

PATIENCE_SECONDS = 5.0
"""Who collects gets the rest without what the database does not tell in time."""

_LOG = text(
    "SELECT h.position, h.watermark, CASE WHEN s.is_called THEN s.last_value ELSE 0 END - h.position AS unsealed,"  # noqa: S608 of constants
    " coalesce((SELECT extract(epoch FROM clock_timestamp() - min(xact_start))::float8"
    f" FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE {HOLDS_LOG_LOCK}), 0) AS held"
    " FROM log.head h, log.positions s"
)
_WATERMARKS = text(
    "SELECT service, shard, watermark FROM log.checkpoints WHERE consumer = :consumer AND watermark IS NOT NULL"
)
_PARKED = text("SELECT consumer, count(*) FROM log.parked WHERE consumer = ANY(:consumers) GROUP BY consumer")
_TIMERS = text(
    "SELECT count(*) FILTER (WHERE fire_at <= :now) AS due, count(*) FILTER (WHERE attempts > 0) AS failing"
    " FROM log.timers WHERE fire_at <= :now OR attempts > 0"
)


class Sampling:
    """Samples of all gauges that are looked up, for the services of one process."""

    def __init__(self, runtimes: Sequence[Runtime]) -> None:
        self._runtimes = runtimes
        self._turn = asyncio.Lock()
        self._kept: Sequence[Sample] = ()
        self._kept_at = -KEPT_SECONDS

    async def samples(self) -> Sequence[Sample]:
        """How everything stands; of a database that can't be asked, nothing."""
        async with self._turn:
            if monotonic() - self._kept_at >= KEPT_SECONDS:
                found = await asyncio.gather(*(_of_database(each) for each in self._runtimes))
                self._kept, self._kept_at = [each for samples in found for each in samples], monotonic()
        ours = (sample for runtime in self._runtimes for sample in _of_process(runtime))
        return [*self._kept, *ours]


def _of_process(runtime: Runtime) -> Iterator[Sample]:
    name, pool = runtime.service.name, runtime.engine.pool
    yield metrics.LEASES.sample(runtime.leases.held, name)
    yield metrics.FAILING.sample(len(failing_now(name)), name)
    if isinstance(pool, QueuePool):
        yield CONNECTIONS.sample(pool.checkedout(), name)
        yield POOL_SIZE.sample(pool.size(), name)


async def _of_database(runtime: Runtime) -> Sequence[Sample]:
    with suppress(TimeoutError, *DATABASE_FAULTS):
        async with asyncio.timeout(PATIENCE_SECONDS), runtime.engine.connect() as connection:
            now = runtime.clock.now()
            return [
                *await _of_log(connection, runtime, now),
                *await _of_consumers(connection, runtime, now),
                *await _of_timers(connection, runtime, now),
            ]
    return ()


async def _of_log(connection: AsyncConnection, runtime: Runtime, now: datetime) -> Sequence[Sample]:
    if not runtime.service.owns_log:
        return ()
    await connection.execute(text(AS_WHO_LOGGED_IN))
    name, row = runtime.service.name, (await connection.execute(_LOG)).one()
    found = [
        metrics.LOG_POSITION.sample(row.position, name),
        metrics.LOG_UNSEALED.sample(row.unsealed, name),
        metrics.LOG_HELD.sample(row.held, name),
        metrics.LOG_AGE.sample(_age(row.watermark, now), name),
    ]
    if runtime.relays:
        published = min((await Checkpoints(CONSUMER).load(connection, name)).positions)
        found.append(metrics.RELAY_BEHIND.sample(max(0, row.position - published), name))
    return found


async def _of_consumers(connection: AsyncConnection, runtime: Runtime, now: datetime) -> Sequence[Sample]:
    service = runtime.service
    standings = await runtime.builds.standings(connection)
    building = sum(each.state == "building" for each in standings)
    found = [metrics.BUILDS.sample(building, service.name, service.view.name)]
    known_as = {each.name: each.name for each in service.reactions}
    for live in (Build(service.view, each.build) for each in standings if each.state == "live"):
        consumer = live.checkpoints.consumer
        known_as[consumer] = service.view.name
        rows = (await connection.execute(_WATERMARKS, {"consumer": consumer})).all()
        found += [
            metrics.CONSUMER_FRESHNESS.sample(_age(at, now), service.name, service.view.name, source, str(shard))
            for source, shard, at in rows
        ]
    parked = await _parked(connection, list(known_as))
    return [
        *found,
        *(
            metrics.CONSUMER_PARKED.sample(parked.get(consumer, 0), service.name, name)
            for consumer, name in known_as.items()
        ),
    ]


async def _parked(connection: AsyncConnection, consumers: Sequence[str]) -> Mapping[str, int]:
    return {consumer: count for consumer, count in await connection.execute(_PARKED, {"consumers": consumers})}


async def _of_timers(connection: AsyncConnection, runtime: Runtime, now: datetime) -> Sequence[Sample]:
    if not runtime.service.timed:
        return ()
    name, row = runtime.service.name, (await connection.execute(_TIMERS, {"now": now})).one()
    return [metrics.TIMERS_DUE.sample(row.due, name), metrics.TIMERS_FAILING.sample(row.failing, name)]


def _age(at: datetime, now: datetime) -> float:
    """In seconds; a clock that runs behind makes nothing younger than new."""
    return max(0.0, (now - at).total_seconds())
