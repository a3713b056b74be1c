"""What a record says may be done with it now is what the commands then do: each situation × several callers."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import httpx
import pytest
from fastapi.routing import APIRoute

from steerco.edition.services import SERVICES
from steerco_events.ids import new_id
from steerco_service.actions import ALREADY
from steerco_service.headers import CONSISTENCY_TOKEN
from steerco_service.testkit.serving import Served
from tests.access.operations import BODIES
from tests.access.situations import SITUATIONS, Making, Record
from tests.access.worlds import World, appoint, created, somebody, world

ROLES_ASKING = ("pmo_officer", "project_manager", "viewer")
VALUES: Mapping[str, Any] = {
    "correct_person": lambda _: {"name": "another"},
    "move_person": lambda w: {"unit_id": w.unit},
    "erase_person": lambda _: {"reason": "r"},
    "resubmit_pitch": lambda w: BODIES["resubmit_pitch"](w) | {"title": "another"},
    "rename_unit": lambda _: {"name": "another"},
    "move_unit": lambda w: {"parent_id": w.department, "reason": "r"},
    "rename_project": lambda _: {"title": "another"},
    "state_dates": lambda _: {"start": {"on": "2026-05-01"}},
    "move_project": lambda w: {"unit_id": w.unit, "reason": "r"},
    "change_state": lambda _: {"reason": "r"},
    "decide_pitch": lambda _: {"reason": "r"},
    "change_appointment_term": lambda _: {"from_on": "2026-02-01", "until_on": "2026-02-02"},
    "delegate_appointment": lambda _: {
        "person_id": str(new_id()),
        "from_on": "2026-02-01",
        "until_on": "2026-02-02",
    },
    "record_completion": lambda _: {"course": "risk-essentials", "completed_on": "2026-01-02"},
}
"""What is sent beside what an action says of the body, where it is not what the other specs send."""


class Asked(NamedTuple):
    making: Making
    callers: Mapping[str, Mapping[str, httpx.AsyncClient]]


@pytest.fixture(scope="module")
async def asked(served: Served, clients: dict[str, httpx.AsyncClient]) -> Asked:
    enterprise = await created(clients["portfolio"], "/units", code="ENT", name="Enterprise", kind="enterprise")
    there = await world(served, clients, enterprise, "ALPHA")
    callers: dict[str, Mapping[str, httpx.AsyncClient]] = {"administrator": clients}
    for role in ROLES_ASKING:
        person = somebody(role, "ALPHA")
        callers[role] = {each.name: await served.client(each.name, person) for each in SERVICES}
    return Asked(Making(served, clients, there, enterprise), callers)


async def actions_of(client: httpx.AsyncClient, record: Record) -> list[dict[str, Any]]:
    """The actions of a record; none where it is not there."""
    answer = await client.get(record.path, headers=_having_seen(record))
    if answer.status_code in (403, 404):
        return []
    assert answer.status_code == 200, answer.text
    return record.actions(answer.json())


async def send(client: httpx.AsyncClient, action: Mapping[str, Any], record: Record, where: World) -> httpx.Response:
    """Send what an action tells, with values that keep the rules."""
    values = VALUES.get(action["name"]) or BODIES[action["name"]]
    body = values(where) | action["body"]
    if body.get("outcome") == "deferred":
        body |= {"until_on": "2998-01-01"}
    return await client.request(action["method"], action["href"], json=body, headers=_having_seen(record))


def _having_seen(record: Record) -> dict[str, str]:
    return {CONSISTENCY_TOKEN: record.token} if record.token else {}


@pytest.mark.parametrize("situation", SITUATIONS)
@pytest.mark.parametrize("caller", ["administrator", *ROLES_ASKING])
async def test_what_is_allowed_is_accepted_and_what_is_not_is_refused_as_said(
    asked: Asked, situation: str, caller: str
) -> None:
    make, making = SITUATIONS[situation], asked.making
    record = await make(making)
    client = asked.callers[caller][record.service]
    found = await actions_of(client, record)
    for action in (each for each in found if not each["is_allowed"]):
        answer = await send(client, action, record, making.world)
        said = f"{action}: {answer.status_code} {answer.text}"
        if action["because"] == ALREADY:
            assert (answer.status_code, action["type"]) == (204, None), said
        elif action["type"] is None:
            assert answer.status_code in (404, 422), said
        else:
            problem = answer.json()
            assert (problem["type"], problem["detail"]) == (action["type"], action["because"]), said
    assert await actions_of(client, record) == found
    for number, action in enumerate(found):
        if action["is_allowed"]:
            assert (action["because"], action["type"]) == (None, None)
            record = await make(making)
            anew = (await actions_of(client, record))[number]
            assert anew | {"href": action["href"]} == action
            answer = await send(client, anew, record, making.world)
            assert answer.status_code in (201, 204), f"{action}: {answer.status_code} {answer.text}"


def routes() -> Iterator[tuple[str, APIRoute]]:
    """Those of the services' own things."""
    for service in SERVICES:
        for route in (route for router in service.routers for route in router.routes):
            if isinstance(route, APIRoute):
                yield service.name, route


async def test_every_command_on_something_is_among_the_actions_of_a_record(asked: Asked) -> None:
    commands = {(service, route.name) for service, route in routes() if "{" in route.path and route.methods != {"GET"}}
    found = set()
    for make in SITUATIONS.values():
        record = await make(asked.making)
        actions = await actions_of(asked.callers["administrator"][record.service], record)
        found |= {(record.service, action["name"]) for action in actions}
    assert commands - found == set()
    assert found - commands == {("training", "record_completion")}


async def test_every_answer_of_one_record_has_actions(openapi: Any, served: Served) -> None:
    documents = openapi(served)
    for service, route in routes():
        if route.methods == {"GET"} and route.path.endswith("_id}"):
            content = documents[service]["paths"][route.path]["get"]["responses"]["200"]["content"]
            name = content["application/json"]["schema"]["$ref"].rpartition("/")[2]
            assert "actions" in documents[service]["components"]["schemas"][name]["required"], route.path


async def test_a_unit_is_moved_to_where_it_fits_and_the_caller_has_a_role(asked: Asked) -> None:
    making, world = asked.making, asked.making.world
    body = {"code": making.code(), "name": "n", "kind": "business_unit", "parent_id": making.enterprise}
    await making.made("portfolio", "/units", body)
    expected = {
        (world.department, "administrator"): None,
        (world.unit, "pmo_officer"): "a unit is moved by who has a role for it at the unit above, too",
        (world.unit, "administrator"): "there is no other unit that it could hang under",
    }
    for (unit, caller), because in expected.items():
        actions = await actions_of(asked.callers[caller]["portfolio"], Record("portfolio", f"/units/{unit}", ""))
        (move,) = (each for each in actions if each["name"] == "move_unit")
        assert (move["is_allowed"], move["because"]) == (because is None, because)


async def test_who_may_require_that_duties_are_kept_apart_is_told_whether_they_may_lift_it(asked: Asked) -> None:
    record = Record("portfolio", f"/units/{asked.making.world.unit}", "")
    for caller, lifts in (("administrator", True), ("pmo_officer", False)):
        actions = await actions_of(asked.callers[caller]["portfolio"], record)
        separating = [each for each in actions if each["name"] == "separate_duties"]
        assert {each["body"]["is_required"]: each["is_allowed"] for each in separating} == {True: True, False: lifts}


async def test_who_sees_the_whole_and_changes_a_part_is_told_what_the_part_allows(asked: Asked, served: Served) -> None:
    world, both = asked.making.world, somebody("auditor and officer", "ALPHA")
    client = await served.client("portfolio", both)
    await appoint(served, "auditor", both)
    await appoint(served, "pmo_officer", both, unit=world.unit)
    await served.settled()
    record = Record("portfolio", f"/projects/{world.project}", "")
    (move,) = (each for each in await actions_of(client, record) if each["name"] == "move_project")
    assert move["is_allowed"], move
    answer = await send(client, move, record, world)
    assert answer.status_code == 204, answer.text


async def test_who_holds_an_appointment_may_delegate_it_and_nothing_else(asked: Asked, served: Served) -> None:
    spare = await served.client("portfolio", somebody("spare", "ALPHA"))
    record = Record("portfolio", f"/appointments/{asked.making.world.appointment}", "")
    actions = await actions_of(spare, record)
    assert [each["name"] for each in actions if each["is_allowed"]] == ["delegate_appointment"]
    assert {each["type"] for each in actions if not each["is_allowed"]} == {"urn:steerco:problem:forbidden"}


async def test_nothing_is_written_when_actions_are_asked_for(asked: Asked, served: Served) -> None:
    record = await SITUATIONS["a person"](asked.making)
    client = asked.callers["administrator"]["portfolio"]
    for _ in range(2):
        await actions_of(client, record)
    answer = await client.get(record.path, headers=_having_seen(record))
    assert (answer.headers["ETag"], answer.json()["name"]) == ('"1"', "n")
