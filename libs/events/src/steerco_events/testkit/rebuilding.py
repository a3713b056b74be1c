"""A worker that keeps a view of tallies, and is asked for builds of it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import select, text

from steerco_events.postgres.lease_keeper import LeaseKeeper
from steerco_events.projections.builds import Build, Builds, ViewNotBuilt
from steerco_events.projections.model import View
from steerco_events.projections.runner import ViewRunner
from steerco_events.projections.tables import known_at, row_of
from steerco_events.signals import Signal
from steerco_events.testkit.logs import Log, running, until
from steerco_events.testkit.tallies import TallyRow, tallies, tally_view


@dataclass
class Worker:
    """One worker that keeps the view, and asks of its builds."""

    log: Log
    view: View
    requested: Signal = field(default_factory=Signal)

    @asynccontextmanager
    async def running(self, shards: int = 1) -> AsyncIterator["Worker"]:
        """Inside, it works, its consumers divided into so many shards."""
        leases = LeaseKeeper(self.log.engine, timedelta(seconds=2))
        consumers = self.log.consumers(leases, shards=shards)
        keeper = ViewRunner(self.view, consumers, {self.log.service: self.log.feed}, self.requested)
        async with running(leases.run, keeper.run):
            yield self

    async def asked[Answer](self, ask: Callable[[Builds], Callable[..., Awaitable[Answer]]], *more: object) -> Answer:
        """What `ask` of the builds answers, in a transaction of its own; the worker hears of it."""
        async with self.log.engine.begin() as tx:
            answer = await ask(Builds(self.view))(tx, *more)
        self.requested.notify()
        return answer

    async def live(self) -> int | None:
        """The build that answers; `None` while there is none."""
        try:
            return (await self.asked(lambda builds: builds.live)).number
        except ViewNotBuilt:
            return None

    async def until_live(self, number: int) -> None:
        """Return when that build is the one that answers."""

        async def is_live() -> bool:
            return await self.live() == number

        await until(is_live, f"build {number} is live")

    async def rebuilt(self) -> int:
        """Make the view anew; the number of the build that is live then."""
        build = await self.asked(lambda builds: builds.begin, self.log.clock.now())
        await self.until_live(build.number)
        return build.number

    async def roll_back(self) -> Build:
        """Ask for the build that was live before; it is not live yet."""
        return await self.asked(lambda builds: builds.roll_back, self.log.clock.now())

    async def total(self, number: int) -> int:
        """What all tallies of a build amount to."""
        table = Build(self.view, number).table("tallies").fullname
        async with self.log.engine.connect() as connection:
            query = text(f"SELECT coalesce(sum(total), 0) FROM {table} WHERE sealed_to IS NULL")
            return int((await connection.execute(query)).scalar_one())

    async def until_total(self, number: int, total: int) -> None:
        """Return when all tallies of a build amount to that."""

        async def comes_to() -> bool:
            return await self.total(number) == total

        await until(comes_to, f"build {number} comes to {total}")


@asynccontextmanager
async def kept(log: Log, view: View | None = None, shards: int = 1) -> AsyncIterator[Worker]:
    """Inside, a worker keeps the view, whose first build is live."""
    async with log.sealing(), Worker(log, view or tally_view(log.service)).running(shards) as worker:
        await worker.until_live(1)
        yield worker


async def begin(log: Log, view: View) -> Build:
    """A build that was asked for just now."""
    async with log.engine.begin() as tx:
        return await Builds(view).begin(tx, log.clock.now())


async def rows(log: Log, build: Build) -> dict[str, TallyRow]:
    """What the build says now."""
    table = build.table("tallies")
    async with log.engine.connect() as connection:
        found = await connection.execute(select(table).where(known_at(table, None)))
        return {each["key"]: row_of(tallies, each) for each in found.mappings()}
