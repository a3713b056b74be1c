"""What who has a role at a part of the enterprise is told of it, and of where projects are."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from sqlalchemy import text

from steerco_events.envelope import Actor
from steerco_events.ids import derived_id
from steerco_reporting.projections.units import Organization, UnitRow, UnknownScope
from steerco_service.access.scope import Scope
from steerco_service.identity.principal import Principal
from steerco_service.testkit.serving import Served

HERE, ELSEWHERE = derived_id("unit", "here"), derived_id("unit", "elsewhere")


async def client_of(served: Served, name: str) -> httpx.AsyncClient:
    """What somebody of whom the logs tell asks by."""
    return await served.client("reporting", Principal(Actor(derived_id("person", name), "Controller"), "tests"))


@asynccontextmanager
async def parked(served: Served, stream: str) -> AsyncIterator[None]:
    """Inside, a stream of portfolio's log is parked for reporting's view."""
    runtime, values = served.runtime("reporting"), {"stream": stream}
    async with runtime.engine.begin() as tx:
        values["consumer"] = (await runtime.builds.live(tx)).checkpoints.consumer
        await tx.execute(
            text(
                "INSERT INTO log.parked (consumer, service, stream, partition, error, parked_at, tried_at)"
                " VALUES (:consumer, 'portfolio', :stream, 0, 'e', now(), now())"
            ),
            values,
        )
    await runtime.access.known(fresh=True)
    yield
    async with runtime.engine.begin() as tx:
        await tx.execute(text("DELETE FROM log.parked WHERE consumer = :consumer AND stream = :stream"), values)
    await runtime.access.known(fresh=True)


SCOPED = ("/portfolio", "/register", "/appointments")


@pytest.mark.parametrize("path", SCOPED)
async def test_who_has_a_role_at_projects_only_is_told_that_a_scope_is_a_unit(served: Served, path: str) -> None:
    at_project = await client_of(served, "lead")
    for scope in ("enterprise", "SUP", "nothing"):
        answer = await at_project.get(path, params={"scope": scope})
        assert (answer.status_code, answer.json()["type"]) == (404, "urn:steerco:problem:unknown-scope")
        assert answer.json()["detail"] == (
            "this is asked at a unit, with all below it, and what you have roles at here is projects only"
        )
    assert (await at_project.get("/stories/R-2")).status_code == 200


@pytest.mark.parametrize("path", SCOPED)
async def test_who_asks_for_a_time_before_their_units_is_told_so(served: Served, path: str) -> None:
    before = {"as_of": "2025-01-01T00:00:00Z", "scope": "SUP"}
    for name, expected in (("controller", "no unit was opened yet"), ("lead", "projects only")):
        answer = await (await client_of(served, name)).get(path, params=before)
        assert answer.status_code == 404
        assert expected in answer.json()["detail"]


@pytest.mark.parametrize(
    ("within", "expected"),
    [
        (Scope(is_whole=True), "no unit has the code 'NOWHERE'"),
        (Scope(tops=frozenset({HERE})), "no unit has the code 'NOWHERE'"),
        (Scope(tops=frozenset({ELSEWHERE})), "none of the units that you have roles at was there then"),
        (Scope(projects=frozenset({ELSEWHERE})), "projects only"),
    ],
    ids=["the whole", "a unit", "a later unit", "a project"],
)
def test_why_there_is_no_such_scope_is_said_to_each_as_it_is(within: Scope, expected: str) -> None:
    organization = Organization([UnitRow(HERE, "HERE", "Here", "department", None, True, ())])
    with pytest.raises(UnknownScope, match=expected):
        organization.scope("NOWHERE", within)


async def codes(client: httpx.AsyncClient) -> set[str]:
    """The projects of the south in the register."""
    answer = await client.get("/register", params={"scope": "SUP"})
    assert answer.status_code == 200, answer.text
    return {each["code"] for each in answer.json()}


async def test_a_project_of_which_it_is_not_known_where_it_is_now_is_in_no_answer_at_a_unit(
    served: Served, reporting: httpx.AsyncClient
) -> None:
    at_unit = await client_of(served, "controller")
    before = await codes(at_unit)
    gone = min(before)
    project_id = (await reporting.get(f"/stories/{gone}")).json()["project_id"]
    async with parked(served, f"project-{project_id}"):
        assert await codes(at_unit) == before - {gone}
        assert (await at_unit.get(f"/stories/{gone}")).status_code == 404
        totals = (await at_unit.get("/portfolio", params={"scope": "SUP"})).json()["totals"]
        assert totals["projects"] == len(before) - 1
        assert await codes(reporting) == before
    assert await codes(at_unit) == before
