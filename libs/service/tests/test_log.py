"""The log as operations see it: whether it is published is said by who hosts it, whatever an earlier host has left."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text

from steerco_events.contracts.catalog import CATALOG
from steerco_events.contracts.risk import RiskClosed
from steerco_events.envelope import Context
from steerco_events.ids import derived_id, new_id
from steerco_events.ports import Cursor
from steerco_events.positions import PARTITIONS
from steerco_events.postgres.checkpoints import Checkpoints
from steerco_events.postgres.store import Write
from steerco_events.relay import CONSUMER
from steerco_servers.testing import TemporaryPostgres
from steerco_service.factory import create_app
from steerco_service.identity.issuer import Issuer
from steerco_service.process import Process
from steerco_service.settings import ServiceSettings
from steerco_service.testkit.serving import TESTER, Served, log_only, serving

RISK = derived_id("risk", 1)
PUBLISHED = 2


@asynccontextmanager
async def once_relayed(postgres: TemporaryPostgres) -> AsyncIterator[Served]:
    """In one process, the log of risk with three events; a relay that once led here has published two of them."""
    async with serving([log_only("risk")], postgres) as served:
        for _ in range(3):
            await served.append("risk", "risk-1", RiskClosed(risk_id=RISK, project_id=RISK))
        await served.settled()
        async with served.runtime("risk").engine.begin() as tx:
            lease = "INSERT INTO log.leases (name, holder, epoch, expires_at) VALUES ('relay', :holder, 1, now())"
            await tx.execute(text(lease), {"holder": RISK})
            published = Cursor(1, (PUBLISHED,) * PARTITIONS)
            await Checkpoints(CONSUMER).advance(tx, "risk", Cursor(), published)
        yield served


@pytest.fixture(scope="module")
async def served(postgres: TemporaryPostgres) -> AsyncIterator[Served]:
    """For all specs that leave it as it is."""
    async with once_relayed(postgres) as served:
        yield served


@pytest.fixture
async def alone(postgres: TemporaryPostgres) -> AsyncIterator[Served]:
    """For a spec that publishes anew or forgets what was published."""
    async with once_relayed(postgres) as alone:
        yield alone


@pytest.fixture
async def process(alone: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx.AsyncClient]:
    """The same log, hosted by a process of its own."""
    issuer, key = Issuer.generate(), tmp_path / "issuer.json"
    key.write_text(json.dumps(issuer.public()))
    url = alone.runtime("risk").engine.url.render_as_string(hide_password=False)
    monkeypatch.setenv("STEERCO_DATABASE_URL", url)
    monkeypatch.setenv("STEERCO_ISSUER_KEY", str(key))
    monkeypatch.setenv("STEERCO_GROUP_ROLES", "testers=pmo_admin")
    runtime = Process(log_only("risk"), ServiceSettings(), CATALOG).runtime
    token = issuer.token(TESTER, runtime.clock.now(), timedelta(hours=1))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(create_app(runtime)),
        base_url="http://risk",
        headers={"Authorization": f"Bearer {token}"},
    ) as client:
        yield client
    await runtime.close()


async def test_it_says_how_far_each_partition_is_which_together_are_the_log(served: Served) -> None:
    state = (await (await served.client("risk")).get("/log")).json()
    assert len(state["positions"]) == PARTITIONS
    assert (max(state["positions"]), state["positions"].count(0)) == (state["position"], PARTITIONS - 1)


async def published(served: Served) -> int:
    """How far the relay's checkpoint is."""
    async with served.runtime("risk").engine.connect() as connection:
        return min((await Checkpoints(CONSUMER).load(connection, "risk")).positions)


async def test_a_log_that_is_read_from_its_store_is_not_published_even_where_it_once_was(served: Served) -> None:
    risk = await served.client("risk")
    assert (await risk.get("/log")).json()["relay"] is None
    answer = await risk.post("/log/republish")
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:steerco:problem:no-topic")
    assert await published(served) == PUBLISHED


async def test_a_process_says_how_far_its_log_is_published_and_publishes_it_again(
    alone: Served, process: httpx.AsyncClient
) -> None:
    assert (await process.get("/log")).json()["relay"] == {"position": PUBLISHED, "behind": 1}
    answer = await process.post("/log/republish")
    assert (answer.status_code, answer.json()["relay"]) == (202, {"position": 0, "behind": 3})
    assert await published(alone) == 0


async def test_a_process_whose_relay_never_led_has_all_to_publish(alone: Served, process: httpx.AsyncClient) -> None:
    async with alone.runtime("risk").engine.begin() as tx:
        await tx.execute(text("DELETE FROM log.leases WHERE name = 'relay'"))
        await Checkpoints(CONSUMER).forget(tx)
    assert (await process.get("/log")).json()["relay"] == {"position": 0, "behind": 3}


async def test_it_says_since_when_an_append_is_open_that_the_seals_wait_for(served: Served) -> None:
    client, runtime = await served.client("risk"), served.runtime("risk")
    assert (await client.get("/log")).json()["open_since"] is None
    async with runtime.engine.connect() as connection:
        began = (await connection.execute(text("SELECT now()"))).scalar_one()
        closed = Write("risk-2", 0, [RiskClosed(risk_id=RISK, project_id=RISK)])
        context = Context(new_id(), TESTER.actor, "tests", runtime.clock.now(), new_id(), new_id())
        await runtime.store.append(connection, [closed], context)
        state = (await client.get("/log")).json()
        assert datetime.fromisoformat(state["open_since"]) == began
        assert state["unsealed"] == 1
    assert (await client.get("/log")).json()["open_since"] is None


@pytest.mark.parametrize("query", [f"until={2**63}", f"after={2**64}", "until=0", "after=-1", "after=x"])
async def test_an_archive_begins_and_ends_at_positions_that_a_log_may_have(served: Served, query: str) -> None:
    answer = await (await served.client("risk")).get(f"/log/archive?{query}")
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:steerco:problem:invalid-request")
