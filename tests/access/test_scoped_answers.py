"""However units and projects move: who asks gets the enterprise's answer cut to their scope, and one owner may act."""

import json
from asyncio import gather
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from random import Random
from typing import Any, NamedTuple
from uuid import UUID

import httpx
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from steerco.edition.services import SERVICES
from steerco_events.envelope import Actor
from steerco_events.ids import derived_id, new_id
from steerco_service.identity.principal import Principal
from steerco_service.testkit.answers import Said, said
from steerco_service.testkit.serving import Served
from tests.access.asking import Asking, Clients
from tests.access.cutting import Ground, audits_are_cut, feeds_are_cut, learners_are_cut, lists_are_cut
from tests.access.reorganizing import RATING, SCREENING, TITLE, Reorganizing
from tests.access.sight import Picture
from tests.access.worlds import created

ROUNDS = 3

SAMPLE = 5
"""Of so many units, and of so many projects, the reports are asked for, at each instant."""

SCOPED_REPORTS = ("/portfolio", "/register", "/appointments", "/people")
WITHOUT_MONEY = ("/appointments", "/people")
"""The reports that all see who have a role."""

NOBODY_HAS = str(derived_id("nobody has this"))


class Moment(NamedTuple):
    """How an organization was placed at an instant."""

    at: datetime
    picture: Picture


@pytest.fixture(scope="module")
async def ground(served: Served, clients: dict[str, httpx.AsyncClient]) -> Ground:
    root = await created(clients["portfolio"], "/units", code="ENT", name="Enterprise", kind="enterprise")
    return Ground(served, clients, root)


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=3, deadline=None, phases=[Phase.reuse, Phase.generate])  # a seed has nothing to shrink
async def test_who_asks_gets_what_is_in_their_scope_and_one_owner_may_act(ground: Ground, seed: int) -> None:
    built = Reorganizing(f"R{new_id().hex[-12:]}", ground.root, Random(seed), ground.clients)
    await built.begin()
    owners = (*built.officers.values(), *built.risk_managers.values())
    known = {person: await clients_of(ground.served, person) for person in (*built.people, *owners)}
    clock = ground.served.runtime("portfolio").clock

    def asking(person: str) -> Asking:
        return Asking.of(person, known[person], built.now, clock.now().date(), built.token)

    moments = []
    for _ in range(ROUNDS):
        await built.deliver()
        await built.deliver()
        await built.reorganize()
        await ground.served.settled()
        moments.append(Moment(clock.now(), built.now.picture()))
        await each_open_item_has_one_owner(built, {person: asking(person) for person in owners})
        await ground.served.settled()
        await lists_are_cut(ground, [asking(person) for person in built.people])
    people = [asking(person) for person in built.people]
    await learners_are_cut(ground, built, people)
    await feeds_are_cut(ground, people)
    await audits_are_cut(ground, [*people, *(asking(officer) for officer in built.officers.values())])
    await what_is_outside_is_as_what_nobody_has(built, people)
    await reports_are_there_for_whom_they_were(ground, built, people, moments)


async def clients_of(served: Served, person: str) -> Clients:
    principal = Principal(Actor(UUID(person), "Somebody"), "tests")
    return {service.name: await served.client(service.name, principal) for service in SERVICES}


async def each_open_item_has_one_owner(built: Reorganizing, owners: Mapping[str, Asking]) -> None:
    """A pitch that waits, a risk, a project and an appointment there: its own business unit's, wherever it was."""
    for item in open_items(built):
        (responsible,) = [each for each in built.now.above(item.unit_id) if each in item.owners]
        for unit, owner in item.owners.items():
            answer = await owners[owner].ask(item.service, item.path, item.method, json=item.body)
            status = 204 if unit == responsible else 404
            assert answer.status_code == status, (item, built.codes[unit], answer.text)


class Item(NamedTuple):
    """What somebody has to act on, the unit that has it, and who may be responsible, by unit."""

    unit_id: str
    owners: Mapping[str, str]
    service: str
    method: str
    path: str
    body: Mapping[str, Any]


def open_items(built: Reorganizing) -> Iterator[Item]:
    now = built.now
    for pitch, unit in now.pitches.items():
        yield Item(unit, built.officers, "intake", "POST", f"/pitches/{pitch}/screening", SCREENING)
    for risk, project in now.risks.items():
        unit = now.projects[project]
        yield Item(unit, built.risk_managers, "risk", "POST", f"/risks/{risk}/rating", RATING)
    for project, unit in now.projects.items():
        yield Item(unit, built.officers, "portfolio", "PUT", f"/projects/{project}/title", TITLE)
    for appointment, held in now.held.items():
        if held.project_id and not held.is_ended:
            unit, path = now.projects[held.project_id], f"/appointments/{appointment}/term"
            yield Item(unit, built.officers, "portfolio", "PUT", path, held.term)


async def what_is_outside_is_as_what_nobody_has(built: Reorganizing, people: Sequence[Asking]) -> None:
    for person in people:
        nothing: dict[str, Said] = {}
        for service, path, id, is_there in records(built, person):
            answer = await person.ask(service, path.format(id))
            status = 403 if not person.sight_in(service) else 200 if is_there else 404
            assert answer.status_code == status, (path, answer.text)
            if status != 200:
                if path not in nothing:
                    nothing[path] = said(await person.ask(service, path.format(NOBODY_HAS)))
                status, body, headers = said(answer)
                assert (status, json.loads(json.dumps(body).replace(id, NOBODY_HAS)), headers) == nothing[path]


def records(built: Reorganizing, person: Asking) -> Iterator[tuple[str, str, str, bool]]:
    """Single records: the service, the path, the id, and whether it is there; not those whose money alone is hidden."""
    now, sight, money = built.now, person.sight, person.money
    for unit in built.codes:
        yield "portfolio", "/units/{}", unit, sight.has_unit(unit)
    for project in now.projects:
        yield "portfolio", "/projects/{}", project, sight.has_project(project)
    for appointment, held in now.held.items():
        yield "portfolio", "/appointments/{}", appointment, sight.has_appointment(held)
    for pitch, unit in now.pitches.items():
        yield "intake", "/pitches/{}", pitch, sight.has_unit(unit)
    for risk, project in now.risks.items():
        yield "risk", "/risks/{}", risk, sight.has_project(project)
    for completion, learner in now.completions.items():
        yield "training", "/completions/{}", completion, sight.has_person(learner)
    budgets = [("/projects/{}/figures", project, project) for project in now.projects]
    postings = [("/postings/{}", posting, project) for posting, project in now.postings.items()]
    for path, id, project in (*budgets, *postings):
        if money.has_project(project) or not sight.has_project(project):
            yield "finance", path, id, money.has_project(project)


async def reports_are_there_for_whom_they_were(
    ground: Ground, built: Reorganizing, people: Sequence[Asking], moments: Sequence[Moment]
) -> None:
    """Of a scope at an instant, for whom it was in scope then, by what they are granted now."""
    office = ground.clients["reporting"]
    for at, picture in moments:
        units, projects = (built.random.sample([*each], SAMPLE) for each in (built.codes, built.now.projects))
        asked: list[tuple[str, Mapping[str, str], str | None, str | None]] = [
            *((path, {"scope": built.codes[unit]}, unit, None) for unit in units for path in SCOPED_REPORTS),
            *((f"/stories/{project}", {}, None, project) for project in projects),
        ]
        for path, params, unit, project in asked:
            query = {**params, "as_of": at.isoformat()}
            asks = (person.ask("reporting", path, params=query) for person in people)
            whole, *answers = await gather(office.get(path, params=query), *asks)
            assert whole.status_code == 200, whole.text
            for person, answer in zip(people, answers, strict=True):
                sight = person.sight if path in WITHOUT_MONEY else person.money
                if not sight:
                    assert answer.status_code == 403, answer.text
                elif sight.has_unit(unit, picture) or sight.has_project(project, picture):
                    assert answer.status_code == 200, (path, query)
                    assert told(answer) == person.told_in(told(whole), picture, built.codes), (path, query)
                else:
                    assert answer.status_code == 404, (path, query, answer.text)

    logs = positions(await office.get("/sources"))
    for person in people:
        answer = await person.ask("reporting", "/sources")
        assert positions(answer) == logs if person.sight else answer.status_code == 403


def positions(answer: httpx.Response) -> Mapping[str, Any]:
    """How far each log is known: everybody is told so, of the whole of it."""
    return {log: each["position"] for log, each in answer.json()["sources"].items()}


def told(answer: httpx.Response) -> Any:
    """An answer, but for how far the logs are known: that goes on between two questions."""
    body = answer.json()
    return {name: body[name] for name in body if name not in ("complete", "sources")} if "sources" in body else body
