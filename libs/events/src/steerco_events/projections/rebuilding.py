"""Makes the builds of a view that are asked for, beside the one that is read, one worker at a time."""

from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack, suppress
from functools import partial

from sqlalchemy.schema import CreateIndex

from steerco_events.consuming.consumer import Consumer, Consumers, Role
from steerco_events.ports import WHOLE, OpenFeed
from steerco_events.postgres.faults import DATABASE_FAULTS
from steerco_events.postgres.lease import LeaseLost
from steerco_events.projections.builds import Build, BuildGivenUp, Builds
from steerco_events.projections.bulk import CHUNK, LOOKS, PATIENCE, Source
from steerco_events.projections.making import Making, NotFolded
from steerco_events.projections.model import View
from steerco_events.projections.tables import own_index
from steerco_events.retrying import retrying
from steerco_events.saying import said


class Rebuilding:
    """Makes builds of one view, in one process. `following` brings a build forward batch by batch."""

    def __init__(
        self,
        view: View,
        consumers: Consumers,
        feeds: Mapping[str, OpenFeed],
        following: Callable[[Build], Role],
        chunk: int = CHUNK,
    ) -> None:
        self._view = view
        self._consumers = consumers
        self._feeds = feeds
        self._following = following
        self._chunk = chunk

    async def make(self, build: Build) -> None:
        """Return when the build is live or given up. It starts again by itself after an error."""
        name = f"{self._view.consumer(build.number)} being made"
        await retrying(partial(self._make, build), name, self._consumers.service)

    async def _make(self, build: Build) -> None:
        try:
            while not await self._attempt(build):
                pass
        except BuildGivenUp:
            return
        except Exception as error:
            if await self._is_given_up(build, error):
                return
            raise

    async def _is_given_up(self, build: Build, error: Exception) -> bool:
        """Whether the error came of that: the tables went away under the attempt. If not, the error is told."""
        builds = Builds(self._view)
        with suppress(*DATABASE_FAULTS):
            async with self._consumers.engine.begin() as tx:
                try:
                    await builds.hold(tx, build)
                except BuildGivenUp:
                    return True
                await builds.say(tx, build, f"starts again after {said(error)}")
        return False

    async def _attempt(self, build: Build) -> bool:
        with suppress(LeaseLost):
            async with self._consumers.leases.hold(f"making of {self._view.name}", WHOLE), AsyncExitStack() as stack:
                sources = [await self._source(stack, build, service) for service in self._view.services]
                try:
                    await Making(self._consumers.engine, self._consumers.clock, build, sources, self._chunk).run()
                    return True
                except NotFolded as fault:
                    await self._take_apart(build, fault.service)
        return False

    async def _source(self, stack: AsyncExitStack, build: Build, service: str) -> Source:
        async with self._consumers.engine.begin() as tx:
            cursor = await build.checkpoints.load_shard(tx, service, WHOLE)
        feed = self._feeds[service](WHOLE)
        stack.push_async_callback(feed.close)
        return Source(feed, cursor)

    async def _take_apart(self, build: Build, service: str) -> None:
        """As a consumer does that follows the log: what can't be digested is parked, the rest goes on.

        It looks every row up, those of journals too. A feed that was just opened may be on its way to its first event.
        """
        for table in build.tables:
            async with self._consumers.engine.begin() as tx:
                await tx.execute(CreateIndex(own_index(table), if_not_exists=True))
        consumer = Consumer(self._consumers, self._following(build), service)
        async with AsyncExitStack() as stack:
            feed = self._feeds[service](WHOLE)
            stack.push_async_callback(feed.close)
            taken = looks = 0
            while taken < self._chunk:
                took = await consumer.step(feed)
                taken += took
                if not took:
                    if taken or looks == LOOKS:
                        break
                    looks += 1
                    await feed.wait(PATIENCE)
