"""After a restore: it is declared, and what the restored log lost is accepted for the reactions that it stopped."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from steerco_events.archive.lines import decoded
from steerco_events.archive.verifying import verify
from steerco_events.consuming.reactions import Order, Reaction, Sight
from steerco_events.contracts.risk import RiskClosed
from steerco_events.envelope import Recorded
from steerco_events.ids import derived_id
from steerco_events.positions import PARTITIONS
from steerco_events.testkit.logs import until
from steerco_servers.testing import TemporaryPostgres
from steerco_service.testkit.serving import TESTER, Served, log_only, serving

RISK = derived_id("risk", 1)
NAME = "heed_risk_on_risk_closed"
ACCEPT = f"/log/reactions/{NAME}/accept-loss"
ACCEPTED = f"/log/reactions/{NAME}/accepted-losses"
REASON = {"reason": "The disk was lost"}


async def heed(_: Sight, __: Recorded) -> Sequence[Order]:
    return []


HEEDING = replace(log_only("training"), reactions=(Reaction(NAME, "risk", heed),))


@asynccontextmanager
async def heeding(postgres: TemporaryPostgres) -> AsyncIterator[Served]:
    """The log of risk with four events, and a service whose reaction has read them."""
    async with serving([log_only("risk"), HEEDING], postgres) as served:
        await close_risks(served, 4)
        yield served


@pytest.fixture
async def served(postgres: TemporaryPostgres) -> AsyncIterator[Served]:
    """For a spec that restores."""
    async with heeding(postgres) as served:
        yield served


@pytest.fixture(scope="module")
async def unrestored(postgres: TemporaryPostgres) -> AsyncIterator[Served]:
    """For all specs that are only refused."""
    async with heeding(postgres) as served:
        yield served


async def close_risks(served: Served, count: int) -> None:
    for _ in range(count):
        await served.append("risk", "risk-1", RiskClosed(risk_id=RISK, project_id=RISK))
    await served.settled()


async def stopped(served: Served, kept: int) -> None:
    """Let the reaction meet that the log of risk goes on after a position in a new generation."""
    query = "INSERT INTO log.generations SELECT 2, :kept, system_identifier, timeline_id FROM log.generations"
    async with served.runtime("risk").engine.begin() as tx:
        await tx.execute(text(query), {"kept": kept})
    served.runtime("risk").signals.sealed.notify()

    async def has_learned() -> bool:
        query = "SELECT began FROM log.checkpoints WHERE consumer = :name"
        async with served.runtime("training").engine.connect() as connection:
            return list((await connection.execute(text(query), {"name": NAME})).scalar_one()) == [0, kept]

    await until(has_learned, "the reaction has met the restore")


async def reaction(training: httpx.AsyncClient) -> Any:
    """How far it has come."""
    (state,) = (await training.get("/log")).json()["reactions"]
    return state


async def test_a_restore_that_is_declared_begins_a_generation_and_the_log_stays_what_was_sealed(served: Served) -> None:
    risk = await served.client("risk")
    answer = await risk.post("/log/restored")
    generations = [{"generation": 1, "from_position": 0}, {"generation": 2, "from_position": 4}]
    assert (answer.status_code, answer.json()["generations"]) == (200, generations)
    await close_risks(served, 2)
    assert [event["loggeneration"] for event in (await risk.get("/events")).json()] == ["1"] * 4 + ["2"] * 2
    lines = (await risk.get("/log/archive")).content.splitlines()
    registry = served.runtime("risk").registry
    assert verify([decoded(line, registry, n) for n, line in enumerate(lines, 1)]).events == 6


async def test_a_reaction_that_a_restore_stopped_goes_on_when_the_loss_is_accepted(served: Served) -> None:
    training = await served.client("training")
    await stopped(served, kept=2)
    answer = await training.post(ACCEPT, json=REASON)
    loss = answer.json()
    assert (answer.status_code, loss["accepted_by"]) == (200, str(TESTER.actor.id))
    assert (loss["reaction"], loss["service"], loss["reason"]) == (NAME, "risk", REASON["reason"])
    assert (loss["from_generation"], loss["from_positions"]) == (1, [4] * PARTITIONS)
    assert (loss["generation"], loss["kept"]) == (2, 2)
    await close_risks(served, 1)
    state = await reaction(training)
    assert (state["generation"], state["positions"]) == (2, [5] * PARTITIONS)
    assert (await training.get(ACCEPTED)).json() == [loss]


async def test_a_loss_that_is_accepted_again_is_the_one_that_was(served: Served) -> None:
    training = await served.client("training")
    await stopped(served, kept=2)
    loss = (await training.post(ACCEPT, json=REASON)).json()
    await close_risks(served, 1)
    again = await training.post(ACCEPT, json={"reason": "It was"})
    assert (again.status_code, again.json()) == (200, loss)
    assert (await reaction(training))["positions"] == [5] * PARTITIONS


async def test_a_reaction_that_did_not_stop_for_a_restore_has_nothing_to_accept(unrestored: Served) -> None:
    training = await unrestored.client("training")
    before = await reaction(training)
    answer = await training.post(ACCEPT, json=REASON)
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:steerco:problem:nothing-lost")
    assert f"{NAME} did not stop for a restore of risk" in answer.json()["detail"]
    assert (await reaction(training), (await training.get(ACCEPTED)).json()) == (before, [])


async def test_a_reaction_that_is_not_there_is_named_with_those_that_are(unrestored: Served) -> None:
    training = await unrestored.client("training")
    for answer in (
        await training.post("/log/reactions/nothing/accept-loss", json=REASON),
        await training.get("/log/reactions/nothing/accepted-losses"),
    ):
        assert (answer.status_code, answer.json()["type"]) == (404, "urn:steerco:problem:unknown-reaction")
        assert f"it has {NAME}" in answer.json()["detail"]


@pytest.mark.parametrize("body", [{}, {"reason": " "}, {"reason": "a\nb"}, {"reason": "x", "all": True}])
async def test_a_loss_is_accepted_with_a_reason(unrestored: Served, body: dict[str, object]) -> None:
    assert (await (await unrestored.client("training")).post(ACCEPT, json=body)).status_code == 422


async def test_only_who_has_a_token_accepts_a_loss(unrestored: Served) -> None:
    transport = httpx.ASGITransport(unrestored.apps["training"])
    async with httpx.AsyncClient(transport=transport, base_url="http://training") as anyone:
        assert (await anyone.post(ACCEPT, json=REASON)).status_code == 401
