"""A person who stands in for another is of the unit as long as the other is: not once the original was ended."""

from collections.abc import AsyncIterator

import httpx
import pytest

from steerco_events.clock import SystemClock
from steerco_servers.testing import TemporaryPostgres
from steerco_service.identity.principal import Principal
from steerco_service.testkit.scopes import NORTH, appointed, end, made, organized, somebody
from steerco_service.testkit.serving import TESTER, Served, serving
from steerco_training.app import SERVICE


@pytest.fixture(scope="module")
async def served(postgres: TemporaryPostgres) -> AsyncIterator[Served]:
    async with serving([SERVICE], postgres) as running:
        await organized(running)
        yield running


async def records(served: Served, by: Principal, deputy: Principal) -> httpx.Response:
    today = str(SystemClock().now().date())
    body = {"person_id": str(deputy.actor.id), "course": "risk-essentials", "completed_on": today}
    return await (await served.client("training", by)).post("/completions", json=body)


async def sees(served: Served, by: Principal, deputy: Principal) -> tuple[int, int]:
    """How many completions of the deputy are in the list, and in the deputy's own record."""
    await served.settled()
    client, person_id = await served.client("training", by), str(deputy.actor.id)
    listed = (await client.get("/completions", params={"person_id": person_id})).json()
    return len(listed), len((await client.get(f"/learners/{person_id}")).json()["completions"])


async def test_a_deputy_is_of_the_unit_until_the_original_was_ended(served: Served) -> None:
    coordinator, deputy, original = somebody(), somebody(), made(somebody(), "pmo_officer", NORTH)
    standing_in = made(deputy, "pmo_officer", NORTH, delegated_from=original.appointment_id)
    await appointed(served, made(coordinator, "training_coordinator", NORTH), original, standing_in)
    assert (await records(served, coordinator, deputy)).status_code == 201
    assert await sees(served, coordinator, deputy) == (1, 1)
    await end(served, original)
    assert await sees(served, coordinator, deputy) == (0, 0)
    answer = await records(served, coordinator, deputy)
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:steerco:problem:unknown-person")
    assert (await records(served, TESTER, deputy)).status_code == 201
