"""Where a unit requires it, who submits a pitch does not decide it."""

from collections.abc import AsyncIterator
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from steerco_events.clock import SystemClock
from steerco_events.contracts import portfolio
from steerco_events.envelope import Actor
from steerco_events.ids import derived_id, new_id
from steerco_intake.app import SERVICE
from steerco_servers.testing import TemporaryPostgres
from steerco_service.identity.principal import Principal
from steerco_service.testkit.answers import said
from steerco_service.testkit.serving import TESTERS, Served, log_only, serving

ENTERPRISE = derived_id("unit", "of duties")
ANNA, BEN = (
    Principal(Actor(derived_id("person", name), "PMO officer"), "tests", frozenset({TESTERS}))
    for name in ("anna", "ben")
)
TODAY = SystemClock().now().date()
FIELDS = {"problem": "Paper.", "outcome": "One register.", "sponsor": "Director of Licensing"}


@pytest.fixture(scope="module")
async def served(postgres: TemporaryPostgres) -> AsyncIterator[Served]:
    async with serving([SERVICE, log_only("portfolio")], postgres) as running:
        await opened(running, "ALL", ENTERPRISE, None)
        yield running


@pytest.fixture(scope="module")
async def anna(served: Served) -> httpx.AsyncClient:
    return await served.client("intake", ANNA)


@pytest.fixture(scope="module")
async def ben(served: Served) -> httpx.AsyncClient:
    return await served.client("intake", BEN)


async def organized(served: Served, event: portfolio.UnitOpened | portfolio.SeparationOfDutiesAdopted) -> str:
    """What portfolio says of its units, once it is known here; the token of it."""
    token = await served.append("portfolio", "organization", event)
    await served.settled()
    return token.encode()


async def opened(served: Served, code: str, unit_id: UUID, parent_id: UUID | None = ENTERPRISE) -> UUID:
    unit = portfolio.UnitOpened(unit_id=unit_id, code=code, name=code, kind="department", parent_id=parent_id)
    await organized(served, unit)
    return unit_id


async def separates(served: Served, unit_id: UUID, on: date = TODAY, *, is_required: bool = True) -> str:
    adopted = portfolio.SeparationOfDutiesAdopted(
        unit_id=unit_id, duties="pitch_submission_and_decision", is_required=is_required, effective_on=on
    )
    return await organized(served, adopted)


def pitch(unit_id: UUID, **changes: object) -> dict[str, Any]:
    said = {"title": "Licences on line", "unit_id": str(unit_id), "project_code": "LIC-01", "currency": "EUR"}
    return said | {"fields": FIELDS} | changes


async def submitted(client: httpx.AsyncClient, unit_id: UUID) -> str:
    """A pitch that waits for its decision."""
    answer = await client.post("/pitches", json=pitch(unit_id))
    assert answer.status_code == 201, answer.text
    location: str = answer.headers["Location"]
    screened = await client.post(f"{location}/screening", json={"note": "fit"})
    assert screened.status_code == 204, screened.text
    return location


async def decided(client: httpx.AsyncClient, location: str, token: str = "") -> httpx.Response:
    headers = {"Consistency-Token": token} if token else {}
    body = {"outcome": "approved", "reason": "It pays"}
    return await client.post(f"{location}/decision", json=body, headers=headers)


async def test_without_a_policy_who_submits_may_decide(served: Served, anna: httpx.AsyncClient) -> None:
    unit_id = await opened(served, "FREE", new_id())
    assert (await decided(anna, await submitted(anna, unit_id))).status_code == 204


async def test_who_submitted_does_not_decide_and_is_told_why_and_somebody_else_does(
    served: Served, anna: httpx.AsyncClient, ben: httpx.AsyncClient
) -> None:
    unit_id = await opened(served, "STRICT", new_id())
    token = await separates(served, unit_id)
    location = await submitted(anna, unit_id)
    refused = await decided(anna, location, token)
    status, body, headers = said(refused)
    assert (status, headers["content-type"]) == (403, "application/problem+json")
    assert body == {
        "type": "urn:steerco:problem:duties-separated",
        "title": "Duties separated",
        "status": 403,
        "detail": f"who submitted a pitch does not decide it here (policy of STRICT since {TODAY})",
    }
    assert (await anna.get(location)).json()["state"] == "screened"
    assert (await decided(ben, location)).status_code == 204


async def test_the_pitch_says_before_who_may_decide_it(
    served: Served, anna: httpx.AsyncClient, ben: httpx.AsyncClient
) -> None:
    unit_id = await opened(served, "TOLD", new_id())
    seen = {"Consistency-Token": await separates(served, unit_id)}
    location = await submitted(anna, unit_id)
    for client, problem in ((anna, "urn:steerco:problem:duties-separated"), (ben, None)):
        actions = (await client.get(location, headers=seen)).json()["actions"]
        approve = next(each for each in actions if each["body"] == {"outcome": "approved"})
        assert (approve["is_allowed"], approve["type"]) == (problem is None, problem)


async def test_a_policy_that_comes_after_the_submission_holds_for_the_decision(
    served: Served, anna: httpx.AsyncClient
) -> None:
    unit_id = await opened(served, "LATE", new_id())
    location = await submitted(anna, unit_id)
    assert (await decided(anna, location, await separates(served, unit_id))).status_code == 403


async def test_a_policy_holds_from_its_day_on(served: Served, anna: httpx.AsyncClient) -> None:
    unit_id = await opened(served, "SOON", new_id())
    token = await separates(served, unit_id, TODAY + timedelta(days=1))
    assert (await decided(anna, await submitted(anna, unit_id), token)).status_code == 204


async def test_a_policy_that_was_lifted_holds_no_more(served: Served, anna: httpx.AsyncClient) -> None:
    unit_id = await opened(served, "LIFTED", new_id())
    await separates(served, unit_id)
    token = await separates(served, unit_id, is_required=False)
    assert (await decided(anna, await submitted(anna, unit_id), token)).status_code == 204


async def test_a_policy_holds_below_and_follows_a_unit_that_moves(served: Served, anna: httpx.AsyncClient) -> None:
    strict, free = await opened(served, "ABOVE", new_id()), await opened(served, "BESIDE", new_id())
    below = await opened(served, "BELOW", new_id(), strict)
    location = await submitted(anna, below)
    refused = await decided(anna, location, await separates(served, strict))
    assert (refused.status_code, "policy of ABOVE" in refused.text) == (403, True)
    moved = portfolio.UnitMoved(unit_id=below, from_parent_id=strict, to_parent_id=free)
    token = await served.append("portfolio", "organization", moved)
    assert (await decided(anna, location, token.encode())).status_code == 204


async def test_a_unit_above_that_who_asks_does_not_see_is_not_named(served: Served) -> None:
    strict = await opened(served, "HIDDEN", new_id())
    below = await opened(served, "SEEN", new_id(), strict)
    carla = Principal(Actor(new_id(), "Portfolio manager"), "tests")
    for role in ("portfolio_manager", "pmo_officer"):
        appointment = portfolio.AppointmentMade(
            appointment_id=new_id(), person_id=carla.actor.id, role=role, from_on=TODAY, unit_id=below
        )
        await served.append("portfolio", f"appointment-{appointment.appointment_id}", appointment)
    token = await separates(served, strict)
    client = await served.client("intake", carla)
    refused = await decided(client, await submitted(client, below), token)
    assert (refused.status_code, refused.json()["detail"]) == (
        403,
        f"who submitted a pitch does not decide it here (policy of a unit above since {TODAY})",
    )


async def test_who_submitted_a_returned_pitch_again_does_not_decide_it_either(
    served: Served, anna: httpx.AsyncClient, ben: httpx.AsyncClient
) -> None:
    unit_id = await opened(served, "AGAIN", new_id())
    token = await separates(served, unit_id)
    location = await submitted(anna, unit_id)
    returned = await ben.post(f"{location}/decision", json={"outcome": "returned", "reason": "No sponsor"})
    assert returned.status_code == 204, returned.text
    assert (await ben.put(location, json=pitch(unit_id, title="Licences"))).status_code == 204
    assert (await ben.post(f"{location}/screening", json={"note": "fit"})).status_code == 204
    for client in (anna, ben):
        assert (await decided(client, location, token)).status_code == 403


async def test_in_a_batch_each_is_judged_by_what_those_before_it_did(served: Served, anna: httpx.AsyncClient) -> None:
    unit_id, pitch_id = await opened(served, "BATCH", new_id()), new_id()
    token = await separates(served, unit_id)
    assert (await decided(anna, f"/pitches/{new_id()}", token)).status_code == 404
    commands = [
        {"path": "/pitches", "body": pitch(unit_id, pitch_id=str(pitch_id))},
        {"path": f"/pitches/{pitch_id}/screening", "body": {"note": "fit"}},
        {"path": f"/pitches/{pitch_id}/decision", "body": {"outcome": "approved", "reason": "It pays"}},
    ]
    answer = await anna.post("/batch", json={"commands": commands})
    assert answer.status_code == 200, answer.text
    assert [each["status"] for each in answer.json()["answers"]] == [201, 204, 403]


async def test_a_pitch_that_is_not_there_is_not_found_whatever_the_policy(
    served: Served, anna: httpx.AsyncClient
) -> None:
    await separates(served, await opened(served, "NOTHING", new_id()))
    assert (await decided(anna, f"/pitches/{new_id()}")).status_code == 404
