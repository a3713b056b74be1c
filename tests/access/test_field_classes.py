"""Fields of a class are left out for readers without the right to them: in answers, sums, the feed, a story."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
import pytest

from steerco_events.contracts.catalog import CATALOG
from steerco_events.contracts.values import classed_fields
from steerco_events.envelope import Actor
from steerco_events.ids import derived_id, new_id
from steerco_service.identity.principal import Principal
from steerco_service.testkit.listening import listening
from steerco_service.testkit.serving import Served

LIC, SUP = derived_id("unit", "LIC"), derived_id("unit", "SUP")
PROJECT, MOVED = derived_id("project", "P-1"), derived_id("project", "P-2")
POSTED = {"source": "ledger", "reference": "INV-1", "cost": {"amount": "12.50", "currency": "EUR"}}
ROW = {"source": "register", "reference": "1", "said": {"budget": "1250.00"}}
ROLES = ("viewer", "contributor", "project_support", "finance_controller", "integration")
OF_A_PART = "viewer who is controller of LIC"


@dataclass(frozen=True)
class World:
    """A project with a cost and a person at LIC, and readers with a role there.

    Another project with a cost was at LIC, too, at the instant `before`, and is at SUP since. One reader sees all, and
    commercial fields at LIC.
    """

    served: Served
    posting: str
    person: str
    token: str
    people: dict[str, UUID]
    before: str

    async def reader(self, role: str, service: str) -> httpx.AsyncClient:
        """A client of who has that role."""
        return await self.served.client(service, Principal(Actor(self.people[role], role), "tests"))


@pytest.fixture(scope="module")
async def world(served: Served, clients: dict[str, httpx.AsyncClient]) -> World:
    async def sent(service: str, path: str, body: dict[str, Any]) -> httpx.Response:
        answer = await clients[service].post(path, json=body)
        assert answer.status_code == 201, answer.text
        return answer

    root = {"unit_id": str(new_id()), "code": "COM", "name": "Commission", "kind": "enterprise"}
    await sent("portfolio", "/units", root)
    for unit_id, code in ((LIC, "LIC"), (SUP, "SUP")):
        unit = {"unit_id": str(unit_id), "code": code, "name": code, "kind": "business_unit"}
        await sent("portfolio", "/units", unit | {"parent_id": root["unit_id"]})
    for project_id, code in ((PROJECT, "P-1"), (MOVED, "P-2")):
        project = {"project_id": str(project_id), "code": code, "title": code, "unit_id": str(LIC), "currency": "EUR"}
        await sent("portfolio", "/projects", project | {"source": "register", "reference": code})
    kept = await clients["portfolio"].put(f"/projects/{PROJECT}/register-row", json=ROW)
    assert kept.status_code == 204, kept.text
    people = {role: new_id() for role in (*ROLES, OF_A_PART)}
    held = [(person_id, role, str(LIC)) for role, person_id in people.items() if role in ROLES]
    held += [(people[OF_A_PART], "viewer", root["unit_id"]), (people[OF_A_PART], "finance_controller", str(LIC))]
    for person_id, role, where in held:
        body = {"person_id": str(person_id), "role": role, "unit_id": where, "from_on": "2026-01-01"}
        await sent("portfolio", "/appointments", body)
    person = await sent("portfolio", "/people", {"name": "Ada", "email": "ada@b.example", "unit_id": str(LIC)})
    await served.settled()
    posted = POSTED | {"project_id": str(PROJECT), "incurred_on": "2026-02-01", "period": "fiscal_year 2026"}
    posting = await sent("finance", "/postings", posted)
    wrong = await sent("finance", "/postings", posted | {"reference": "INV-2"})
    token = {"Consistency-Token": wrong.headers["Consistency-Token"]}
    gone = {"reason": "Twice"}
    reversal = await clients["finance"].post(f"/postings/{wrong.json()['id']}/reversal", json=gone, headers=token)
    assert reversal.status_code == 204, reversal.text
    await sent("finance", "/postings", posted | {"reference": "INV-3", "project_id": str(MOVED)})
    await served.settled()
    before = served.runtime("portfolio").clock.now().isoformat()
    moved = await clients["portfolio"].post(f"/projects/{MOVED}/move", json={"unit_id": str(SUP), "reason": "r"})
    assert moved.status_code == 204, moved.text
    await served.settled()
    seen = reversal.headers["Consistency-Token"]
    return World(served, posting.json()["id"], person.json()["id"], seen, people, before)


def test_what_is_personal_and_commercial_is_said_by_the_contracts() -> None:
    found = {
        each.name.rpartition(".")[2]: classed_fields(each.payload, "personal")
        + classed_fields(each.payload, "commercial")
        for each in CATALOG
    }
    assert {name: fields for name, fields in found.items() if fields} == {
        "person-registered": ("name", "email"),
        "person-details-corrected": ("name", "email"),
        "actual-cost-posted": ("source", "reference", "cost"),
        "register-row-kept": ("said",),
    }


@pytest.mark.parametrize(("role", "is_seen"), [("finance_controller", True), ("viewer", False)])
async def test_a_cost_is_shown_with_its_document_to_who_may_see_it(world: World, role: str, is_seen: bool) -> None:
    reader = await world.reader(role, "finance")
    one = (await reader.get(f"/postings/{world.posting}")).json()
    listed = (await reader.get("/postings")).json()
    assert [each for each in listed if each.items() <= one.items()]
    shown = POSTED | {"withheld": None}
    hidden = dict.fromkeys(POSTED) | {"withheld": "not permitted"}
    assert {name: one[name] for name in shown} == (shown if is_seen else hidden)
    assert one["project_id"] == str(PROJECT)
    assert len((await reader.get("/postings", params={"reference": "INV-1"})).json()) == is_seen


@pytest.mark.parametrize(("role", "is_seen"), [("finance_controller", True), ("viewer", False)])
async def test_the_feed_leaves_out_what_a_reader_may_not_see(world: World, role: str, is_seen: bool) -> None:
    seen = {"Consistency-Token": world.token}
    events = (await (await world.reader(role, "finance")).get("/events", headers=seen)).json()
    posted, *_ = [each for each in events if each["type"] == "steerco.finance.actual-cost-posted"]
    assert set(POSTED).issubset(posted["data"]) is is_seen
    assert posted.get("withheld") == (None if is_seen else "source reference cost")
    assert posted["data"]["incurred_on"] == "2026-02-01"
    people = (await (await world.reader(role, "portfolio")).get("/events")).json()
    (registered,) = [each for each in people if each["type"] == "steerco.portfolio.person-registered"]
    assert ("name" in registered["data"]) is is_seen


async def test_the_stream_leaves_it_out_too(world: World) -> None:
    authorization = (await world.reader("viewer", "finance")).headers["Authorization"]
    headers = {"Accept": "text/event-stream", "Authorization": authorization}
    async with (
        listening(world.served.apps["finance"]) as running,
        httpx.AsyncClient(base_url=running.url, headers=headers) as reader,
        reader.stream("GET", "/events") as stream,
    ):
        async for line in stream.aiter_lines():
            if "actual-cost-posted" in line and line.startswith("data: "):
                assert "INV-1" not in line
                assert "12.50" not in line
                return


@pytest.mark.parametrize(("role", "is_seen"), [("finance_controller", True), ("viewer", False)])
async def test_a_story_tells_the_cost_to_who_may_see_it(world: World, role: str, is_seen: bool) -> None:
    reader = await world.reader(role, "reporting")
    story = (await reader.get("/stories/P-1", headers={"Consistency-Token": world.token})).json()
    told = [line["what"] for line in story["lines"] if line["service"] == "finance"]
    posted = [f"Cost posted: 12.50 EUR incurred on 2026-02-01 (ledger INV-{n})" for n in (1, 2)]
    whole = [*posted, "Posting reversed: ledger INV-2"]
    assert told == (whole if is_seen else ["Cost posted", "Cost posted", "Posting reversed"])


@pytest.mark.parametrize(
    ("role", "scope", "is_seen"),
    [
        ("finance_controller", "LIC", True),
        ("viewer", "LIC", False),
        ("project_support", "LIC", False),
        (OF_A_PART, "LIC", True),
        (OF_A_PART, "SUP", False),
        (OF_A_PART, "COM", False),
    ],
)
async def test_costs_are_summed_for_who_may_see_all_of_them(world: World, role: str, scope: str, is_seen: bool) -> None:
    totals = await summed(world, role, scope=scope)
    assert totals == (told("12.50") if is_seen else (None, "not permitted"))


async def test_costs_are_summed_as_of_an_instant_for_who_may_see_them_where_they_are_now(world: World) -> None:
    for role in ("finance_controller", OF_A_PART):
        assert await summed(world, role, scope="LIC", as_of=world.before) == (None, "not permitted")
    assert await summed(world, None, scope="LIC", as_of=world.before) == told("25.00")


async def summed(world: World, role: str | None, **asked: str) -> tuple[Any, Any]:
    """The costs of a scope for who has a role, or for who sees all; and why there are none."""
    reader = await (world.reader(role, "reporting") if role else world.served.client("reporting"))
    answer = await reader.get("/portfolio", params=asked)
    assert answer.status_code == 200, answer.text
    totals = answer.json()["totals"]
    return totals["actual_costs"], totals["withheld"]


def told(amount: str) -> tuple[Any, Any]:
    return [{"period": "fiscal_year 2026", "currency": "EUR", "amount": amount}], None


@pytest.mark.parametrize(
    ("role", "is_seen"),
    [("finance_controller", True), ("integration", True), ("viewer", False), ("contributor", False)],
)
async def test_what_a_register_says_is_shown_to_who_may_see_money_in_it(world: World, role: str, is_seen: bool) -> None:
    reader = await world.reader(role, "portfolio")
    (row,) = (await reader.get("/register-rows")).json()
    said = {"said": ROW["said"], "withheld": None} if is_seen else {"said": None, "withheld": "not permitted"}
    assert row == ROW | {"project_id": str(PROJECT)} | said
    (kept,) = (await reader.get("/events", params={"type": "steerco.portfolio.register-row-kept"})).json()
    assert ("said" in kept["data"]) is is_seen
    assert kept.get("withheld") == (None if is_seen else "said")


@pytest.mark.parametrize(("role", "is_seen"), [("project_support", True), ("viewer", False)])
async def test_who_somebody_is_is_shown_to_who_may_see_it(world: World, role: str, is_seen: bool) -> None:
    for service in ("portfolio", "reporting"):
        params = {"scope": "LIC"} if service == "reporting" else {}
        (ada,) = (await (await world.reader(role, service)).get("/people", params=params)).json()
        assert ada["name"] == ("Ada" if is_seen else None)
        assert ada["withheld"] == (None if is_seen else "not permitted")
