"""Somebody administers the whole enterprise: the last appointment of that kind can't be ended, over HTTP."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import httpx
import pytest

from steerco_events.ids import new_id
from steerco_portfolio.app import SERVICE
from steerco_portfolio.reactions.appoint_first_admin_on_first_start import FIRST
from steerco_servers.testing import TemporaryPostgres
from steerco_service.testkit.scopes import ENTERPRISE, NORTH, organized
from steerco_service.testkit.serving import Served, log_only, serving

LAST = f"/appointments/{FIRST}"
END = {"reason": "Moves on"}


@asynccontextmanager
async def administered(postgres: TemporaryPostgres) -> AsyncIterator[Served]:
    """With one administrator: who was named for the first start."""
    async with serving([SERVICE, log_only("intake")], postgres) as running:
        await organized(running)
        yield running


@pytest.fixture(scope="module")
async def served(postgres: TemporaryPostgres) -> AsyncIterator[Served]:
    """For all specs after which that one is again the only one."""
    async with administered(postgres) as running:
        yield running


@pytest.fixture(scope="module")
async def portfolio(served: Served) -> httpx.AsyncClient:
    return await served.client("portfolio")


@pytest.fixture
async def alone(postgres: TemporaryPostgres) -> AsyncIterator[Served]:
    """For a spec that ends the first administrator's appointment."""
    async with administered(postgres) as running:
        yield running


async def appointed(served: Served, portfolio: httpx.AsyncClient, **changes: object) -> str:
    """Somebody's appointment, once it is known."""
    today = served.runtime("portfolio").clock.now().date()
    body = {"person_id": str(new_id()), "role": "pmo_admin", "from_on": str(today)} | changes
    answer = await portfolio.post("/appointments", json=body)
    assert answer.status_code == 201, answer.text
    await served.settled()
    location: str = answer.headers["Location"]
    return location


async def is_kept(portfolio: httpx.AsyncClient) -> bool:
    """Whether ending the first administrator's appointment is refused."""
    answer = await portfolio.post(f"{LAST}/end", json=END)
    if answer.status_code == 204:
        return False
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:steerco:problem:last-administrator")
    return True


async def test_the_last_administrator_is_not_ended_before_there_is_another(alone: Served) -> None:
    portfolio = await alone.client("portfolio")
    assert await is_kept(portfolio)
    other = await appointed(alone, portfolio)
    assert not await is_kept(portfolio)
    await alone.settled()
    answer = await portfolio.post(f"{other}/end", json=END)
    assert answer.json()["type"] == "urn:steerco:problem:last-administrator"


async def test_the_last_administrator_does_not_get_an_end(served: Served, portfolio: httpx.AsyncClient) -> None:
    term = {"from_on": (await portfolio.get(LAST)).json()["from_on"], "until_on": "2999-12-31"}
    answer = await portfolio.put(f"{LAST}/term", json=term)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (409, "/until_on")
    other = await appointed(served, portfolio)
    assert (await portfolio.put(f"{LAST}/term", json=term)).status_code == 204
    assert (await portfolio.put(f"{LAST}/term", json=term | {"until_on": None})).status_code == 204
    await served.settled()
    assert (await portfolio.post(f"{other}/end", json=END)).status_code == 204
    await served.settled()


async def test_who_administers_the_unit_above_all_administers_the_whole(alone: Served) -> None:
    portfolio = await alone.client("portfolio")
    await appointed(alone, portfolio, unit_id=str(ENTERPRISE))
    assert not await is_kept(portfolio)


async def test_who_administers_a_part_has_an_end_or_begins_later_does_not_keep_the_whole(
    served: Served, portfolio: httpx.AsyncClient
) -> None:
    later = served.runtime("portfolio").clock.now().date() + timedelta(days=2)
    for other in ({"unit_id": str(NORTH)}, {"until_on": "2999-12-31"}, {"from_on": str(later)}, {"role": "auditor"}):
        location = await appointed(served, portfolio, **other)
        assert await is_kept(portfolio)
        assert (await portfolio.post(f"{location}/end", json=END)).status_code == 204
    await served.settled()


async def test_who_stands_in_for_the_last_administrator_does_not_keep_the_whole_and_may_be_ended(
    served: Served, portfolio: httpx.AsyncClient
) -> None:
    today = str(served.runtime("portfolio").clock.now().date())
    body = {"person_id": str(new_id()), "from_on": today, "until_on": "2999-12-31"}
    deputy = await portfolio.post(f"{LAST}/delegations", json=body)
    await served.settled()
    assert await is_kept(portfolio)
    assert (await portfolio.post(f"/appointments/{deputy.json()['id']}/end", json=END)).status_code == 204
