"""What a leader leaves is done by its standby at once, however long the lease would have lasted."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from steerco_events.postgres.lease import Lease, let_go
from steerco_events.postgres.sealer import Sealer
from steerco_events.postgres.wakeups import LEASES, listen
from steerco_events.relay import Relay
from steerco_events.sealing import Sealing
from steerco_events.signals import Signal
from steerco_events.testkit.logs import running, until
from steerco_events.testkit.timed import NOON, Timed, desk, timed_log, timetable
from steerco_events.testkit.wires import Wire
from steerco_events.timing.runner import TimerRunner
from steerco_servers.testing import TemporaryPostgres

LONG = timedelta(hours=1)
"""A third of it, after which a standby looks by itself, is longer than any test waits."""

ASKS_IN_VAIN = "SELECT extract(epoch FROM expires_at"
"""What a standby asks once it was refused a lease: for how long."""

type Run = Callable[[], Awaitable[None]]


@pytest.fixture
async def timed(postgres: TemporaryPostgres) -> AsyncIterator[Timed]:
    async with timed_log(postgres) as timed:
        yield timed


@dataclass
class Standby:
    """A worker with a connection of its own, which knows of another's lease by the database alone."""

    timed: Timed
    engine: AsyncEngine = field(init=False)
    leases: Signal = field(default_factory=Signal)
    waits: bool = False

    def __post_init__(self) -> None:
        self.engine = create_async_engine(self.timed.log.urls.app_url, poolclass=NullPool)
        event.listen(self.engine.sync_engine, "before_cursor_execute", self._note)

    def _note(self, *arguments: Any) -> None:
        self.waits = self.waits or arguments[2].startswith(ASKS_IN_VAIN)

    async def is_waiting(self) -> bool:
        return self.waits

    def lease(self, name: str) -> Lease:
        return Lease(name, LONG, leases=self.leases)


def sealer(standby: Standby) -> Run:
    log = standby.timed.log
    return Sealing(Sealer(standby.engine, log.clock, standby.lease("sealer")), log.appended, log.sealed, LONG).run


def relay(standby: Standby) -> Run:
    return Relay(standby.engine, standby.timed.log.feed(), Wire(), LONG, standby.leases).run


def timers(standby: Standby) -> Run:
    log = standby.timed.log
    return TimerRunner(timetable(), standby.engine, log.store, log.clock, log.appended, standby.lease("timers")).run


@pytest.mark.parametrize("duty", [sealer, relay, timers], ids=lambda duty: duty.__name__)
async def test_a_standby_takes_over_as_soon_as_the_leader_leaves(timed: Timed, duty: Callable[[Standby], Run]) -> None:
    leader, standby, log = Lease(duty.__name__, LONG), Standby(timed), timed.log
    await timed.set_all([desk()], NOON)
    async with log.engine.begin() as tx:
        assert await leader.acquire(tx)

    async def is_led_anew() -> bool:
        query = text("SELECT epoch FROM log.leases WHERE name = :name")
        async with log.engine.connect() as connection:
            epoch: int = (await connection.execute(query, {"name": leader.name})).scalar_one()
        return epoch > leader.epoch

    async with running(duty(standby), partial(listen, log.urls.app_url, {LEASES: standby.leases})):
        await until(standby.is_waiting, "the standby was refused the lease")
        assert not await is_led_anew()
        await let_go(log.engine, leader)
        await until(is_led_anew, "the standby leads")
