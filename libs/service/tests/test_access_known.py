"""How much a service knows of units and appointments: while that is too old, or nothing yet, nobody may act."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import httpx

from steerco_events.clock import ShiftedClock, SystemClock
from steerco_events.contracts.portfolio import PORTFOLIO
from steerco_events.envelope import Recorded
from steerco_events.ports import Cursor
from steerco_events.projections.fold import apply
from steerco_events.testkit.recorded import BEGIN, log_of
from steerco_servers.testing import TemporaryPostgres
from steerco_service.access.access import STALE_AFTER, Access
from steerco_service.factory import create_app
from steerco_service.testkit.scopes import (
    ENTERPRISE,
    HARBOR,
    NORTH,
    SCOPES,
    appointed,
    made,
    organized,
    somebody,
    unit_opened,
)
from steerco_service.testkit.serving import FOR_EVER, serving
from steerco_service.testkit.unattended import client_of, gone_live, unattended


async def is_unknown(client: httpx.AsyncClient, path: str, why: str) -> None:
    """The answer is that it can't be told who may do this."""
    answer = await client.get(path)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert answer.json()["type"] == "urn:steerco:problem:access-unknown"
    assert why in answer.json()["detail"]


async def test_what_is_known_too_long_ago_lets_nobody_act_and_the_service_is_not_ready(
    postgres: TemporaryPostgres,
) -> None:
    async with serving([SCOPES], postgres) as served:
        await organized(served)
        person, clock = somebody(), ShiftedClock(SystemClock())
        await appointed(served, made(person))
        app = served.apart("scopes", clock=clock, stale_after=STALE_AFTER)
        async with client_of(app, served.issuer, person) as client:
            for path in ("/scope", "/readyz"):
                assert (await client.get(path)).status_code == 200
            clock.set(SystemClock().now() + STALE_AFTER + timedelta(minutes=1))
            for path in ("/scope", "/readyz"):
                await is_unknown(client, path, "what is known of units and appointments is 66")
            assert (await client.get("/livez")).status_code == 204


async def test_while_the_view_is_made_for_the_first_time_nobody_may_act(postgres: TemporaryPostgres) -> None:
    async with unattended(postgres) as (runtime, issuer), client_of(create_app(runtime), issuer, somebody()) as client:
        await is_unknown(client, "/scope", "is being built")


async def test_while_nothing_of_portfolio_s_log_was_read_nobody_may_act_and_the_service_is_not_ready(
    postgres: TemporaryPostgres,
) -> None:
    async with unattended(postgres) as (runtime, issuer), client_of(create_app(runtime), issuer, somebody()) as client:
        await gone_live(runtime)
        for path in ("/scope", "/readyz"):
            await is_unknown(client, path, "the log of portfolio was not read yet")


@asynccontextmanager
async def read_step_by_step(postgres: TemporaryPostgres) -> AsyncIterator[tuple[Access, Iterator[Awaitable[None]]]]:
    """What is known of units that were opened in one seal, and the steps by which they come into the view."""
    units = [(ENTERPRISE, None, "ALL"), (NORTH, ENTERPRISE, "NORTH"), (HARBOR, NORTH, "HARBOR")]
    events = log_of([[("organization", unit_opened(*each)) for each in units]], "portfolio", PORTFOLIO)
    async with unattended(postgres) as (idle, _):
        runtime, build = replace(idle, stale_after=FOR_EVER), await gone_live(idle)
        async with runtime.engine.begin() as tx:
            await build.checkpoints.advance(tx, "portfolio", Cursor(), Cursor(generation=1, watermark=BEGIN))

        async def step(event: Recorded) -> None:
            async with runtime.engine.begin() as tx:
                await apply(tx, build, [event])

        yield runtime.access, map(step, events)


async def test_units_of_one_seal_are_all_known_also_when_they_come_one_after_the_other(
    postgres: TemporaryPostgres,
) -> None:
    async with read_step_by_step(postgres) as (access, steps):
        for count, step in enumerate(steps, 1):
            await step
            assert len((await access.organization(fresh=True)).tree.parents) == count


async def test_who_asks_afresh_is_not_given_what_another_began_to_read_before(postgres: TemporaryPostgres) -> None:
    async with read_step_by_step(postgres) as (access, steps):
        await next(steps)
        async with access._reading:
            begun = await access._read(None)
            for step in steps:
                await step
            asked = asyncio.create_task(access.organization(fresh=True))
            await asyncio.sleep(0)
            access._organization = begun
        assert set((await asked).codes) == {"ALL", "NORTH", "HARBOR"}
