"""Every operation × every role × inside and outside of where the role is held."""

from collections.abc import Mapping
from typing import NamedTuple

import httpx
import pytest

from steerco.edition.services import SERVICES
from steerco_service.access.permissions import OFFICE, ROLES, NoPermission, permission_of
from steerco_service.testkit.serving import Served
from tests.access.operations import BODIES, Operation, operations, path_of
from tests.access.worlds import World, created, somebody, world

OPERATIONS = sorted(set(operations()))
NAMED_IN_BODY = {
    "submit_pitch",
    "resubmit_pitch",
    "open_unit",
    "register_project",
    "move_project",
    "register_person",
    "make_appointment",
    "post_actual_cost",
    "raise_risk",
    "record_completion",
}
"""What names its place in the body: outside it is said to be unknown, by 404 or 422."""

EMPTY = {"one_learner"}
"""What answers an id that it does not know with an empty list."""


SCOPED = {"portfolio", "register", "appointments", "people"}
"""What names a scope in the question."""


class Worlds(NamedTuple):
    inside: World
    outside: World
    asking: Mapping[str, Mapping[str, httpx.AsyncClient]]
    """A client of each service, by role: of who has that role inside."""


@pytest.fixture(scope="module")
async def worlds(served: Served, clients: dict[str, httpx.AsyncClient]) -> Worlds:
    enterprise = await created(clients["portfolio"], "/units", code="ENT", name="Enterprise", kind="enterprise")
    inside = await world(served, clients, enterprise, "ALPHA")
    outside = await world(served, clients, enterprise, "OMEGA")
    asking: dict[str, Mapping[str, httpx.AsyncClient]] = {
        role: {each.name: await served.client(each.name, somebody(role, "ALPHA")) for each in SERVICES}
        for role in sorted(ROLES)
    }
    return Worlds(inside, outside, asking)


async def ask(client: httpx.AsyncClient, operation: Operation, where: World) -> httpx.Response:
    body = BODIES[operation.name](where) if operation.name in BODIES else None
    scope = {"scope": f"{where.code}-unit"} if operation.name in SCOPED else None
    return await client.request(operation.method, path_of(operation, where), json=body, params=scope)


def test_an_operation_of_which_nobody_said_who_may_call_it_is_not_served() -> None:
    with pytest.raises(NoPermission, match=r"intake\.burn_pitch"):
        permission_of("intake", "burn_pitch")


async def test_every_operation_that_openapi_shows_is_asked_here(served: Served) -> None:
    documents = {name: app.openapi()["paths"] for name, app in served.apps.items()}
    shown = {
        (name, method.upper(), path) for name, paths in documents.items() for path in paths for method in paths[path]
    }
    assert shown
    assert shown <= {(each.service, each.method, each.path.replace(":path}", "}")) for each in OPERATIONS}


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: f"{each.service}-{each.name}-{each.method}")
async def test_a_role_may_inside_what_the_table_says_and_outside_nothing_is_there(
    worlds: Worlds, operation: Operation
) -> None:
    permission = permission_of(operation.service, operation.name)
    for role in sorted(ROLES):
        client = worlds.asking[role][operation.service]
        inside = await ask(client, operation, worlds.inside)
        outside = await ask(client, operation, worlds.outside)
        said = f"{role}: {inside.status_code} {inside.text[:300]}; outside {outside.status_code} {outside.text[:300]}"
        for mark in worlds.outside.marks if operation.method == "GET" else ():
            assert mark not in inside.text, f"{said}: {mark}"
            assert mark not in outside.text or mark in str(outside.request.url), f"{said}: {mark}"
        if permission.is_for_services:
            assert (inside.status_code, outside.status_code) == (403, 403), said
        elif not permission.needs_role:
            assert inside.status_code < 500, said
            assert inside.status_code not in (401, 403), said
        elif operation.name == "delegate_appointment" and role not in OFFICE:
            assert (inside.status_code, outside.status_code) == (403, 404), said
        elif role not in permission.roles or permission.is_whole:
            assert (inside.status_code, outside.status_code) == (403, 403), said
        else:
            assert inside.status_code < 500, said
            assert inside.status_code not in (401, 403, 404), said
            if operation.name in NAMED_IN_BODY:
                assert outside.status_code in (404, 422), said
            elif "{" in operation.path and operation.name not in EMPTY:
                assert outside.status_code == 404, said


async def test_whoever_has_no_role_is_refused_everything_that_needs_one(served: Served, worlds: Worlds) -> None:
    nobody = somebody("nobody", "NOWHERE")
    clients = {each.name: await served.client(each.name, nobody) for each in SERVICES}
    for operation in OPERATIONS:
        if permission_of(operation.service, operation.name).needs_role:
            answer = await ask(clients[operation.service], operation, worlds.inside)
            assert answer.status_code == 403, (operation, answer.text)
