"""A deployment for a unit answers there as the enterprise's does, and holds nothing of what is outside."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from steerco_events.clock import SystemClock
from steerco_events.envelope import Actor
from steerco_events.ids import derived_id
from steerco_servers.testing import TemporaryPostgres
from steerco_service.identity.principal import Principal
from steerco_service.testkit.serving import TESTERS, Served
from tests.access.worlds import PITCH_FIELDS, World, appoint, created, somebody, world
from tests.scoped.deployments import MACHINE, Deployment, deployed, shared

type Clients = dict[str, httpx.AsyncClient]

EVERYWHERE = Principal(Actor(derived_id("everywhere"), "Auditor"), "tests", frozenset({"everywhere", TESTERS}))
AUDITOR = somebody("auditor", "IN")


class Ground(NamedTuple):
    """An enterprise of two business units, and reporting for one of them."""

    served: Served
    clients: Clients
    inside: World
    outside: World
    deployment: Deployment
    enterprise: httpx.AsyncClient
    """The enterprise's reporting, for who asks at the unit."""

    @property
    def unit(self) -> httpx.AsyncClient:
        return self.deployment.clients["auditor"]

    async def known(self) -> datetime:
        """An instant up to which both know all."""
        await self.served.settled()
        at = SystemClock().now()
        await self.deployment.knows(at)
        return at

    async def tells(self, service: str, method: str, path: str, **body: Any) -> str:
        """Somebody of the whole enterprise does something; the id of what came of it, if anything did."""
        answer = await self.clients[service].request(method, path, json=body)
        assert answer.status_code in (201, 204), (path, answer.text)
        return str(answer.json()["id"]) if answer.status_code == 201 else ""

    async def unit_below(self, parent: str, code: str) -> str:
        """A department."""
        return await self.tells(
            "portfolio", "POST", "/units", code=code, name=f"{code}-name", kind="department", parent_id=parent
        )

    async def project_at(self, unit: str, code: str) -> str:
        """A project with something of each kind, all of which is called by its code."""
        told = {"code": code, "title": f"{code}-title", "currency": "EUR", "source": f"{code}-list", "reference": "1"}
        project = await self.tells("portfolio", "POST", "/projects", unit_id=unit, **told)
        await self.served.settled()
        await self.happens_to(project, code)
        return project

    async def happens_to(self, project: str, name: str) -> None:
        """Something of each kind, which is called so."""
        person = str(derived_id("person", name))
        manager = {"person_id": person, "job_title": f"{name}-manager", "from_on": "2026-01-01"}
        await self.tells("portfolio", "PUT", f"/projects/{project}/title", title=f"{name}-title")
        await self.tells("portfolio", "POST", f"/projects/{project}/manager", **manager)
        money = {"amount": amount_of(name), "currency": "EUR"}
        budget = {"measure": "cost", "period": "whole_life", "figure": {"money": money}}
        await self.tells("finance", "PUT", f"/projects/{project}/budget", **budget)
        posting = {"source": f"{name}-ledger", "reference": "1", "cost": money, "incurred_on": "2026-01-02"}
        await self.tells("finance", "POST", "/postings", project_id=project, period="fiscal_year 2026", **posting)
        raised = {"cause": f"{name}-cause", "event": f"{name}-event", "effect": "e", "category": "c"}
        await self.tells("risk", "POST", "/risks", project_id=project, **raised)
        support = somebody("project_support", name)
        held = {"person_id": str(support.actor.id), "role": "project_support", "from_on": "2026-01-01"}
        appointment = await self.tells("portfolio", "POST", "/appointments", project_id=project, **held)
        await self.tells("portfolio", "POST", f"/appointments/{appointment}/end", reason=f"{name}-reason")
        await self.served.settled()

    async def move(self, project: str, unit: str) -> None:
        """Move a project, and wait until everybody knows."""
        await self.tells("portfolio", "POST", f"/projects/{project}/move", unit_id=unit, reason="r")
        await self.served.settled()

    async def answers_are_the_same(self, *projects: str, at: datetime | None = None) -> None:
        """Both say the same of the unit, its department and these projects, now or as of an instant."""
        when = {"as_of": at.isoformat()} if at else {}
        questions: list[tuple[str, Mapping[str, Any]]] = [(f"/stories/{each}", when) for each in projects]
        for scope in (f"{self.inside.code}-unit", f"{self.inside.code}-dep"):
            there = {"scope": scope, **when}
            questions += [("/portfolio", there | {"by": "month", "over": "true"}), ("/register", there)]
            questions += [("/appointments", there | {"ever": "true"})]
        for path, asked in questions:
            expected, said = await self.enterprise.get(path, params=asked), await self.unit.get(path, params=asked)
            assert expected.status_code == said.status_code, (path, asked, expected.text, said.text)
            assert shared(said.json()) == shared(expected.json()), (path, asked)

    async def holds(self, *marks: str) -> None:
        """Each of these is somewhere in its database."""
        dump = await self.deployment.dumped()
        assert [mark for mark in marks if mark not in dump] == []

    async def holds_nothing_of(self, *marks: str) -> None:
        """None of these is anywhere in its database."""
        dump = await self.deployment.dumped()
        assert self.inside.project in dump
        for mark in marks:
            assert mark not in dump, [line for line in dump.splitlines() if mark in line][:3]


@pytest.fixture(scope="module")
def environ() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="module")
async def ground(
    served: Served,
    clients: Clients,
    postgres: TemporaryPostgres,
    tmp_path_factory: pytest.TempPathFactory,
    environ: pytest.MonkeyPatch,
) -> AsyncIterator[Ground]:
    root = await created(clients["portfolio"], "/units", code="WHOLE", name="WHOLE-name", kind="enterprise")
    adopted = {"pmo_model": "coach", "effective_on": "2020-01-01", "reason": "WHOLE-reason"}
    await sent(clients["portfolio"].post(f"/units/{root}/pmo-model", json=adopted))
    inside = await world(served, clients, root, "IN")
    outside = await world(served, clients, root, "OUT")
    await appoint(served, "integration", MACHINE, unit=inside.unit)
    await served.settled()
    people = {"auditor": AUDITOR, "everywhere": EVERYWHERE}
    folder: Path = tmp_path_factory.mktemp("scoped")
    async with deployed(served, postgres, folder, "in-UNIT", people, environ) as deployment:
        enterprise = await served.client("reporting", AUDITOR)
        yield Ground(served, clients, inside, outside, deployment, enterprise)


async def sent(answer: Any) -> None:
    said: httpx.Response = await answer
    assert said.status_code in (201, 204), said.text


def amount_of(name: str) -> str:
    """An amount that only what is called so has."""
    return f"{sum(map(ord, name))}.13"


def marks_of(outside: World) -> Sequence[str]:
    """What nobody may find of a world where nothing of it has entered, but for the ids of its units."""
    return (*(each for each in outside.marks if each not in (outside.unit, outside.department)), "OUT", "WHOLE")


async def test_it_answers_as_the_enterprise_does_and_holds_only_what_is_inside(ground: Ground) -> None:
    at = await ground.known()
    await ground.answers_are_the_same("IN-01")
    await ground.answers_are_the_same("IN-01", at=at)
    await ground.holds_nothing_of(*marks_of(ground.outside), *ground.outside.marks)


async def test_beyond_the_unit_nothing_is_there_also_for_who_has_a_role_everywhere(ground: Ground) -> None:
    await ground.known()
    everywhere = ground.deployment.clients["everywhere"]
    for scope in ("enterprise", "OUT-unit", "WHOLE"):
        answer = await everywhere.get("/portfolio", params={"scope": scope})
        assert (answer.status_code, "there are IN-" in answer.json()["detail"]) == (404, True)
    assert (await everywhere.get("/portfolio", params={"scope": "IN-unit"})).status_code == 200


async def test_what_enters_comes_with_its_history(ground: Ground) -> None:
    pitch = await ground.tells(
        "intake",
        "POST",
        "/pitches",
        title="COMES-pitch",
        unit_id=ground.outside.department,
        project_code="COMES",
        currency="EUR",
        fields=PITCH_FIELDS,
    )
    await ground.tells("intake", "POST", f"/pitches/{pitch}/screening", note="n")
    await ground.tells("intake", "POST", f"/pitches/{pitch}/decision", outcome="approved", reason="COMES-reason")
    await ground.served.settled()
    project = str(derived_id("project", pitch))
    await ground.happens_to(project, "COMES")
    before = await ground.known()
    await ground.holds_nothing_of("COMES", amount_of("COMES"), project, pitch)

    await ground.move(project, ground.inside.department)
    await ground.happens_to(project, "CAME")
    at = await ground.known()
    await ground.answers_are_the_same("COMES", "IN-01")
    await ground.answers_are_the_same("COMES", "IN-01", at=at)
    await ground.answers_are_the_same("IN-01", at=before)
    await ground.holds("COMES", "COMES-pitch", "COMES-reason", amount_of("COMES"), amount_of("CAME"), project, pitch)
    await ground.holds_nothing_of(*marks_of(ground.outside))


async def test_of_what_leaves_nothing_comes_that_is_recorded_later(ground: Ground) -> None:
    project = await ground.project_at(ground.inside.department, "GOES")
    before = await ground.known()
    await ground.move(project, ground.outside.department)
    await ground.happens_to(project, "GONE")
    await ground.known()
    await ground.answers_are_the_same("IN-01")
    assert (await ground.unit.get("/stories/GOES")).status_code == 404
    assert (await ground.deployment.clients["everywhere"].get("/stories/GOES")).status_code == 404
    await ground.answers_are_the_same("GOES", "IN-01", at=before)
    await ground.holds_nothing_of(*marks_of(ground.outside), "GONE", amount_of("GONE"))

    await ground.move(project, ground.inside.unit)
    at = await ground.known()
    await ground.answers_are_the_same("GOES", at=at)
    await ground.answers_are_the_same("GOES", "IN-01", at=before)


async def test_a_unit_that_enters_brings_what_is_in_it_and_nothing_of_what_was(ground: Ground) -> None:
    department = await ground.unit_below(ground.outside.unit, "JOINS")
    below = await ground.unit_below(department, "JOINS-below")
    project = await ground.project_at(below, "JOINED")
    left = await ground.project_at(department, "AWAY")
    person, gone = str(derived_id("person", "joins")), str(derived_id("person", "away"))
    await ground.tells("portfolio", "POST", "/people", person_id=person, name="n", unit_id=ground.outside.department)
    await ground.tells("portfolio", "PUT", f"/people/{person}/unit", unit_id=below)
    await ground.tells("portfolio", "POST", "/people", person_id=gone, name="n", unit_id=below)
    await ground.tells("portfolio", "PUT", f"/people/{gone}/unit", unit_id=ground.outside.department)
    await ground.move(left, ground.outside.department)
    before = await ground.known()

    await ground.tells("portfolio", "POST", f"/units/{department}/move", parent_id=ground.inside.unit, reason="r")
    await ground.served.settled()
    at = await ground.known()
    await ground.answers_are_the_same("JOINED", "IN-01")
    await ground.answers_are_the_same("JOINED", at=at)
    await ground.answers_are_the_same("IN-01", at=before)
    people = await ground.unit.get("/people", params={"scope": "IN-unit"})
    assert person in {each["person_id"] for each in people.json()}
    await ground.holds_nothing_of(*marks_of(ground.outside), "AWAY", amount_of("AWAY"), left, gone)

    await ground.tells("portfolio", "POST", f"/units/{department}/move", parent_id=ground.outside.unit, reason="r")
    await ground.served.settled()
    await ground.happens_to(project, "PARTED")
    await ground.known()
    await ground.answers_are_the_same("IN-01")
    await ground.answers_are_the_same("JOINED", at=at)
    await ground.holds_nothing_of(*marks_of(ground.outside), "AWAY", left, gone, "PARTED", amount_of("PARTED"))
