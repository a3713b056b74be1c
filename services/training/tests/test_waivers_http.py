"""Who may waive an obligation: where the project is that it comes from, wherever else the person has a role."""

from collections.abc import AsyncIterator
from uuid import UUID

import httpx
import pytest

from steerco_events.contracts import training
from steerco_events.contracts.portfolio import Role
from steerco_events.ids import new_id
from steerco_servers.testing import TemporaryPostgres
from steerco_service.identity.principal import Principal
from steerco_service.testkit.scopes import (
    HARBOR,
    NORTH,
    SOUTH,
    appointed,
    made,
    organized,
    project_registered,
    somebody,
)
from steerco_service.testkit.serving import TESTER, Served, serving
from steerco_training.app import SERVICE


@pytest.fixture(scope="module")
async def served(postgres: TemporaryPostgres) -> AsyncIterator[Served]:
    async with serving([SERVICE], postgres) as running:
        await organized(running)
        yield running


async def owed(served: Served, unit_id: UUID, *, is_placed: bool = True) -> tuple[UUID, UUID, str]:
    """A project of a unit, somebody who owes a course because of it and has a role in the south, and the waiver."""
    project, obligation_id, person = project_registered(unit_id), new_id(), somebody()
    project_id = project.project_id
    if is_placed:
        await served.append("portfolio", f"project-{project_id}", project)
    raised = training.ObligationRaised(
        obligation_id=obligation_id,
        person_id=person.actor.id,
        job_title="m",
        project_id=project_id,
        course="project-management-essentials",
        due_on=served.runtime("training").clock.now().date(),
        cause_id=new_id(),
        cause_type="t",
    )
    await served.append("training", f"learner-{person.actor.id}", raised)
    await appointed(served, made(person, unit_id=SOUTH))
    return project_id, person.actor.id, f"/learners/{person.actor.id}/obligations/{obligation_id}/waiver"


async def coordinator(served: Served, role: Role = "training_coordinator", **place: UUID | None) -> Principal:
    person = somebody()
    await appointed(served, made(person, role, place.pop("unit_id", None), **place))
    return person


async def waived(served: Served, person: Principal, waiver: str) -> httpx.Response:
    client = await served.client("training", person)
    return await client.post(waiver, json={"reason": "Teaches the course"})


@pytest.mark.parametrize("unit_id", [NORTH, HARBOR], ids=["above the project", "the project's own"])
async def test_who_coordinates_where_the_project_is_may(served: Served, unit_id: UUID) -> None:
    _, _, waiver = await owed(served, HARBOR)
    assert (await waived(served, await coordinator(served, unit_id=unit_id), waiver)).status_code == 204


async def test_who_coordinates_at_the_project_itself_may(served: Served) -> None:
    project_id, _, waiver = await owed(served, HARBOR)
    assert (await waived(served, await coordinator(served, project_id=project_id), waiver)).status_code == 204


async def test_who_coordinates_where_the_person_has_another_role_may_not(served: Served) -> None:
    _, _, waiver = await owed(served, HARBOR)
    answer = await waived(served, await coordinator(served, unit_id=SOUTH), waiver)
    assert (answer.status_code, answer.json()["type"]) == (403, "urn:steerco:problem:forbidden")
    assert answer.json()["detail"] == "this is about a project where you have no role for it"


async def test_who_sees_the_project_only_is_told_the_roles(served: Served) -> None:
    _, _, waiver = await owed(served, HARBOR)
    person = somebody()
    await appointed(served, made(person, "viewer", HARBOR), made(person, "training_coordinator", SOUTH))
    answer = await waived(served, person, waiver)
    assert answer.status_code == 403
    assert "training_coordinator" in answer.json()["detail"]


async def test_for_who_is_at_neither_there_is_nobody(served: Served) -> None:
    _, person_id, waiver = await owed(served, SOUTH)
    answer = await waived(served, await coordinator(served, unit_id=NORTH), waiver)
    assert answer.status_code == 404
    assert str(person_id) in answer.json()["detail"]


async def test_what_comes_of_a_project_that_is_not_known_yet_is_waived_in_the_whole_enterprise(served: Served) -> None:
    _, _, waiver = await owed(served, HARBOR, is_placed=False)
    assert (await waived(served, await coordinator(served, unit_id=NORTH), waiver)).status_code == 404
    assert (await waived(served, TESTER, waiver)).status_code == 204


async def test_an_obligation_that_is_not_there_is_asked_for_where_the_person_is(served: Served) -> None:
    _, person_id, _ = await owed(served, HARBOR)
    nothing = f"/learners/{person_id}/obligations/{new_id()}/waiver"
    answer = await waived(served, await coordinator(served, unit_id=SOUTH), nothing)
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:steerco:problem:unknown-obligation")
    answer = await waived(served, await coordinator(served, unit_id=NORTH), nothing)
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:steerco:problem:unknown-person")
