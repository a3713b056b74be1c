"""Support enters what it knows on behalf of the project's manager, and the events say so."""

from collections.abc import AsyncIterator
from datetime import date, timedelta
from uuid import UUID

import httpx
import pytest

from steerco_events.clock import SystemClock
from steerco_events.contracts import portfolio
from steerco_events.envelope import Actor
from steerco_events.ids import derived_id, new_id
from steerco_risk.app import SERVICE
from steerco_servers.testing import TemporaryPostgres
from steerco_service.identity.principal import Principal
from steerco_service.testkit.serving import Served, log_only, serving

UNIT, PROJECT, UNMANAGED, SOON = (derived_id("of support", n) for n in range(4))
MANAGER, NEXT = derived_id("person", "manager"), derived_id("person", "next")
TODAY = SystemClock().now().date()


@pytest.fixture(scope="module")
async def served(postgres: TemporaryPostgres) -> AsyncIterator[Served]:
    async with serving([SERVICE, log_only("portfolio")], postgres) as running:
        unit = portfolio.UnitOpened(unit_id=UNIT, code="ALL", name="All", kind="enterprise")
        await running.append("portfolio", "organization", unit)
        for project_id in (PROJECT, UNMANAGED, SOON):
            chartered = portfolio.ProjectChartered(
                project_id=project_id, code="P", title="t", unit_id=UNIT, currency="EUR", pitch_id=new_id()
            )
            await running.append("portfolio", f"project-{project_id}", chartered)
        await managed(running, PROJECT, MANAGER, TODAY)
        await managed(running, SOON, MANAGER, TODAY + timedelta(days=1))
        await running.settled()
        yield running


async def managed(served: Served, project_id: UUID, person_id: UUID, from_on: date) -> None:
    appointed = portfolio.ProjectManagerAppointed(
        project_id=project_id, person_id=person_id, job_title="Manager", unit_id=UNIT, from_on=from_on
    )
    await served.append("portfolio", f"project-{project_id}", appointed)


async def somebody(
    served: Served, *roles: portfolio.Role, person_id: UUID | None = None, project_id: UUID | None = None
) -> httpx.AsyncClient:
    """A client of somebody who has these roles at the unit, or at the project."""
    principal = Principal(Actor(person_id or new_id(), "Assistant"), "tests")
    for role in roles:
        appointment = portfolio.AppointmentMade(
            appointment_id=new_id(),
            person_id=principal.actor.id,
            role=role,
            from_on=TODAY,
            unit_id=None if project_id else UNIT,
            project_id=project_id,
        )
        await served.append("portfolio", f"appointment-{appointment.appointment_id}", appointment)
    await served.settled()
    return await served.client("risk", principal)


async def raised(client: httpx.AsyncClient, project_id: UUID = PROJECT) -> str:
    body = {"project_id": str(project_id), "cause": "c", "event": "e", "effect": "f", "category": "supplier"}
    answer = await client.post("/risks", json=body)
    assert answer.status_code == 201, answer.text
    location: str = answer.headers["Location"]
    return location


async def behalf(served: Served, location: str) -> list[UUID | None]:
    """On whose behalf each event of a risk was recorded."""
    runtime = served.runtime("risk")
    async with runtime.engine.connect() as connection:
        events = await runtime.store.read_events(connection, f"risk-{location.removeprefix('/risks/')}")
    return [event.on_behalf_of for event in events]


@pytest.mark.parametrize("at", [None, PROJECT], ids=["at the unit", "at the project"])
async def test_what_support_enters_is_recorded_on_behalf_of_the_projects_manager(
    served: Served, at: UUID | None
) -> None:
    support = await somebody(served, "project_support", project_id=at)
    location = await raised(support)
    assert (await support.post(f"{location}/closure", json={"reason": "Over"})).status_code == 204
    assert await behalf(served, location) == [MANAGER, MANAGER]


async def test_who_may_do_it_by_another_role_too_does_it_in_their_own_name(served: Served) -> None:
    both = await somebody(served, "project_support", "risk_manager")
    assert await behalf(served, await raised(both)) == [None]


async def test_who_is_no_support_does_it_in_their_own_name(served: Served) -> None:
    assert await behalf(served, await raised(await somebody(served, "risk_manager"))) == [None]


async def test_a_role_that_may_not_do_it_there_changes_nothing(served: Served) -> None:
    support = await somebody(served, "project_support", "viewer", "sponsor")
    assert await behalf(served, await raised(support)) == [MANAGER]


async def test_another_role_elsewhere_changes_nothing(served: Served) -> None:
    person_id = new_id()
    await somebody(served, "risk_manager", person_id=person_id, project_id=UNMANAGED)
    support = await somebody(served, "project_support", person_id=person_id)
    assert await behalf(served, await raised(support)) == [MANAGER]
    assert await behalf(served, await raised(support, UNMANAGED)) == [None]


@pytest.mark.parametrize("project_id", [UNMANAGED, SOON], ids=["nobody", "not yet"])
async def test_where_nobody_manages_the_project_support_does_it_in_its_own_name(
    served: Served, project_id: UUID
) -> None:
    support = await somebody(served, "project_support")
    assert await behalf(served, await raised(support, project_id)) == [None]


async def test_support_that_manages_the_project_does_it_in_its_own_name(served: Served) -> None:
    manager = await somebody(served, "project_support", person_id=MANAGER)
    assert await behalf(served, await raised(manager)) == [None]
