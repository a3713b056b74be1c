"""A log is received for a unit page by page, and what broke off goes on where it was."""

from collections.abc import AsyncIterator, Sequence

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from steerco_events.contracts.catalog import CATALOG
from steerco_events.envelope import Recorded
from steerco_events.ports import Cursor
from steerco_events.postgres.lease_keeper import LeaseKeeper
from steerco_events.signals import Signal
from steerco_events.testkit.logs import Log, fresh_log
from steerco_servers.testing import TemporaryPostgres
from steerco_service.mirror.feed import MirrorFeed
from steerco_service.mirror.mirroring import Mirroring
from steerco_service.mirror.settings import Source
from steerco_service.mirror.source import ScopedSource
from steerco_service.mirror.store import Mirror, Reached
from steerco_service.testkit.mirrored import make_mirror_tables
from steerco_service.testkit.shares import INSIDE, LIC, MOVING, SUP, Ground, share_page, share_pages, two_units

SOURCE = Source("LIC", "http://pmo.example")
STRETCH = 20


@pytest.fixture(scope="module")
async def ground(postgres: TemporaryPostgres) -> AsyncIterator[Ground]:
    async with two_units(postgres) as found:
        yield found


@pytest.fixture
async def log(postgres: TemporaryPostgres) -> AsyncIterator[Log]:
    async with fresh_log(postgres, CATALOG) as log:
        await make_mirror_tables(log.urls.owner_url, log.urls.name)
        yield log


class Way(httpx.AsyncBaseTransport):
    """The way to the enterprise; it is cut once `lets` requests have passed, until so many more were `lost`."""

    def __init__(self, ground: Ground) -> None:
        gateway = Starlette(routes=[Mount(f"/{name}", app) for name, app in ground.served.apps.items()])
        self._whole = httpx.ASGITransport(gateway)
        self.lets: float = float("inf")
        self.lost: float = float("inf")

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.lets -= 1
        if -self.lost <= self.lets < 0:
            raise httpx.ConnectError("the way is cut")
        return await self._whole.handle_async_request(request)


class Unit:
    """What a deployment for a unit has of portfolio's log, and how it gets it."""

    def __init__(self, ground: Ground, log: Log) -> None:
        self._token = ground.machine.headers["Authorization"].removeprefix("Bearer ")
        self._engine = log.engine
        self._mirroring = Mirroring("portfolio", SOURCE, self._tokens, log.engine, LeaseKeeper(log.engine), Signal())
        self.way = Way(ground)
        self._client = httpx.AsyncClient(transport=self.way)

    async def _tokens(self) -> str:
        return self._token

    async def step(self) -> bool:
        return await self._mirroring.step(ScopedSource(SOURCE, "portfolio", self._tokens, self._client))

    async def reached(self) -> Reached:
        async with self._engine.connect() as connection:
            return await Mirror("portfolio", SOURCE.scope, SOURCE.url).reached(connection)

    async def received(self) -> Sequence[Recorded]:
        return (await MirrorFeed("portfolio", self._engine, CATALOG, Signal()).read(Cursor(), 1000)).events


async def test_a_history_that_breaks_off_is_kept_as_far_as_it_came_and_is_whole_in_the_end(
    ground: Ground, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("steerco_service.scoped.histories.SCANNED_AT_MOST", STRETCH)
    monkeypatch.setattr("steerco_service.mirror.source.PATIENCE_SECONDS", 0)
    unit, stream = Unit(ground, log), f"project-{MOVING}"
    for project, at in ((MOVING, SUP), (INSIDE, LIC), (MOVING, SUP)):
        await ground.renames(project, at, 2 * STRETCH)
    assert await unit.step()
    before = await unit.reached()
    await share_page(ground.office, seen=await ground.moves(SUP, LIC))

    unit.way.lets = 3
    with pytest.raises(httpx.ConnectError):
        await unit.step()
    broken = await unit.reached()
    assert broken.after == before.after
    assert broken.complete_to == before.complete_to
    assert before.position < broken.position <= before.position + 2 * STRETCH

    unit.way.lets = float("inf")
    assert await unit.step()
    pages = await share_pages(ground.office, subject=stream)
    assert [] in [page.events for page in pages]
    received = [each for each in await unit.received() if each.stream == stream]
    assert [str(each.id) for each in received] == [each["id"] for page in pages for each in page.events]
    assert [each.stream_version for each in received] == list(range(1, len(received) + 1))
    assert (await unit.reached()).position == len(await unit.received())


async def test_a_history_waits_for_a_source_that_is_away_for_a_moment(
    ground: Ground, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("steerco_service.scoped.histories.SCANNED_AT_MOST", STRETCH)
    monkeypatch.setattr("steerco_service.mirror.source.PAUSE_SECONDS", 0)
    unit = Unit(ground, log)
    await ground.moves(LIC, SUP)
    while not await unit.step():
        pass
    await share_page(ground.office, seen=await ground.moves(SUP, LIC))
    unit.way.lets, unit.way.lost = 3, 2
    assert await unit.step()
    assert unit.way.lets < -2
