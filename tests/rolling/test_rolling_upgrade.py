"""A new version of an event is rolled out by two releases, process by process, under load: nothing is lost."""

import asyncio
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest

from steerco_events.testkit.logs import until
from steerco_servers.child import Child
from steerco_servers.testing import TemporaryPostgres
from tests.rolling.fleet import Api, Fleet, fleet_of
from tests.rolling.load import Load
from tests.rolling.releases import Release
from tests.rolling.serve import ServiceName
from tests.rolling.standing import faults_of, is_live, parked, reported, seen, taken_up, until_seen, written

pytestmark = pytest.mark.kafka

SHIPS = 10
"""How many come in, at least, between one process that is replaced and the next."""


class Running:
    """The processes of a fleet that runs: the dock's two APIs and two workers, the harbor's worker."""

    def __init__(self, fleet: Fleet, apis: Sequence[Api], workers: Sequence[Child], harbor: Child) -> None:
        self._fleet = fleet
        self._apis = list(apis)
        self._workers = list(workers)
        self._harbor = harbor

    @classmethod
    async def of(cls, fleet: Fleet, release: Release) -> "Running":
        """Start them: one of each, then their doubles."""
        worker, api, harbor = await asyncio.gather(
            fleet.start_worker(release, "dock"), fleet.start_api(release), fleet.start_worker(release, "harbor")
        )
        standby, other = await asyncio.gather(fleet.start_worker(release, "dock"), fleet.start_api(release))
        return cls(fleet, [api, other], [worker, standby], harbor)

    async def become(self, release: Release, load: Load) -> None:
        """Migrate, then replace each process by one of another release: of each role one at a time, workers first."""
        await self._fleet.migrate(release)

        async def worker(service: ServiceName, old: Child) -> Child:
            new = await self._fleet.start_worker(release, service)
            await self._fleet.end(old)
            await load.more(SHIPS)
            return new

        async def api(old: Api) -> Api:
            new = await self._fleet.start_api(release)
            await load.more(SHIPS)
            await self._fleet.end_api(old)
            await load.more(SHIPS)
            return new

        (first, second), (one, other) = self._workers, self._apis
        self._harbor, first = await asyncio.gather(worker("harbor", self._harbor), worker("dock", first))
        second, one = await asyncio.gather(worker("dock", second), api(one))
        self._workers, self._apis = [first, second], [one, await api(other)]

    async def end(self) -> None:
        """End all of them as an operator does."""
        for each in (*self._workers, self._harbor, *(api.child for api in self._apis)):
            await self._fleet.end(each)


async def test_two_releases_bring_a_new_version_process_by_process_and_nothing_is_lost_or_doubled(
    postgres: TemporaryPostgres, broker: str, tmp_path: Path
) -> None:
    async with fleet_of("upgraded", postgres, broker, tmp_path) as fleet:
        running, load = await Running.of(fleet, "before"), Load(fleet)
        async with load.running():
            await load.more(SHIPS)
            await running.become("reading", load)
            first_of_second = len((await written(fleet)).versions)
            await running.become("writing", load)
        log = await written(fleet)

        for look in (
            partial(seen, fleet, "writing", "dock"),
            partial(seen, fleet, "writing", "harbor"),
            partial(reported, fleet),
        ):
            await until_seen(look, log.docks)
        await running.end()

        assert sorted(log.ships) == sorted(load.accepted)
        assert sum(kilograms for _, kilograms in log.docks.values()) == 1000 * sum(load.accepted.values())
        assert set(log.versions[:first_of_second]) == {1}
        assert set(log.versions[first_of_second:]) == {1, 2}
        assert not load.answers
        for service in ("dock", "harbor"):
            assert await parked(fleet, service) == []
            assert await faults_of(fleet, service) == []
        assert not [line for line in fleet.said() if "NewerVersion" in line]
        assert set(fleet.codes) == {0}


async def test_where_the_release_that_reads_is_left_out_what_it_would_read_is_set_aside_and_comes_with_it(
    postgres: TemporaryPostgres, broker: str, tmp_path: Path
) -> None:
    async with fleet_of("hasty", postgres, broker, tmp_path) as fleet:
        load = Load(fleet)
        await fleet.migrate("writing")
        harbor, *_ = await asyncio.gather(
            fleet.start_worker("before", "harbor"), fleet.start_worker("writing", "dock"), fleet.start_api("writing")
        )
        await until(partial(is_live, fleet, "before", "harbor"), "the harbor has its view")
        async with load.running():
            await load.more(SHIPS)
        log = await written(fleet)

        async def are_set_aside() -> bool:
            return {(each.stream, each.error.partition(":")[0]) for each in await parked(fleet, "harbor")} == {
                (dock, "NewerVersion") for dock in log.of_second
            }

        await until(are_set_aside, "each dock with a ship in the new version is set aside, and said why")
        await fleet.end(harbor)
        await fleet.start_worker("reading", "harbor")
        await until(partial(taken_up, fleet, "harbor", "dock"), "all that was set aside is taken up again")
        for look in (partial(seen, fleet, "reading", "harbor"), partial(reported, fleet)):
            await until_seen(look, log.docks)
        assert sorted(log.ships) == sorted(load.accepted)
