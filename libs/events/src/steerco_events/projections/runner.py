"""Runs a view: keeps its live build up to date, makes new builds beside it, and switches to them."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from steerco_events.clock import Clock
from steerco_events.ports import Cursor, EventFeed, OpenFeed
from steerco_events.positions import reached
from steerco_events.postgres.checkpoints import CheckpointMoved
from steerco_events.projections.builds import Build, Builds
from steerco_events.projections.fold import apply
from steerco_events.projections.model import View
from steerco_events.retrying import retrying
from steerco_events.signals import Signal

BATCH = 2000
IDLE_SECONDS = 5.0
GATHER_SECONDS = 0.01
WATERMARK_STEP = timedelta(seconds=1)


class BuildRunner:
    """Brings one build forward in one service's log. The checkpoint moves with the rows, or not at all."""

    def __init__(
        self,
        engine: AsyncEngine,
        build: Build,
        open_feed: OpenFeed,
        applied: Signal,
        batch: int = BATCH,
    ) -> None:
        self._engine = engine
        self._build = build
        self._open_feed = open_feed
        self._applied = applied
        self._batch = batch
        self._cursor: Cursor | None = None
        self.at_head = False

    async def step(self, feed: EventFeed) -> int:
        """Apply one batch; the number of its events. Raises `CheckpointMoved`, having changed nothing."""
        if self._cursor is None:
            async with self._engine.connect() as connection:
                self._cursor = await self._build.checkpoints.load(connection, feed.service)
        seen = self._cursor
        batch = await feed.read(seen, self._batch)
        if batch.events or self._worth_keeping(seen, batch.cursor):
            try:
                async with self._engine.begin() as tx:
                    await apply(tx, self._build, batch.events)
                    await self._build.checkpoints.advance(tx, feed.service, seen, batch.cursor)
            except CheckpointMoved:
                self._cursor = None
                raise
            self._cursor = batch.cursor
            self._applied.notify()
        self.at_head = batch.cursor.watermark is not None
        return len(batch.events)

    @staticmethod
    def _worth_keeping(seen: Cursor, cursor: Cursor) -> bool:
        if cursor.place != seen.place:
            return True
        if cursor.watermark is None:
            return False
        return seen.watermark is None or cursor.watermark >= seen.watermark + WATERMARK_STEP

    async def run(self) -> None:
        """Follow the log until cancelled; start again from the checkpoint after an error."""
        feed = self._open_feed()
        try:
            while True:
                if not await self.step(feed):
                    await feed.wait(IDLE_SECONDS)
                    await asyncio.sleep(GATHER_SECONDS)
        finally:
            await feed.close()


class ViewRunner:
    """All builds of one view, in one process."""

    def __init__(
        self,
        view: View,
        engine: AsyncEngine,
        feeds: Mapping[str, OpenFeed],
        clock: Clock,
        applied: Signal,
        requested: Signal,
    ) -> None:
        self.view = view
        self._builds = Builds(view)
        self._engine = engine
        self._feeds = feeds
        self._clock = clock
        self._applied = applied
        self._requested = requested.subscribe()
        self._progress = applied.subscribe()
        self._running: dict[int, list[BuildRunner]] = {}

    async def run(self) -> None:
        """Run until cancelled."""
        async with self._engine.begin() as tx:
            if not await self._builds.in_state(tx, "live"):
                await self._builds.begin(tx, self._clock.now())
        while True:
            await self._run_builds()

    async def _run_builds(self) -> None:
        async with self._engine.begin() as tx:
            live = await self._builds.in_state(tx, "live")
            building = await self._builds.building(tx)
            await self._builds.drop_retired(tx)
        async with asyncio.TaskGroup() as group:
            runners = {
                build.number: [
                    BuildRunner(self._engine, build, self._feeds[service], self._applied)
                    for service in self.view.services
                ]
                for build in (*live, *([building] if building else []))
            }
            tasks = [
                group.create_task(retrying(runner.run, f"{self.view.name} {number}"))
                for number, parts in runners.items()
                for runner in parts
            ]
            if building:
                await self._until_live(building, runners[building.number])
            else:
                await self._until_requested()
            for task in tasks:
                task.cancel()

    async def _until_requested(self) -> None:
        while True:
            await self._requested.wait(IDLE_SECONDS)
            async with self._engine.connect() as connection:
                if await self._builds.building(connection):
                    return

    async def _until_live(self, building: Build, runners: list[BuildRunner]) -> None:
        while True:
            await self._progress.wait(0.5)
            if all(runner.at_head for runner in runners):
                async with self._engine.begin() as tx:
                    if await self._caught_up(tx, building):
                        await self._builds.go_live(tx, building, self._clock.now())
                        return

    async def _caught_up(self, tx: AsyncConnection, building: Build) -> bool:
        """Whether the build has all that the live one has; the live one stands still meanwhile."""
        for live in await self._builds.in_state(tx, "live"):
            await tx.execute(_STAND_STILL, {"consumer": live.checkpoints.consumer})
            for service in self.view.services:
                have = await building.checkpoints.load(tx, service)
                want = await live.checkpoints.load(tx, service)
                behind = have.generation == want.generation and not reached(have.positions, want.positions)
                if behind or have.generation < want.generation:
                    return False
        return True


_STAND_STILL = text("SELECT 1 FROM log.checkpoints WHERE consumer = :consumer FOR UPDATE")
