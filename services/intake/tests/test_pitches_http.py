"""Pitches over HTTP, against a real database."""

from collections.abc import AsyncIterator
from uuid import UUID

import httpx
import pytest

from steerco_events.contracts import portfolio
from steerco_events.ids import new_id
from steerco_intake.app import SERVICE
from steerco_servers.testing import TemporaryPostgres
from steerco_service.testkit.serving import Served, log_only, serving

UNIT = new_id()
FIELDS = {"problem": "Paper.", "outcome": "One register.", "sponsor": "Director of Licensing"}


@pytest.fixture(scope="module")
async def served(postgres: TemporaryPostgres) -> AsyncIterator[Served]:
    async with serving([SERVICE, log_only("portfolio")], postgres) as running:
        await running.append(
            "portfolio",
            "organization",
            portfolio.UnitOpened(unit_id=UNIT, code="LIC", name="Licensing", kind="enterprise"),
        )
        await running.settled()
        yield running


@pytest.fixture(scope="module")
async def intake(served: Served) -> httpx.AsyncClient:
    return await served.client("intake")


def pitch(**changes: object) -> dict[str, object]:
    return {
        "title": "Licence register on line",
        "unit_id": str(UNIT),
        "project_code": "LIC-01",
        "currency": "EUR",
        "fields": FIELDS,
    } | changes


async def submitted(intake: httpx.AsyncClient) -> UUID:
    answer = await intake.post("/pitches", json=pitch())
    assert answer.status_code == 201, answer.text
    return UUID(answer.json()["id"])


async def test_a_pitch_is_submitted_screened_and_approved(intake: httpx.AsyncClient) -> None:
    pitch_id = await submitted(intake)
    screened = await intake.post(f"/pitches/{pitch_id}/screening", json={"note": "fit"}, headers={"If-Match": '"1"'})
    assert (screened.status_code, screened.headers["ETag"]) == (204, '"2"')
    decision = {"outcome": "approved", "reason": "Pays back within two years"}
    approved = await intake.post(f"/pitches/{pitch_id}/decision", json=decision)
    assert approved.status_code == 204
    answer = await intake.get(f"/pitches/{pitch_id}")
    assert (answer.json()["state"], answer.json()["reason"]) == ("approved", "Pays back within two years")
