"""A build over a feed that has nothing at first, as one from a broker: what it can't digest is parked anyway."""

from datetime import timedelta

from steerco_events.envelope import Recorded
from steerco_events.ports import Batch, Cursor, Shard
from steerco_events.postgres.feed import StoreFeed
from steerco_events.postgres.lease_keeper import LeaseKeeper
from steerco_events.postgres.parking import parked_streams
from steerco_events.projections.builds import Build
from steerco_events.projections.model import Projection, View
from steerco_events.projections.runner import ViewRunner
from steerco_events.signals import Signal
from steerco_events.testkit.logs import Log, running, until
from steerco_events.testkit.tallies import TallyRow, evolve, key
from steerco_events.testkit.tally import Counted, Labeled


class LateFeed(StoreFeed):
    """Nothing comes at the first read."""

    def __init__(self, log: Log) -> None:
        super().__init__(log.service, log.reader, log.registry, log.sealed)
        self._is_ready = False

    async def read(self, after: Cursor, limit: int) -> Batch:
        if not self._is_ready:
            self._is_ready = True
            return Batch((), after)
        return await super().read(after, limit)


def evolve_no_label(row: TallyRow | None, event: Recorded) -> TallyRow | None:
    if isinstance(event.payload, Labeled):
        raise ValueError("a label")
    return evolve(row, event)


async def test_a_build_parks_what_it_cannot_digest_though_its_feed_has_nothing_at_first(log: Log) -> None:
    view = View("tally", 1, (log.service,), (Projection("tallies", TallyRow, key, evolve_no_label),))
    leases = LeaseKeeper(log.engine, timedelta(seconds=2))

    def opened(_: Shard) -> StoreFeed:
        return LateFeed(log)

    runner = ViewRunner(view, log.consumers(leases), {log.service: opened}, Signal())

    async def is_parked() -> bool:
        async with log.engine.connect() as connection:
            parked = await parked_streams(connection, Build(view, 1).checkpoints.consumer)
        return parked == {(log.service, "tally-2")}

    async with log.sealing():
        await log.append("tally-1", Counted(by=1))
        await log.append("tally-2", Labeled(label="two"))
        async with running(leases.run, runner.run):
            await until(is_parked, "the label is parked")
