"""Rebuilds of the register, from the feed and from Kafka, against bare reading and decoding of the same source."""

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial

from steerco_events.contracts.catalog import CATALOG
from steerco_events.kafka.broker import Broker
from steerco_events.kafka.feed import KafkaFeed
from steerco_events.kafka.publisher import KafkaPublisher
from steerco_events.ports import Cursor, EventFeed
from steerco_events.projections.builds import Builds
from steerco_events.projections.bulk import READ, Source
from steerco_events.projections.keeping import Keeping, drop_old
from steerco_events.projections.making import Making
from steerco_events.projections.model import View
from steerco_events.relay import BATCH
from steerco_events.testkit.logs import Log, fresh_log
from steerco_reporting.app import PORTFOLIO_REGISTER
from steerco_servers.testing import temporary_kafka, temporary_postgres
from tests.bench.figures import Figure, Servers, paired
from tests.bench.portfolios import SERVICES, Portfolios, told_portfolios
from tests.bench.profiling import explained

EVENTS = 100_000
ROUNDS = 3
REACH = 0.4
WAIT_SECONDS = 1.0
NOTHING_KEPT = Keeping(kept_for=timedelta(0), read_for=timedelta(0))

type Open = Callable[[str], EventFeed]
"""Opens a feed on one of the logs, by what its service is called in the contracts."""


class Bare:
    """Reads every log to its end and decodes every payload, with reads as large as those of a rebuild."""

    def __init__(self, open_feed: Open, events: int) -> None:
        self._open_feed = open_feed
        self._events = events

    async def __call__(self) -> float:
        """Events a second."""
        began = time.perf_counter()
        read = 0
        for service in SERVICES:
            read += await self._read(self._open_feed(service))
        assert read == self._events
        return read / (time.perf_counter() - began)

    async def _read(self, feed: EventFeed) -> int:
        cursor, read = Cursor(), 0
        while cursor.watermark is None:
            batch = await feed.read(cursor, READ)
            for event in batch.events:
                _ = event.payload
            cursor, read = batch.cursor, read + len(batch.events)
            if not batch.events and cursor.watermark is None:
                await feed.wait(WAIT_SECONDS)
        await feed.close()
        return read


class Rebuild:
    """Makes a build of the register from nothing until it is live, indexes and all; the one before is dropped."""

    def __init__(self, name: str, portfolios: Portfolios, register: Log, open_feed: Open) -> None:
        services = [portfolios.logs[service].service for service in SERVICES]
        self._view = View(name, 1, services, PORTFOLIO_REGISTER.projections)
        self._events = portfolios.events
        self._register = register
        self._open_feed = open_feed

    async def __call__(self) -> float:
        """Events a second."""
        engine, clock = self._register.engine, self._register.clock
        async with engine.begin() as tx:
            await drop_old(tx, self._view, clock.now(), NOTHING_KEPT)
        began = time.perf_counter()
        async with engine.begin() as tx:
            build = await Builds(self._view).begin(tx, clock.now())
        sources = [Source(self._open_feed(service), Cursor()) for service in SERVICES]
        await Making(engine, clock, build, sources).run()
        taken = time.perf_counter() - began
        for source in sources:
            await source.feed.close()
        return self._events / taken


async def _ratio(key: str, portfolios: Portfolios, register: Log, open_feed: Open) -> Figure:
    ours, bare = Rebuild(key, portfolios, register, open_feed), Bare(open_feed, portfolios.events)
    found = await paired(ours, bare, ROUNDS)
    parts = {"rebuild": found.ours, "bare": found.theirs}
    return await explained(Figure(key, found.ratio, REACH, "higher", parts, "events/s"), ours)


async def rebuild_feed(portfolios: Portfolios, register: Log) -> Figure:
    """From the services' stores."""
    return await _ratio("rebuild_feed", portfolios, register, portfolios.feed)


async def rebuild_kafka(portfolios: Portfolios, register: Log, bootstrap: str) -> Figure:
    """From the topics, to which the logs are published first."""
    for service in SERVICES:
        await _publish(portfolios, service, bootstrap)
    return await _ratio("rebuild_kafka", portfolios, register, partial(_kafka_feed, portfolios, bootstrap))


def _kafka_feed(portfolios: Portfolios, bootstrap: str, service: str) -> EventFeed:
    return KafkaFeed(portfolios.logs[service].service, Broker(bootstrap), CATALOG)


async def _publish(portfolios: Portfolios, service: str, bootstrap: str) -> None:
    publisher = KafkaPublisher(portfolios.logs[service].service, Broker(bootstrap), replication=1)
    await publisher.prepare()
    feed, cursor = portfolios.feed(service), Cursor()
    while cursor.watermark is None:
        batch = await feed.read(cursor, BATCH)
        await publisher.publish(batch.events)
        cursor = batch.cursor
    await publisher.publish_head(await feed.head())
    await publisher.close()


async def measure(servers: Servers) -> Sequence[Figure]:
    """`rebuild_feed` and `rebuild_kafka`."""
    async with (
        told_portfolios(servers.postgres, EVENTS) as portfolios,
        fresh_log(servers.postgres, CATALOG) as register,
    ):
        return [
            await rebuild_feed(portfolios, register),
            await rebuild_kafka(portfolios, register, servers.kafka.bootstrap),
        ]


async def _main() -> None:
    async with temporary_postgres() as postgres, temporary_kafka() as kafka:
        for figure in await measure(Servers(postgres, kafka)):
            print(figure)


if __name__ == "__main__":
    asyncio.run(_main())
