"""An enterprise of two units over portfolio's log, where one of them gets its share."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import httpx

from steerco_events.contracts import portfolio
from steerco_events.envelope import Actor
from steerco_events.ids import derived_id
from steerco_events.positions import Token
from steerco_events.projections.model import View
from steerco_service.access.placed import ACCESS
from steerco_service.headers import COMPLETE_TO, CONSISTENCY_TOKEN
from steerco_service.identity.principal import Principal
from steerco_service.reference.people import people
from steerco_service.testkit.serving import Served, Server, log_only, serving

ROOT, LIC, SUP = (derived_id("unit", code) for code in ("COM", "LIC", "SUP"))
INSIDE, OUTSIDE, MOVING = (derived_id("project", each) for each in ("inside", "outside", "moving"))
PERSON = derived_id("person", "known")

SERVICE = replace(log_only("portfolio"), view=View("portfolio", 1, ("portfolio",), (people, *ACCESS)))

type Event = Mapping[str, Any]


@dataclass(frozen=True)
class Ground:
    """It runs; these have a role at `LIC`."""

    served: Served
    office: httpx.AsyncClient
    machine: httpx.AsyncClient
    viewer: httpx.AsyncClient

    async def moves(self, origin: UUID, target: UUID) -> Token:
        """The moving project goes from one unit to another, and everybody knows."""
        event = portfolio.ProjectMoved(project_id=MOVING, from_unit_id=origin, to_unit_id=target)
        token = await self.served.append("portfolio", f"project-{MOVING}", event, units=(origin, target))
        await self.served.settled()
        return token

    async def renames(self, project: UUID, unit: UUID, times: int) -> Token:
        """A project is renamed so many times."""
        renamed = [portfolio.ProjectRenamed(project_id=project, title=f"t{n}") for n in range(times)]
        token = await self.served.append("portfolio", f"project-{project}", *renamed, units=(unit,))
        await self.served.settled()
        return token

    def another(self) -> httpx.AsyncClient:
        """A client of the office's, of another process over the same database."""
        client = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.served.apart("portfolio")),
            base_url="http://portfolio",
            headers={"Authorization": self.office.headers["Authorization"]},
        )
        self.served.stack.push_async_callback(client.aclose)
        return client


@asynccontextmanager
async def two_units(server: Server) -> AsyncIterator[Ground]:
    """It runs, with a project in each unit and another that will move from `SUP` to `LIC`."""
    async with serving([SERVICE], server) as served:
        for unit, code, parent in ((ROOT, "COM", None), (LIC, "LIC", ROOT), (SUP, "SUP", ROOT)):
            kind: portfolio.UnitKind = "business_unit" if parent else "enterprise"
            opened = portfolio.UnitOpened(unit_id=unit, code=code, name=code, kind=kind, parent_id=parent)
            await served.append("portfolio", "organization", opened, units=(unit, *([parent] if parent else [])))
        for project, at in ((INSIDE, LIC), (OUTSIDE, SUP), (MOVING, SUP)):
            await served.append("portfolio", f"project-{project}", _registered(project, at), units=(at,))
        known = portfolio.PersonRegistered(person_id=PERSON, unit_id=LIC, name="c2VjcmV0")
        await served.append("portfolio", f"person-{PERSON}", known, units=(LIC,))
        office, machine, viewer = [await _held_by(served, each) for each in ("pmo_officer", "integration", "viewer")]
        await served.settled()
        yield Ground(served, office, machine, viewer)


async def _held_by(served: Served, role: portfolio.Role) -> httpx.AsyncClient:
    person = derived_id("person", role)
    await appoint(served, person, role, unit_id=LIC)
    return await served.client("portfolio", Principal(Actor(person, role), "tests", is_machine=role == "integration"))


async def appoint(
    served: Served, person: UUID, role: portfolio.Role, *, unit_id: UUID | None = None, project_id: UUID | None = None
) -> UUID:
    """Somebody gets a role at a unit or a project; the appointment."""
    made = portfolio.AppointmentMade(
        appointment_id=derived_id("appointment", person, role, unit_id, project_id),
        person_id=person,
        role=role,
        from_on=date(2026, 1, 1),
        unit_id=unit_id,
        project_id=project_id,
    )
    stream = f"appointment-{made.appointment_id}"
    await served.append("portfolio", stream, made, units=(unit_id,) if unit_id else ())
    return made.appointment_id


def _registered(project: UUID, unit: UUID) -> portfolio.ProjectRegistered:
    return portfolio.ProjectRegistered(
        project_id=project,
        code=str(project)[:8],
        title="t",
        unit_id=unit,
        currency="EUR",
        state="executing",
        source="register",
        reference="1",
    )


class SharePage(NamedTuple):
    """The events of a page, the cursor after it, and whether the log ends there for now."""

    events: Sequence[Event]
    end: str
    is_last: bool


async def share_page(
    client: httpx.AsyncClient, unit: object = "LIC", seen: Token | None = None, **asked: Any
) -> SharePage:
    """One page of a unit's share, for who has seen what a token says."""
    headers = {CONSISTENCY_TOKEN: seen.encode()} if seen else {}
    answer = await client.get(f"/scopes/{unit}/events", params=asked, headers=headers)
    assert answer.status_code == 200, answer.text
    (cursor,) = parse_qs(urlsplit(answer.links["next"]["url"]).query)["after"]
    return SharePage(answer.json(), cursor, COMPLETE_TO in answer.headers)


async def share_pages(client: httpx.AsyncClient, **asked: Any) -> Sequence[SharePage]:
    """All pages of the share of `LIC`, up to where the log ends for now."""
    found = [await share_page(client, **asked)]
    while not found[-1].is_last:
        found.append(await share_page(client, **asked | {"after": found[-1].end}))
    return found
