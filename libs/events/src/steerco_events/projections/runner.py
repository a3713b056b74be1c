"""Runs a view: keeps its live build up to date, makes new builds beside it, and switches to them."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import partial
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from steerco_events.consuming.consumer import Consumers, Role, run_shards
from steerco_events.envelope import Recorded
from steerco_events.ports import OpenFeed
from steerco_events.projections.builds import Build, Builds, State
from steerco_events.projections.fold import apply
from steerco_events.projections.keeping import KEEPING, Keeping, keep_dropping
from steerco_events.projections.model import View
from steerco_events.projections.rebuilding import Rebuilding
from steerco_events.retrying import retrying
from steerco_events.signals import Signal

BATCH = 2000
IDLE_SECONDS = 5.0
GATHER_SECONDS = 0.005


def following(build: Build, batch: int = BATCH) -> Role:
    """What brings a build forward: events are folded into its tables."""

    async def fold(tx: AsyncConnection, events: Sequence[Recorded]) -> None:
        await apply(tx, build, events)

    name, view = build.checkpoints.consumer, build.view.name
    return Role(name, fold, batch, GATHER_SECONDS, keeps_watermark=True, known_as=view)


class ViewRunner:
    """All builds of one view, in one process; several processes share their work."""

    def __init__(
        self,
        view: View,
        consumers: Consumers,
        feeds: Mapping[str, OpenFeed],
        requested: Signal,
        keeping: Keeping = KEEPING,
    ) -> None:
        self.view = view
        self._builds = Builds(view)
        self._rebuilding = Rebuilding(view, consumers, feeds, following)
        self._consumers = consumers
        self._by_itself = consumers.engine.execution_options(isolation_level="AUTOCOMMIT")
        self._feeds = feeds
        self._changed = requested
        self._heard, self._heard_to_drop = requested.subscribe(), requested.subscribe()
        self._keeping = keeping
        self._followed: Sequence[Build] = ()

    def roles(self) -> Sequence[Role]:
        """The consumers of the builds that are followed now."""
        return [following(build) for build in self._followed]

    async def run(self) -> None:
        """Run until cancelled."""
        async with self._consumers.engine.begin() as tx:
            if not await self._builds.in_state(tx, "live"):
                await self._builds.begin(tx, self._consumers.clock.now())
        tasks: dict[tuple[State, int], asyncio.Task[None]] = {}
        async with asyncio.TaskGroup() as group:
            group.create_task(retrying(self._drop_old, f"{self.view.name} old builds", self._consumers.service))
            while True:
                wanted = await self._wanted()
                for gone in tasks.keys() - wanted.keys():
                    tasks.pop(gone).cancel()
                for key, work in wanted.items():
                    if key not in tasks or tasks[key].done():
                        tasks[key] = group.create_task(work())
                await self._heard.wait(IDLE_SECONDS)

    async def _wanted(self) -> Mapping[tuple[State, int], Callable[[], Coroutine[Any, Any, None]]]:
        """What is to be done: the live build is followed, the one that was asked for is made."""
        async with self._by_itself.connect() as connection:
            standings = await self._builds.standings(connection)
        live = [Build(self.view, each.build) for each in standings if each.state == "live"]
        building = [Build(self.view, each.build) for each in standings if each.state == "building"]
        self._followed = [*live, *building]
        return {("live", build.number): partial(self._follow, build) for build in live} | {
            ("building", build.number): partial(self._make, build) for build in building
        }

    async def _follow(self, build: Build) -> None:
        role = following(build)
        async with asyncio.TaskGroup() as group:
            for service in self.view.services:
                group.create_task(run_shards(self._consumers, role, service, self._feeds[service]))

    async def _make(self, build: Build) -> None:
        await self._rebuilding.make(build)
        self._changed.notify()
        self._consumers.applied.notify()

    async def _drop_old(self) -> None:
        engine, clock = self._consumers.engine, self._consumers.clock
        await keep_dropping(engine, self.view, clock, self._keeping, self._heard_to_drop)
