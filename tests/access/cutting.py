"""What lists, feeds and audits tell somebody is what they tell the enterprise, cut to the scope of who asks."""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import httpx

from steerco.edition.services import SERVICES
from steerco_service.testkit.serving import Served
from tests.access.asking import Asking, Clients
from tests.access.reorganizing import Reorganizing
from tests.access.sight import Sight

SMALL_PAGE = 7

LISTS = (
    ("portfolio", "/units"),
    ("portfolio", "/projects"),
    ("portfolio", "/register-rows"),
    ("portfolio", "/appointments"),
    ("portfolio", "/people"),
    ("intake", "/pitches"),
    ("finance", "/figures"),
    ("finance", "/postings"),
    ("risk", "/risks"),
    ("training", "/obligations"),
    ("training", "/completions"),
)

WITH_LOG = [service.name for service in SERVICES if service.owns_log]

type Ask = Callable[[str], Awaitable[httpx.Response]]


class Ground(NamedTuple):
    """An enterprise, and who asks for all of it."""

    served: Served
    clients: Clients
    root: str


async def lists_are_cut(ground: Ground, people: Sequence[Asking]) -> None:
    """Every list, in small pages."""
    for service, path in LISTS:
        whole = await listed(ground.clients[service].get, path, 500)
        for person in people:
            sight = person.sight_in(service)
            if not sight:
                assert (await person.ask(service, path)).status_code == 403
                continue
            cut = [person.shown(path, each) for each in whole if is_listed(path, each, sight)]
            assert await listed(partial(person.ask, service), path, SMALL_PAGE) == cut, (path, sight)


def is_listed(path: str, record: Mapping[str, Any], sight: Sight) -> bool:
    """Whether who sees so much is told of a record."""
    match path:
        case "/units" | "/pitches":
            return sight.has_unit(record["unit_id"])
        case "/appointments":
            held = sight.organization.held.get(record["appointment_id"])
            return held is not None and sight.has_appointment(held)
        case "/people":
            return sight.has_record(record["person_id"])
        case "/obligations":
            return sight.has_project(record["project_id"]) or sight.has_person(record["person_id"])
        case "/completions":
            return sight.has_person(record["person_id"])
        case _:
            return sight.has_project(record["project_id"])


async def listed(ask: Ask, path: str, limit: int) -> Sequence[Mapping[str, Any]]:
    """All pages of a list."""
    found: list[Mapping[str, Any]] = []
    following: str | None = path if path == "/units" else f"{path}?limit={limit}"
    while following:
        answer = await ask(following)
        assert answer.status_code == 200, answer.text
        found += answer.json()
        following = answer.links.get("next", {}).get("url")
    return found


async def learners_are_cut(ground: Ground, built: Reorganizing, people: Sequence[Asking]) -> None:
    """What each learner owes and has done, for whom the person is there."""
    for learner in built.people:
        path = f"/learners/{learner}"
        whole = without_actions((await ground.clients["training"].get(path)).json())
        for person in (each for each in people if each.sight):
            cut = whole if person.sight.has_person(learner) else {**whole, "obligations": [], "completions": []}
            assert without_actions((await person.ask("training", path)).json()) == cut


def without_actions(learner: Mapping[str, Any]) -> Mapping[str, Any]:
    """What is known of a learner: what may be done depends on who asks."""
    facts = {name: value for name, value in learner.items() if name != "actions"}
    return facts | {"obligations": [{**each, "actions": []} for each in learner["obligations"]]}


async def feeds_are_cut(ground: Ground, people: Sequence[Asking]) -> None:
    """The events of every log, to its end."""
    for service in WITH_LOG:
        whole, end = await fed(ground.clients[service].get)
        for person in (each for each in people if each.sight_in(service)):
            has_unit = person.sight_in(service).has_unit
            there = (each for each in whole if any(map(has_unit, each.get("orgunits", "").split(","))))
            cut = [person.told_of(each) for each in there]
            assert await fed(partial(person.ask, service), end) == (cut, end)


async def fed(ask: Ask, end: str | None = None) -> tuple[Sequence[Mapping[str, Any]], str]:
    """All events of a log that are there for who asks, up to its end or to one that was seen; and where that is."""
    found: list[Mapping[str, Any]] = []
    following = "/events?limit=1000" + ("&wait=1" if end else "")
    while True:
        answer = await ask(following)
        assert answer.status_code == 200, answer.text
        found += answer.json()
        following = answer.links["next"]["url"]
        place = httpx.URL(following).params["after"]
        if place == end or not (end or answer.json()):
            return found, place


async def audits_are_cut(ground: Ground, people: Sequence[Asking]) -> None:
    """In pages and given out whole; for the office, and who stands in for it, alone."""
    for service in WITH_LOG:
        whole = await listed(ground.clients[service].get, "/audit", 500)
        for person in people:
            exported = await person.ask(service, "/audit?format=ndjson")
            if not person.audited.tops:
                assert exported.status_code == 403, exported.text
                continue
            cut = [each for each in whole if any(map(person.audited.has_unit, each["units"]))]
            assert [json.loads(line) for line in exported.text.splitlines()] == cut
            assert await listed(partial(person.ask, service), "/audit", 500) == cut
