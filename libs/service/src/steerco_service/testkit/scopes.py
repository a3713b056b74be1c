"""A service that tells where who asks has a role, over an organization of which each test appoints its own people."""

from typing import Any
from uuid import UUID

from steerco_events.clock import SystemClock
from steerco_events.contracts import portfolio
from steerco_events.contracts.portfolio import AppointmentMade, Role
from steerco_events.envelope import Actor
from steerco_events.ids import derived_id, new_id
from steerco_events.positions import Token
from steerco_events.projections.model import View
from steerco_service.access.permissions import DELIVERY, OFFICE, PERMISSIONS, ROLES, Permission
from steerco_service.access.placed import ACCESS
from steerco_service.asking import Asker
from steerco_service.identity.principal import Principal
from steerco_service.routing import router
from steerco_service.runtime import Service
from steerco_service.testkit.serving import Served

ENTERPRISE, NORTH, HARBOR, SOUTH = (derived_id("unit", "of scopes", n) for n in range(4))

routes = router("scopes")


@routes.get("/scope")
async def scope(asking: Asker) -> dict[str, list[UUID] | bool]:
    """Where who asks has a role."""
    found = asking.scope
    return {"whole": found.is_whole, "units": sorted(found.units), "projects": sorted(found.projects)}


@routes.get("/office", status_code=204)
async def office(asking: Asker) -> None:
    """What the office alone may."""


@routes.get("/delivery", status_code=204)
async def delivery(asking: Asker) -> None:
    """What who delivers may."""


@routes.get("/whole", status_code=204)
async def whole(asking: Asker) -> None:
    """What the office of the whole enterprise alone may."""


PERMISSIONS["scopes.scope"] = Permission(ROLES)
PERMISSIONS["scopes.office"] = Permission(OFFICE)
PERMISSIONS["scopes.delivery"] = Permission(DELIVERY)
PERMISSIONS["scopes.whole"] = Permission(OFFICE, is_whole=True)

SCOPES = Service(
    name="scopes",
    title="Scopes",
    description="Where who asks has a role.",
    migrations="steerco_service.testkit.migrations",
    routers=(routes,),
    view=View("scopes", 1, ("portfolio",), ACCESS),
    owns_log=False,
)


def unit_opened(unit_id: UUID, parent_id: UUID | None, code: str) -> portfolio.UnitOpened:
    """A unit joined the organization."""
    return portfolio.UnitOpened(unit_id=unit_id, code=code, name=code, kind="department", parent_id=parent_id)


def project_registered(unit_id: UUID) -> portfolio.ProjectRegistered:
    """A project that is new, at a unit."""
    project_id = new_id()
    return portfolio.ProjectRegistered(
        project_id=project_id,
        code=f"P-{project_id.hex[-6:]}",
        title="t",
        unit_id=unit_id,
        currency="EUR",
        state="executing",
        source="s",
        reference="1",
    )


async def opened(served: Served, unit_id: UUID, parent_id: UUID | None, code: str) -> Token:
    """Open a unit."""
    return await served.append("portfolio", "organization", unit_opened(unit_id, parent_id, code))


async def organized(served: Served) -> None:
    """Open an enterprise with a north, which has a harbor, and a south."""
    await opened(served, ENTERPRISE, None, "ALL")
    await opened(served, NORTH, ENTERPRISE, "NORTH")
    await opened(served, HARBOR, NORTH, "HARBOR")
    await opened(served, SOUTH, ENTERPRISE, "SOUTH")
    await served.settled()


def somebody(*groups: str) -> Principal:
    """A person of whom nobody has heard."""
    return Principal(Actor(new_id(), "Engineer"), "tests", frozenset(groups))


def made(person: Principal, role: Role = "viewer", unit_id: UUID | None = NORTH, **more: Any) -> AppointmentMade:
    """An appointment; from today on, if nothing else is said."""
    given = {"from_on": SystemClock().now().date(), "unit_id": unit_id} | more
    return AppointmentMade(appointment_id=new_id(), person_id=person.actor.id, role=role, **given)


async def appoint(served: Served, appointment: AppointmentMade) -> Token:
    """Make the appointment."""
    return await served.append("portfolio", f"appointment-{appointment.appointment_id}", appointment)


async def appointed(served: Served, *appointments: AppointmentMade) -> Token:
    """Make these appointments, and have them known everywhere; the token of the last."""
    tokens = [await appoint(served, each) for each in appointments]
    await served.settled()
    return tokens[-1]


async def end(served: Served, appointment: AppointmentMade) -> Token:
    """End the appointment."""
    ended = portfolio.AppointmentEnded(appointment_id=appointment.appointment_id)
    return await served.append("portfolio", f"appointment-{appointment.appointment_id}", ended)
