"""A build that parks streams: it waits for what the live one has, and leaves out what was skipped."""

from dataclasses import dataclass

import pytest

from steerco_events.consuming.unparking import Unparking
from steerco_events.envelope import Recorded
from steerco_events.postgres.parking import Parking, parked_streams
from steerco_events.postgres.skipped import skipped_events
from steerco_events.projections.builds import Build, NoRebuild
from steerco_events.projections.model import Projection, View
from steerco_events.projections.runner import following
from steerco_events.signals import Signal
from steerco_events.testkit.eaters import OPERATOR
from steerco_events.testkit.logs import Log, until
from steerco_events.testkit.rebuilding import Worker, kept
from steerco_events.testkit.tallies import TallyRow, evolve, key, tally_view
from steerco_events.testkit.tally import Counted, Labeled


@dataclass
class Fussy:
    """A fold that can't digest a label while it is fussy."""

    is_fussy: bool = False

    def evolve(self, row: TallyRow | None, event: Recorded) -> TallyRow | None:
        if self.is_fussy and isinstance(event.payload, Labeled):
            raise ValueError("a label")
        return evolve(row, event)

    def view(self, service: str, version: int = 1) -> View:
        return View("tally", version, (service,), (Projection("tallies", TallyRow, key, self.evolve),))


async def test_a_build_that_parks_what_the_live_one_digested_waits_until_that_is_accepted(log: Log) -> None:
    fussy = Fussy()
    async with kept(log, fussy.view(log.service)) as worker:
        for n in range(5):
            await log.append(f"tally-{n}", Counted(by=1))
        await log.append("tally-2", Labeled(label="two"), Counted(by=10))
        await worker.until_total(1, 15)
        fussy.is_fussy = True
        build = await worker.asked(lambda builds: builds.begin, log.clock.now())

        async def waits() -> bool:
            standings = await worker.asked(lambda builds: builds.standings)
            return any("tally-2" in (each.waits_for or "") for each in standings)

        await until(waits, "the build says what it waits for")
        assert await worker.total(2) == 5
        await log.append("tally-2", Counted(by=100))
        await log.append("tally-1", Counted(by=1000))
        await worker.until_total(2, 1005)
        async with log.engine.connect() as connection:
            assert await parked_streams(connection, build.checkpoints.consumer) == {(log.service, "tally-2")}
        assert await worker.live() == 1

        await worker.asked(lambda builds: builds.accept_parked)
        await worker.until_live(2)


async def test_a_build_that_parks_what_the_live_one_has_parked_too_goes_live(log: Log) -> None:
    fussy = Fussy(is_fussy=True)
    async with kept(log, fussy.view(log.service)) as worker:
        await log.append("tally-2", Labeled(label="two"))
        await log.append("tally-1", Counted(by=1))
        await worker.until_total(1, 1)
        assert await worker.rebuilt() == 2
        assert await worker.total(2) == 1


async def skip(log: Log, view: View, number: int) -> None:
    """Have the first event of `tally-2` left out for a build."""
    build = Build(view, number)
    parking = Parking(build.checkpoints.consumer, log.service)

    async def is_parked() -> bool:
        async with log.engine.connect() as connection:
            return await parking.one(connection, "tally-2") is not None

    await until(is_parked, "the stream is parked")
    async with log.engine.begin() as tx:
        assert await parking.ask(tx, "tally-2", "skip", OPERATOR, "sent by a test system")
    await Unparking(log.consumers(), log.registry, lambda: [following(build)], Signal()).step()
    assert not await is_parked()


async def test_what_was_skipped_is_left_out_of_the_next_build_and_parked_again_by_a_new_version(log: Log) -> None:
    fussy = Fussy(is_fussy=True)
    view = fussy.view(log.service)
    async with kept(log, view) as worker:
        await log.append("tally-2", Counted(by=1), Labeled(label="two"), Counted(by=10))
        await skip(log, view, 1)
        await worker.until_total(1, 11)
        assert await worker.rebuilt() == 2
        assert await worker.total(2) == 11
        async with log.engine.connect() as connection:
            assert await parked_streams(connection, Build(view, 2).checkpoints.consumer) == set()
    newer = fussy.view(log.service, 2)
    async with kept(log, newer), log.engine.connect() as connection:
        assert await parked_streams(connection, Build(newer, 1).checkpoints.consumer) == {(log.service, "tally-2")}


async def test_a_build_that_had_parked_what_was_skipped_meanwhile_goes_on_when_it_is_tried_again(log: Log) -> None:
    fussy = Fussy()
    view = fussy.view(log.service)
    async with kept(log, view) as worker:
        await log.append("tally-1", Counted(by=100))
        await worker.until_total(1, 100)
        fussy.is_fussy = True
        await log.append("tally-2", Counted(by=1), Labeled(label="two"), Counted(by=10))
        assert await worker.rebuilt() == 2
        await skip(log, view, 2)
        parking = Parking(Build(view, 1).checkpoints.consumer, log.service)
        async with log.engine.begin() as tx:
            assert await parking.ask(tx, "tally-2", "retry", OPERATOR, None)
        await Unparking(log.consumers(), log.registry, lambda: [following(Build(view, 1))], Signal()).step()
        async with log.engine.connect() as connection:
            assert await parking.one(connection, "tally-2") is None
            assert [each.consumer for each in await skipped_events(connection, 10)] == ["tally_v1_b2"]
        assert await worker.total(1) == 111


async def test_what_is_accepted_is_said_of_a_build_that_is_being_made(log: Log) -> None:
    with pytest.raises(NoRebuild):
        await Worker(log, tally_view(log.service)).asked(lambda builds: builds.accept_parked)
