"""After a restore, whoever was erased is erased: in the keys when those came back, in the log when that is older."""

from uuid import UUID

import httpx
from sqlalchemy import text

from steerco_events.clock import SystemClock
from steerco_events.ids import derived_id, new_id
from steerco_portfolio.reactions.apply_erasures_on_start import apply_erasures_on_start
from steerco_service.privacy.key_database import KeyDatabase
from steerco_service.testkit.serving import Served

LIC = str(derived_id("unit", "LIC"))


async def registered(portfolio: httpx.AsyncClient) -> UUID:
    answer = await portfolio.post("/people", json={"name": "Grace Hopper", "unit_id": LIC})
    return UUID(answer.json()["id"])


def keys_of(served: Served) -> KeyDatabase:
    keys = served.runtime("portfolio").key_database
    assert keys
    return keys


async def test_a_key_that_came_back_is_forgotten_again(served: Served, portfolio: httpx.AsyncClient) -> None:
    grace, keys = await registered(portfolio), keys_of(served)
    key = (await keys.find([grace]))[grace]
    await portfolio.post(f"/people/{grace}/erasure", json={"reason": "Asked for it"})
    async with keys.engine.begin() as connection:
        restored = text("INSERT INTO privacy.keys VALUES (:subject, :key, :at)")
        await connection.execute(restored, {"subject": grace, "key": key, "at": SystemClock().now()})
    assert (await portfolio.get(f"/people/{grace}")).json()["withheld"] == "erased"
    await apply_erasures_on_start(served.runtime("portfolio"))
    assert await keys.find([grace]) == {}


async def test_who_is_in_an_older_log_is_erased_in_it_again(served: Served, portfolio: httpx.AsyncClient) -> None:
    grace, never_there = await registered(portfolio), new_id()
    await keys_of(served).forget([grace, never_there], SystemClock().now())
    assert (await portfolio.get(f"/people/{grace}")).json()["withheld"] == "unavailable"
    for _ in range(2):
        await apply_erasures_on_start(served.runtime("portfolio"))
    answer = await portfolio.get(f"/people/{grace}")
    assert (answer.headers["ETag"], answer.json()["withheld"]) == ('"2"', "erased")
    assert (await portfolio.get(f"/people/{never_there}")).status_code == 404
