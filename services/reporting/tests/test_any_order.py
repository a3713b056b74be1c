"""Against a real database: deliveries of any order give the same rows; an answer as of an instant is that of its cut.

The same without a database, for all views and for any history: `tests/contracts/test_any_order.py`.
"""

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta
from itertools import groupby
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from steerco_events.clock import ManualClock
from steerco_events.envelope import Recorded
from steerco_events.ports import Cursor
from steerco_events.projections.builds import Build, Builds
from steerco_events.projections.fold import apply
from steerco_events.projections.model import View
from steerco_events.testkit.deliveries import deliveries
from steerco_reporting.app import PORTFOLIO_REGISTER, SERVICE
from steerco_servers.testing import TemporaryPostgres
from steerco_service.testkit.serving import Served, log_only, serving

DELIVERED = View("delivered", 1, PORTFOLIO_REGISTER.services, PORTFOLIO_REGISTER.projections)
QUESTIONS = (
    "/portfolio?by=month&over=true",
    "/portfolio?scope=LIC",
    "/portfolio?scope=SUP",
    "/register",
    "/appointments?ever=true",
    "/appointments?scope=SUP",
    "/stories/R-1",
)
INSTANT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(?:Z|\+00:00)")
APART = {"watermark", "complete", "event_id", "trace_id"}
"""How far the logs are watched, and identifiers: what two editions can't share."""


@pytest.fixture(scope="module")
async def told(served: Served) -> Sequence[Recorded]:
    """The logs of all services, as reporting is given them."""
    found: list[Recorded] = []
    for service in PORTFOLIO_REGISTER.services:
        feed = served.runtime("reporting").open_feed(service)
        found.extend((await feed.read(Cursor(), 1000)).events)
        await feed.close()
    return found


async def rows(connection: AsyncConnection, build: Build) -> Mapping[str, Sequence[object]]:
    """Every row of every table, all columns."""
    return {
        each.name: (await connection.execute(select(table).order_by(table.c.key, table.c.sealed_from))).all()
        for each in build.view.projections
        for table in (build.table(each.name),)
    }


@given(data=st.data())
@settings(max_examples=6, deadline=None)
async def test_interleavings_batches_and_repetitions_leave_the_rows_of_the_live_view(
    served: Served, told: Sequence[Recorded], data: st.DataObject
) -> None:
    delivery = data.draw(deliveries(st.just(told)))
    runtime = served.runtime("reporting")
    async with runtime.engine.connect() as connection:
        build = await Builds(DELIVERED).begin(connection, runtime.clock.now())
        for batch in delivery.batches:
            await apply(connection, build, batch)
        assert await rows(connection, build) == await rows(connection, await runtime.builds.live(connection))
        await connection.rollback()


@pytest.fixture(scope="module")
async def retold_clock(told: Sequence[Recorded]) -> ManualClock:
    """Before everything that was told: a quiet log's watermark follows the clock, and nothing is sealed behind it."""
    return ManualClock(min(event.sealed_at for event in told) - timedelta(days=1))


@pytest.fixture(scope="module")
async def retold(postgres: TemporaryPostgres, retold_clock: ManualClock) -> AsyncIterator[Served]:
    """An edition whose logs are empty."""
    async with serving([SERVICE, *map(log_only, PORTFOLIO_REGISTER.services)], postgres, retold_clock) as running:
        yield running


def shared(value: Any) -> Any:
    """An answer without what is apart, its instants to the second.

    One append may be sealed in two seals, so how many microseconds lie between what one day told is not promised.
    """
    match value:
        case str() if instant := INSTANT.fullmatch(value):
            return instant[1]
        case dict():
            return {name: shared(each) for name, each in value.items() if name not in APART}
        case list():
            return [shared(each) for each in value]
        case _:
            return value


async def said(client: httpx.AsyncClient, question: str, **params: str) -> tuple[int, Any]:
    answer = await client.get(httpx.URL(question).copy_merge_params(params))
    return answer.status_code, shared(answer.json())


async def test_an_answer_as_of_an_instant_is_that_of_an_edition_with_the_events_of_the_cut(
    reporting: httpx.AsyncClient, told: Sequence[Recorded], retold: Served, retold_clock: ManualClock
) -> None:
    fresh = await retold.client("reporting")
    in_time = sorted(told, key=lambda event: (event.sealed_at, event.service, event.position))
    for _, of_day in groupby(in_time, key=lambda event: event.sealed_at.date()):
        for (at, service, stream), sealed in groupby(
            of_day, key=lambda each: (each.sealed_at, each.service, each.stream)
        ):
            events = list(sealed)
            retold_clock.set(at)
            payloads = (each.payload for each in events)
            about = events[0]
            await retold.append(service, stream, *payloads, reason=about.reason, behalf=about.on_behalf_of)
            await retold.settled()
        for question in QUESTIONS:
            as_of = retold_clock.now().isoformat()
            assert await said(fresh, question) == await said(reporting, question, as_of=as_of), f"{question} at {as_of}"
