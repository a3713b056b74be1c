"""Whose names may be given where, over HTTP: of somebody who has places, at one of these alone."""

from dataclasses import replace
from uuid import UUID

import httpx
import pytest

from steerco_events.contracts.portfolio import Role
from steerco_events.ids import derived_id, new_id
from steerco_service.identity.principal import Principal
from steerco_service.testkit.scopes import appointed, made, somebody
from steerco_service.testkit.serving import Served

ROOT, LICENSING, ELSEWHERE = (derived_id("unit", code) for code in ("COM", "LIC", "elsewhere"))
FALSE = {"name": "Somebody else"}


@pytest.fixture(scope="module", autouse=True)
async def elsewhere(portfolio: httpx.AsyncClient) -> None:
    """A business unit of which no other spec asks."""
    body = {"unit_id": str(ELSEWHERE), "code": "ELS", "name": "Elsewhere", "kind": "business_unit"}
    answer = await portfolio.post("/units", json=body | {"parent_id": str(ROOT)})
    assert answer.status_code == 201, answer.text


async def licensing(served: Served, role: Role = "pmo_officer", who: Principal | None = None) -> httpx.AsyncClient:
    """A client of who may register people at LIC."""
    person = who or somebody()
    await appointed(served, made(person, role, LICENSING))
    return await served.client("portfolio", replace(person, is_machine=role == "integration"))


async def registering(client: httpx.AsyncClient, person: Principal) -> tuple[int, str | None]:
    """What is answered to who registers a person at LIC."""
    body = FALSE | {"person_id": str(person.actor.id), "unit_id": str(LICENSING)}
    answer = await client.post("/people", json=body)
    return answer.status_code, answer.json().get("type")


UNKNOWN = (404, "urn:steerco:problem:unknown-person")


@pytest.mark.parametrize("role", ["pmo_officer", "integration"])
@pytest.mark.parametrize("unit_id", [ELSEWHERE, None], ids=["unit", "whole"])
async def test_who_has_a_role_elsewhere_is_not_there_to_be_registered(
    served: Served, role: Role, unit_id: UUID | None
) -> None:
    somewhere = somebody()
    await appointed(served, made(somewhere, "pmo_admin", unit_id))
    assert await registering(await licensing(served, role), somewhere) == UNKNOWN


async def test_who_manages_a_project_elsewhere_is_not_there_to_be_registered(
    served: Served, portfolio: httpx.AsyncClient
) -> None:
    manager, code = somebody(), f"M-{new_id().hex[-8:]}"
    new = {"code": code, "title": "Call center", "currency": "EUR", "source": "register", "reference": "7"}
    project = await portfolio.post("/projects", json=new | {"unit_id": str(ELSEWHERE)})
    body = {"person_id": str(manager.actor.id), "job_title": "Project manager", "from_on": "2026-05-01"}
    assert (await portfolio.post(f"{project.headers['Location']}/manager", json=body)).status_code == 204
    await served.settled()
    assert await registering(await licensing(served), manager) == UNKNOWN
    assert await registering(portfolio, manager) == (201, None)


async def test_who_is_seen_elsewhere_is_registered_by_the_office_there(served: Served) -> None:
    somewhere, both = somebody(), somebody()
    await appointed(served, made(somewhere, "sponsor", ELSEWHERE), made(both, "auditor", ELSEWHERE))
    refused = await registering(await licensing(served, who=both), somewhere)
    assert refused == (403, "urn:steerco:problem:forbidden")


async def test_who_has_a_role_here_too_or_none_is_registered_and_again_whatever_came(served: Served) -> None:
    here, nowhere, officer = somebody(), somebody(), await licensing(served)
    await appointed(served, made(here, "sponsor", ELSEWHERE), made(here, "viewer", LICENSING))
    for person in (here, nowhere):
        assert await registering(officer, person) == (201, None)
    await appointed(served, made(nowhere, "sponsor", ELSEWHERE))
    assert await registering(officer, nowhere) == (201, None)


async def test_while_keys_are_away_somebody_elsewhere_is_unknown_as_who_is_not_there(
    served: Served, portfolio: httpx.AsyncClient
) -> None:
    here, elsewhere, officer = somebody(), somebody(), await licensing(served)
    for person, unit_id in ((here, LICENSING), (elsewhere, ELSEWHERE)):
        body = FALSE | {"person_id": str(person.actor.id), "unit_id": str(unit_id)}
        assert (await portfolio.post("/people", json=body)).status_code == 201
    app = served.apart("portfolio", key_database=None)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), headers=officer.headers) as client:
        for person, status in ((here, 503), (elsewhere, 404), (somebody(), 404)):
            answer = await client.put(f"http://portfolio/people/{person.actor.id}", json={"name": "Another"})
            assert answer.status_code == status, answer.text
