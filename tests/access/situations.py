"""Records of every kind in each of their situations, made anew as often as they are asked for."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

import httpx

from steerco_events.contracts import training
from steerco_events.ids import new_id
from steerco_service.headers import CONSISTENCY_TOKEN
from steerco_service.testkit.serving import Served
from tests.access.worlds import PITCH_FIELDS, World

COURSE = "project-management-essentials"


@dataclass(frozen=True)
class Record:
    """Which service has it, where, and what covers all that became of it; `part`: which of those that it lists."""

    service: str
    path: str
    token: str
    part: str | None = None

    def actions(self, answer: Any) -> list[dict[str, Any]]:
        """The actions that an answer of it has."""
        if isinstance(answer, list):
            return answer
        whole: dict[str, Any] = answer
        if self.part:
            (whole,) = (each for each in whole["obligations"] if each["obligation_id"] == self.part)
        actions: list[dict[str, Any]] = whole["actions"]
        return actions


@dataclass(frozen=True)
class Making:
    """Where records are made: a world, and clients of an administrator."""

    served: Served
    clients: Mapping[str, httpx.AsyncClient]
    world: World
    enterprise: str
    counted: list[None] = field(default_factory=list)

    def code(self) -> str:
        """One that nothing has."""
        self.counted.append(None)
        return f"{self.world.code}-A{len(self.counted)}"

    async def made(self, service: str, path: str, body: Mapping[str, Any], *then: tuple[str, Any]) -> Record:
        """Post a body, then others below what it made."""
        answer = await self.clients[service].post(path, json=body)
        assert answer.status_code == 201, (path, answer.text)
        where, token = answer.headers["Location"], answer.headers[CONSISTENCY_TOKEN]
        return await self.after(Record(service, where, token), *then)

    async def after(self, record: Record, *then: tuple[str, Any]) -> Record:
        """Post bodies below a record."""
        token = record.token
        for below, body in then:
            answer = await self.clients[record.service].post(
                f"{record.path}/{below}", json=body, headers={CONSISTENCY_TOKEN: token}
            )
            assert answer.status_code in (201, 204), (record.path, below, answer.text)
            token = answer.headers[CONSISTENCY_TOKEN]
        return Record(record.service, record.path, token)


type Situation = Callable[[Making], Awaitable[Record]]

WHY = {"reason": "r"}
SCREENED = ("screening", {"note": "n"})


def decided(outcome: str, **more: str) -> tuple[str, Any]:
    return "decision", {"outcome": outcome, **WHY, **more}


def pitch(*then: tuple[str, Any]) -> Situation:
    async def make(making: Making) -> Record:
        body = {
            "title": "t",
            "unit_id": making.world.department,
            "project_code": making.code(),
            "currency": "EUR",
            "fields": PITCH_FIELDS,
        }
        return await making.made("intake", "/pitches", body, *then)

    return make


def project(state: str, *then: tuple[str, Any]) -> Situation:
    async def make(making: Making) -> Record:
        code = making.code()
        body = {
            "code": code,
            "title": "t",
            "unit_id": making.world.department,
            "currency": "EUR",
            "source": "s",
            "reference": code,
            "state": state,
        }
        return await making.made("portfolio", "/projects", body, *then)

    return make


def unit(*then: tuple[str, Any]) -> Situation:
    async def make(making: Making) -> Record:
        body = {"code": making.code(), "name": "n", "kind": "department", "parent_id": making.world.unit}
        return await making.made("portfolio", "/units", body, *then)

    return make


async def unit_with_units(making: Making) -> Record:
    made = await unit()(making)
    parent_id = made.path.rpartition("/")[2]
    body = {"code": making.code(), "name": "n", "kind": "department", "parent_id": parent_id}
    below = await making.made("portfolio", "/units", body)
    return Record("portfolio", made.path, below.token)


async def enterprise(making: Making) -> Record:
    return Record("portfolio", f"/units/{making.enterprise}", "")


def appointment(role: str, *then: tuple[str, Any], **where: str) -> Situation:
    async def make(making: Making) -> Record:
        place = {name: getattr(making.world, which) for name, which in where.items()}
        body = {"person_id": str(new_id()), "role": role, "from_on": "2026-01-01", **place}
        return await making.made("portfolio", "/appointments", body, *then)

    return make


async def delegation(making: Making) -> Record:
    original = await appointment("contributor", unit_id="unit")(making)
    body = {"person_id": str(new_id()), "from_on": "2026-02-01", "until_on": "2026-03-01"}
    answer = await making.clients["portfolio"].post(f"{original.path}/delegations", json=body)
    return Record("portfolio", answer.headers["Location"], answer.headers[CONSISTENCY_TOKEN])


def person(*then: tuple[str, Any]) -> Situation:
    async def make(making: Making) -> Record:
        return await making.made("portfolio", "/people", {"name": "n", "unit_id": making.world.department}, *then)

    return make


def risk(*then: tuple[str, Any]) -> Situation:
    async def make(making: Making) -> Record:
        body = {"project_id": making.world.project, "cause": "c", "event": "e", "effect": "e", "category": "c"}
        return await making.made("risk", "/risks", body, *then)

    return make


def posting(*then: tuple[str, Any]) -> Situation:
    async def make(making: Making) -> Record:
        body = {
            "project_id": making.world.project,
            "source": "s",
            "reference": making.code(),
            "cost": {"amount": "1.00", "currency": "EUR"},
            "incurred_on": "2026-01-02",
            "period": "fiscal_year 2026",
        }
        return await making.made("finance", "/postings", body, *then)

    return make


def figures(state: str) -> Situation:
    async def make(making: Making) -> Record:
        made = await project(state)(making)
        return Record("finance", f"{made.path}/figures/actions", made.token)

    return make


def obligation(became: type[Any] | None = None, **more: Any) -> Situation:
    async def make(making: Making) -> Record:
        obligation_id, person_id, project_id = new_id(), making.world.manager, UUID(making.world.project)
        raised = training.ObligationRaised(
            obligation_id=obligation_id,
            person_id=person_id,
            job_title="m",
            project_id=project_id,
            course=COURSE,
            due_on=date(2026, 3, 1),
            cause_id=new_id(),
            cause_type="c",
        )
        then = [became(obligation_id=obligation_id, project_id=project_id, **more)] if became else []
        token = await making.served.append("training", f"learner-{person_id}", raised, *then)
        return Record("training", f"/learners/{person_id}", token.encode(), str(obligation_id))

    return make


async def learner(making: Making) -> Record:
    return Record("training", f"/learners/{making.world.manager}", "")


SITUATIONS: Mapping[str, Situation] = {
    "a pitch that was submitted": pitch(),
    "a pitch that was screened": pitch(SCREENED),
    "a pitch that was deferred": pitch(SCREENED, decided("deferred", until_on="2999-01-01")),
    "a pitch that was returned": pitch(decided("returned")),
    "a pitch that was approved": pitch(SCREENED, decided("approved")),
    "a pitch that was rejected": pitch(SCREENED, decided("rejected")),
    "a pitch that was withdrawn": pitch(("withdrawal", WHY)),
    **{
        f"a project that is {state}": project(state)
        for state in ("chartered", "planning", "executing", "closing", "closed", "terminated")
    },
    "a project that is on hold": project("executing", ("transition", {"to": "on_hold"})),
    "a unit": unit(),
    "a unit with a unit below it": unit_with_units,
    "a unit that was closed": unit(("closure", WHY)),
    "the enterprise": enterprise,
    "an appointment at a unit": appointment("contributor", unit_id="unit"),
    "an appointment at a project": appointment("contributor", project_id="project"),
    "an appointment in the enterprise": appointment("contributor"),
    "an appointment to the office": appointment("pmo_officer", unit_id="department"),
    "an appointment that an administrator makes": appointment("auditor", unit_id="unit"),
    "an appointment that was ended": appointment("contributor", ("end", WHY), unit_id="unit"),
    "a delegation": delegation,
    "a person": person(),
    "a person who was forgotten": person(("erasure", WHY)),
    "a risk": risk(),
    "a risk that was rated": risk(("rating", {"probability": 5, "impact": 5})),
    "a risk that was closed": risk(("closure", WHY)),
    "a posting": posting(),
    "a posting that was reversed": posting(("reversal", WHY)),
    "figures": figures("executing"),
    "figures of a project that is closed": figures("closed"),
    "an obligation": obligation(),
    "an obligation that is overdue": obligation(training.ObligationFellOverdue, due_on=date(2026, 3, 1)),
    "an obligation that was fulfilled": obligation(training.ObligationFulfilled, completion_id=new_id()),
    "an obligation that was waived": obligation(training.ObligationWaived),
    "a learner": learner,
}
