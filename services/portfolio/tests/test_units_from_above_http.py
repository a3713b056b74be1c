"""What takes a role above a unit: to lift what it requires, and to move it away."""

from datetime import timedelta
from uuid import UUID

import httpx
import pytest

from steerco_events.clock import SystemClock
from steerco_events.contracts.portfolio import Role
from steerco_events.ids import derived_id, new_id
from steerco_service.testkit.scopes import appointed, made, somebody
from steerco_service.testkit.serving import Served

ROOT, MARKETS, LICENSING = (derived_id("unit", code) for code in ("COM", "MKT", "LIC"))
TODAY = SystemClock().now().date()
FAR = TODAY + timedelta(days=3000)


async def opened(portfolio: httpx.AsyncClient, parent_id: UUID = LICENSING) -> UUID:
    body = {"code": f"A-{new_id().hex[-8:]}", "name": "Applications", "kind": "department"}
    answer = await portfolio.post("/units", json=body | {"parent_id": str(parent_id)})
    assert answer.status_code == 201, answer.text
    return UUID(answer.json()["id"])


async def acting(
    served: Served, *units: UUID, role: Role = "pmo_officer", is_deputy: bool = False
) -> httpx.AsyncClient:
    """A client of who has a role at these units, or stands in there for who has it; it brings what tells of that."""
    person = somebody()
    originals = [made(somebody() if is_deputy else person, role, unit_id) for unit_id in units]
    deputies = [made(person, role, each.unit_id, delegated_from=each.appointment_id) for each in originals]
    token = await appointed(served, *originals, *(deputies if is_deputy else ()))
    client = await served.client("portfolio", person)
    client.headers["Consistency-Token"] = token.encode()
    return client


async def said(client: httpx.AsyncClient, unit_id: UUID, is_required: bool, on: object = TODAY) -> int:
    """What is answered to who says whether duties are kept apart at a unit."""
    body = {"duties": "pitch_submission_and_decision", "is_required": is_required, "effective_on": str(on)}
    answer = await client.put(f"/units/{unit_id}/separation-of-duties", json=body)
    return answer.status_code


async def is_required(portfolio: httpx.AsyncClient, unit_id: UUID) -> bool:
    return bool((await portfolio.get(f"/units/{unit_id}")).json()["separated_duties"])


async def moved(client: httpx.AsyncClient, unit_id: UUID, parent_id: UUID) -> httpx.Response:
    return await client.post(f"/units/{unit_id}/move", json={"parent_id": str(parent_id), "reason": "A trial"})


async def test_the_office_of_a_unit_requires_what_only_the_office_above_lifts(
    served: Served, portfolio: httpx.AsyncClient
) -> None:
    unit_id = await opened(portfolio)
    bound, above = await acting(served, unit_id), await acting(served, LICENSING)
    assert await said(bound, unit_id, True) == 204
    for day in (TODAY, FAR):
        assert await said(bound, unit_id, False, day) == 403
    assert await is_required(portfolio, unit_id)
    assert await said(above, unit_id, False) == 204
    assert not await is_required(portfolio, unit_id)


async def test_what_is_to_be_required_is_not_lifted_in_advance_by_those_whom_it_will_bind(
    served: Served, portfolio: httpx.AsyncClient
) -> None:
    unit_id = await opened(portfolio)
    assert await said(await acting(served, unit_id), unit_id, False) == 403
    assert await said(await acting(served, LICENSING), unit_id, False) == 204


async def test_a_deputy_requires_and_does_not_lift(served: Served, portfolio: httpx.AsyncClient) -> None:
    unit_id = await opened(portfolio)
    deputy = await acting(served, LICENSING, is_deputy=True)
    assert await said(deputy, unit_id, True) == 204
    assert await said(deputy, unit_id, False) == 403
    assert await is_required(portfolio, unit_id)


@pytest.mark.parametrize(("is_deputy", "status"), [(False, 204), (True, 403)], ids=["in person", "deputy"])
async def test_what_the_enterprise_requires_is_lifted_by_the_office_of_the_whole(
    served: Served, portfolio: httpx.AsyncClient, is_deputy: bool, status: int
) -> None:
    assert await said(portfolio, ROOT, True, FAR) == 204
    assert await said(await acting(served, ROOT, is_deputy=is_deputy), ROOT, False, FAR) == status


async def test_of_a_unit_elsewhere_nobody_learns_by_lifting_or_moving(
    served: Served, portfolio: httpx.AsyncClient
) -> None:
    elsewhere, officer = await opened(portfolio, MARKETS), await acting(served, LICENSING)
    for unit_id in (elsewhere, new_id()):
        assert await said(officer, unit_id, False) == 404
        assert (await moved(officer, unit_id, LICENSING)).status_code == 404


async def test_who_sees_a_unit_only_neither_lifts_nor_moves_it(served: Served, portfolio: httpx.AsyncClient) -> None:
    unit_id, viewer = await opened(portfolio), await acting(served, ROOT, role="auditor")
    assert await said(viewer, unit_id, False) == 403
    assert (await moved(viewer, unit_id, MARKETS)).status_code == 403


async def test_a_unit_is_moved_by_who_has_a_role_where_it_is_and_where_it_goes(
    served: Served, portfolio: httpx.AsyncClient
) -> None:
    unit_id = await opened(portfolio)
    of_both_ends = await moved(await acting(served, unit_id, MARKETS), unit_id, MARKETS)
    assert (of_both_ends.status_code, of_both_ends.json()["detail"]) == (
        403,
        "a unit is moved by who has a role for it at the unit above, too",
    )
    assert (await moved(await acting(served, LICENSING), unit_id, MARKETS)).status_code == 404
    assert (await moved(await acting(served, LICENSING, MARKETS), unit_id, MARKETS)).status_code == 204
