"""While a build takes the live one's place that one stands still, but never for long, whatever hangs."""

import asyncio
from dataclasses import replace

import pytest

from steerco_events.consuming.consumer import Consumer
from steerco_events.ports import Batch, Cursor
from steerco_events.postgres.feed import StoreFeed
from steerco_events.projections import making
from steerco_events.projections.builds import Builds
from steerco_events.projections.bulk import LOOKS, Source
from steerco_events.projections.making import Making
from steerco_events.projections.model import View
from steerco_events.projections.runner import following
from steerco_events.testkit.logs import Log
from steerco_events.testkit.tallies import tallies
from steerco_events.testkit.tally import Counted


class HangingFeed(StoreFeed):
    """It takes itself for at the end of its log; asked again, it answers no more."""

    def __init__(self, log: Log) -> None:
        super().__init__(log.service, log.reader, log.registry, log.sealed)
        self._watermark = log.clock.now()
        self._reads = 0

    async def read(self, after: Cursor, limit: int) -> Batch:
        self._reads += 1
        if self._reads > LOOKS:
            await asyncio.Event().wait()
        return Batch((), replace(after, watermark=self._watermark))


async def test_a_feed_that_hangs_does_not_keep_the_live_build_still(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(making, "SWITCH_SECONDS", 0.2)
    view = View("tally", 1, (log.service,), (tallies,))
    await log.append("tally-1", Counted(by=1))
    await log.seal()
    async with log.engine.begin() as tx:
        live = await Builds(view).begin(tx, log.clock.now())
    consumer, feed = Consumer(log.consumers(), following(live, 3), log.service), log.feed()
    while await consumer.step(feed):
        pass
    async with log.engine.begin() as tx:
        await Builds(view).go_live(tx, live, log.clock.now())
        build = await Builds(view).begin(tx, log.clock.now())
    attempt = Making(log.engine, log.clock, build, [Source(HangingFeed(log), Cursor())])
    async with asyncio.timeout(30):
        with pytest.raises(TimeoutError):
            await attempt.run()
    await log.append("tally-1", Counted(by=2))
    await log.seal()
    assert await consumer.step(feed) == 1
    async with log.engine.connect() as connection:
        assert await Builds(view).live(connection) == live
