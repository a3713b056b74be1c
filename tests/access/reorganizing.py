"""An organization that is built and reorganized at random by commands; a model keeps what came of it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from random import Random
from typing import Any

import httpx

from steerco_events.ids import derived_id
from tests.access.sight import Held, Organization
from tests.access.worlds import PITCH_FIELDS

ROLES = ("viewer", "contributor", "training_coordinator", "finance_controller", "project_manager")
NOW, OVER, TO_COME = (date(2020, 1, 1), None), (date(2020, 1, 1), date(2021, 1, 1)), (date(2999, 1, 1), None)
"""Terms: from a day to a day."""

TITLE, RATING, SCREENING = {"title": "t"}, {"probability": 1, "impact": 1}, {"note": "n"}


class Reorganizing:
    """Business units below an enterprise that is there, each with an officer and a risk manager who stay.

    So do the projects' sponsors and the first two of `people`: one at a unit that has others below, one at a project.
    """

    def __init__(self, code: str, root: str, random: Random, clients: Mapping[str, httpx.AsyncClient]) -> None:
        self.code = code
        self.random = random
        self.clients = clients
        self.token = ""
        self.now = Organization(parents={root: None})
        self.codes: dict[str, str] = {}
        self.people: Sequence[str] = [str(derived_id("person", code, n)) for n in range(4)]
        self.officers: dict[str, str] = {}
        self.risk_managers: dict[str, str] = {}
        self._root = root
        self._number = 0

    async def begin(self) -> None:
        """A tree with projects, and the appointments that stay."""
        for _ in range(3):
            unit = await self._open_unit(self._root)
            for role, owners in (("pmo_officer", self.officers), ("risk_manager", self.risk_managers)):
                owners[unit] = str(derived_id("person", role, unit))
                await self._appoint(owners[unit], role, NOW, unit_id=unit)
        for _ in range(6):
            await self._open_unit(self._one_of(self._open_units()))
        for _ in range(6):
            await self._register_project()
        above = [each for each in self._open_units() if each in self.now.parents.values()]
        await self._appoint(self.people[0], "viewer", NOW, unit_id=self._one_of(above))
        await self._appoint(self.people[1], "viewer", NOW, project_id=self._one_of(self.now.projects))
        for person in self.people:
            unit = self._one_of(self._open_units())
            await self._make("portfolio", "/people", person_id=person, name=self._name(), unit_id=unit)
            self.now.people[person] = unit

    async def deliver(self) -> None:
        """Something of each kind, at places at random."""
        project = self._one_of(self.now.projects)
        money = {"amount": "10.00", "currency": "EUR"}
        pitch = {"title": "t", "project_code": self._name(), "currency": "EUR", "fields": PITCH_FIELDS}
        unit = self._one_of(self._open_units())
        self.now.pitches[await self._make("intake", "/pitches", unit_id=unit, **pitch)] = unit
        risk = {"cause": "c", "event": self._name(), "effect": "e", "category": "c"}
        self.now.risks[await self._make("risk", "/risks", project_id=project, **risk, **RATING)] = project
        posting = {"source": self._name(), "reference": "1", "cost": money, "incurred_on": "2026-01-02"}
        posting_id = await self._make("finance", "/postings", project_id=project, period="fiscal_year 2026", **posting)
        self.now.postings[posting_id] = project
        budget = {"measure": "cost", "period": "whole_life", "figure": {"money": money}}
        await self._tell("finance", "PUT", f"/projects/{project}/budget", budget)
        row = {"source": self._name(), "reference": "1", "said": {"title": self._name()}}
        await self._tell("portfolio", "PUT", f"/projects/{project}/register-row", row)
        person = self._one_of(self.people)
        completed = {"course": "project-management-essentials", "completed_on": "2026-01-02"}
        self.now.completions[await self._make("training", "/completions", person_id=person, **completed)] = person

    async def reorganize(self) -> None:
        """A unit, a person and two projects move; and three changes of other kinds."""
        await self._move_unit()
        await self._move_person()
        await self._move_project()
        await self._move_project()
        other = (self._close_unit, self._make_appointment, self._end_appointment, self._delegate, self._appoint_manager)
        for change in self.random.sample(other, 3):
            await change()

    async def _open_unit(self, parent: str) -> str:
        kind = "business_unit" if parent == self._root else "department"
        code = self._name()
        unit = await self._make("portfolio", "/units", code=code, name=code, kind=kind, parent_id=parent)
        self.now.parents[unit], self.codes[unit] = parent, code
        return unit

    async def _register_project(self) -> None:
        unit, code = self._one_of(self._open_units()), self._name()
        told = {"code": code, **TITLE, "currency": "EUR", "source": self.code, "reference": code}
        project = await self._make("portfolio", "/projects", unit_id=unit, **told)
        self.now.projects[project] = unit
        await self._appoint(str(derived_id("sponsor", project)), "sponsor", NOW, project_id=project)

    async def _move_unit(self) -> None:
        moving = self._one_of(each for each in self._open_units() if each not in self.officers)
        parent = self._one_of(each for each in self._open_units() if moving not in self.now.above(each))
        await self._tell("portfolio", "POST", f"/units/{moving}/move", {"parent_id": parent, "reason": "r"})
        self.now.parents[moving] = parent

    async def _move_project(self) -> None:
        project, unit = self._one_of(self.now.projects), self._one_of(self._open_units())
        await self._tell("portfolio", "POST", f"/projects/{project}/move", {"unit_id": unit, "reason": "r"})
        self.now.projects[project] = unit

    async def _move_person(self) -> None:
        person, unit = self._one_of(self.people), self._one_of(self._open_units())
        await self._tell("portfolio", "PUT", f"/people/{person}/unit", {"unit_id": unit})
        self.now.people[person] = unit

    async def _close_unit(self) -> None:
        above = {self.now.parents[each] for each in self._open_units()}
        leaves = [each for each in self._open_units() if each not in above and each not in self.officers]
        if len(leaves) > 1:
            unit = self._one_of(leaves)
            await self._tell("portfolio", "POST", f"/units/{unit}/closure", {"reason": "r"})
            self.now.closed.add(unit)

    async def _make_appointment(self) -> None:
        person, role, term = self._one_of(self.people[2:]), self._one_of(ROLES), self._one_of((NOW, NOW, OVER, TO_COME))
        at_unit, at_project = self._one_of(self._open_units()), self._one_of(self.now.projects)
        place = self._one_of([{"unit_id": at_unit}, {"project_id": at_project}])
        await self._appoint(person, role, term, **place)

    async def _end_appointment(self) -> None:
        if ending := [id for id, held in self.now.held.items() if held.person_id in self.people[2:]]:
            appointment = self._one_of(ending)
            await self._tell("portfolio", "POST", f"/appointments/{appointment}/end", {"reason": "r"})
            self.now.held[appointment].is_ended = True

    async def _delegate(self) -> None:
        original, held = self._one_of(
            [(id, held) for id, held in self.now.held.items() if not (held.is_ended or held.delegated_from)]
        )
        other = self._one_of(each for each in self.people[2:] if each != held.person_id)
        until_on = held.until_on or date(2999, 12, 31)
        delegated = replace(held, person_id=other, until_on=until_on, delegated_from=original)
        path = f"/appointments/{original}/delegations"
        self.now.held[await self._make("portfolio", path, person_id=other, **delegated.term)] = delegated

    async def _appoint_manager(self) -> None:
        project, person = self._one_of(self.now.projects), self._one_of(self.people)
        told = {"person_id": person, "job_title": "m", "from_on": "2026-01-01"}
        await self._tell("portfolio", "POST", f"/projects/{project}/manager", told)
        self.now.managers[project] = person

    async def _appoint(
        self,
        person: str,
        role: str,
        term: tuple[date, date | None],
        *,
        unit_id: str | None = None,
        project_id: str | None = None,
    ) -> None:
        held = Held(person, role, unit_id, project_id, *term)
        told = {"person_id": person, "role": role, "unit_id": unit_id, "project_id": project_id, **held.term}
        self.now.held[await self._make("portfolio", "/appointments", **told)] = held

    async def _make(self, service: str, path: str, **body: Any) -> str:
        return str((await self._tell(service, "POST", path, body)).json()["id"])

    async def _tell(self, service: str, method: str, path: str, body: Mapping[str, Any]) -> httpx.Response:
        seen = {"Consistency-Token": self.token} if self.token else {}
        answer = await self.clients[service].request(method, path, json=body, headers=seen)
        assert answer.is_success, (method, path, body, answer.text)
        if service == "portfolio":
            self.token = answer.headers["Consistency-Token"]
        return answer

    def _open_units(self) -> Sequence[str]:
        return [each for each in self.codes if each not in self.now.closed]

    def _one_of[Thing](self, things: Iterable[Thing]) -> Thing:
        return self.random.choice(list(things))

    def _name(self) -> str:
        self._number += 1
        return f"{self.code}-{self._number}"
