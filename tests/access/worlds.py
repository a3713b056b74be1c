"""An organization of two business units, each with a department that has one of everything."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

import httpx

from steerco_events.contracts.portfolio import AppointmentMade, Role
from steerco_events.envelope import Actor
from steerco_events.ids import derived_id
from steerco_service.access.permissions import ROLES
from steerco_service.identity.principal import Principal
from steerco_service.testkit.serving import Served

BEGAN = date(2026, 1, 1)
PITCH_FIELDS = {"problem": "Paper", "outcome": "One register", "sponsor": "Director"}


@dataclass(frozen=True)
class World:
    """A business unit with what is in it; every name begins with its code."""

    code: str
    unit: str
    department: str
    project: str
    pitch: str
    risk: str
    posting: str
    completion: str
    manager: UUID
    obligation: str
    appointment: str

    @property
    def marks(self) -> Sequence[str]:
        """What betrays the world in an answer."""
        return (
            *(self.unit, self.department, self.project, self.pitch, self.risk, self.posting, self.completion),
            *(self.obligation, self.appointment, str(self.manager), f"{self.code}-"),
        )


def somebody(role: str, code: str) -> Principal:
    """The person who has a role in a world."""
    return Principal(Actor(derived_id("person", role, code), role), "tests")


async def appoint(
    served: Served, role: Role, person: Principal, *, unit: str | None = None, project: str | None = None
) -> str:
    """Give somebody a role at a unit or a project; the appointment's id."""
    appointment_id = derived_id("appointment", role, str(person.actor.id), unit or project or "")
    made = AppointmentMade(
        appointment_id=appointment_id,
        person_id=person.actor.id,
        role=role,
        from_on=BEGAN,
        unit_id=UUID(unit) if unit else None,
        project_id=UUID(project) if project else None,
    )
    units = (UUID(unit),) if unit else ()
    await served.append("portfolio", f"appointment-{appointment_id}", made, units=units)
    return str(appointment_id)


async def created(client: httpx.AsyncClient, path: str, **body: object) -> str:
    """Make something; its id."""
    answer = await client.post(path, json=body)
    assert answer.status_code == 201, (path, answer.text)
    return str(answer.json()["id"])


async def world(served: Served, clients: Mapping[str, httpx.AsyncClient], enterprise: str, code: str) -> World:
    """Build one, with somebody in each role at its business unit."""
    portfolio, manager = clients["portfolio"], derived_id("person", "manager", code)
    unit = await created(
        portfolio, "/units", code=f"{code}-unit", name=f"{code}-unit", kind="business_unit", parent_id=enterprise
    )
    department = await created(
        portfolio, "/units", code=f"{code}-dep", name=f"{code}-dep", kind="department", parent_id=unit
    )
    project = await created(
        portfolio,
        "/projects",
        code=f"{code}-01",
        title=f"{code}-project",
        unit_id=department,
        currency="EUR",
        source=f"{code}-register",
        reference="1",
    )
    await served.settled()
    await clients["portfolio"].post(
        f"/projects/{project}/manager",
        json={"person_id": str(manager), "job_title": f"{code}-manager", "from_on": "2026-01-01"},
    )
    await created(portfolio, "/people", person_id=str(manager), name=f"{code}-name", unit_id=department)
    pitch = await created(
        clients["intake"],
        "/pitches",
        title=f"{code}-pitch",
        unit_id=department,
        project_code=f"{code}-02",
        currency="EUR",
        fields=PITCH_FIELDS,
    )
    risk = await created(
        clients["risk"], "/risks", project_id=project, cause=f"{code}-cause", event="e", effect="e", category="c"
    )
    posting = await created(
        clients["finance"],
        "/postings",
        project_id=project,
        source=f"{code}-ledger",
        reference="1",
        cost={"amount": "10.00", "currency": "EUR"},
        incurred_on="2026-01-02",
        period="fiscal_year 2026",
    )
    budget = {"measure": "cost", "period": "whole_life", "figure": {"money": {"amount": "1.00", "currency": "EUR"}}}
    await clients["finance"].put(f"/projects/{project}/budget", json=budget)
    completion = await created(
        clients["training"],
        "/completions",
        person_id=str(manager),
        course="project-management-essentials",
        completed_on="2026-01-02",
    )
    for role in sorted(ROLES):
        await appoint(served, role, somebody(role, code), unit=unit)
    spare = await appoint(served, "contributor", somebody("spare", code), unit=unit)
    await served.settled()
    (owed,) = (await clients["training"].get("/obligations", params={"project_id": project})).json()
    return World(
        code, unit, department, project, pitch, risk, posting, completion, manager, owed["obligation_id"], spare
    )
