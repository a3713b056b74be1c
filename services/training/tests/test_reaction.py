"""An appointed manager owes the course, through the logs, against a real database."""

from collections.abc import AsyncIterator
from datetime import date
from typing import Any
from uuid import UUID

import httpx
import pytest

from steerco_events.contracts.portfolio import ProjectManagerAppointed, ProjectRenamed
from steerco_events.ids import new_id
from steerco_servers.testing import TemporaryPostgres
from steerco_service.testkit.serving import Served, log_only, serving
from steerco_training.app import SERVICE

COURSE = "project-management-essentials"
AHEAD = date(2999, 1, 1)


@pytest.fixture(scope="module")
async def served(postgres: TemporaryPostgres) -> AsyncIterator[Served]:
    async with serving([SERVICE, log_only("portfolio")], postgres) as running:
        yield running


@pytest.fixture(scope="module")
async def training(served: Served) -> httpx.AsyncClient:
    return await served.client("training")


async def appointed(
    served: Served,
    person_id: UUID,
    project_id: UUID | None = None,
    from_on: date = AHEAD,
    reason: str | None = None,
) -> UUID:
    """The project that the person was appointed to; returns when training has reacted."""
    project_id = project_id or new_id()
    event = ProjectManagerAppointed(
        project_id=project_id, person_id=person_id, job_title="Project manager", unit_id=new_id(), from_on=from_on
    )
    await served.append("portfolio", f"project-{project_id}", event, reason=reason, units=(event.unit_id,))
    await served.settled()
    return project_id


async def learner(training: httpx.AsyncClient, person_id: UUID) -> dict[str, Any]:
    answer = await training.get(f"/learners/{person_id}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def completed(training: httpx.AsyncClient, person_id: UUID, course: str = COURSE) -> str:
    body = {"person_id": str(person_id), "course": course, "completed_on": "2026-06-12"}
    answer = await training.post("/completions", json=body)
    assert answer.status_code == 201, answer.text
    completion_id: str = answer.json()["id"]
    return completion_id


async def test_an_appointed_manager_owes_the_course_because_of_the_appointment(
    served: Served, training: httpx.AsyncClient
) -> None:
    person_id = new_id()
    project_id = await appointed(served, person_id, reason="She knows the law")
    (owed,) = (await learner(training, person_id))["obligations"]
    assert {
        "person_id": str(person_id),
        "job_title": "Project manager",
        "project_id": str(project_id),
        "course": COURSE,
        "due_on": "2999-03-02",
        "cause_type": "steerco.portfolio.project-manager-appointed",
        "state": "open",
        "reason": None,
    }.items() <= owed.items()
    portfolio, runtime = served.runtime("portfolio"), served.runtime("training")
    async with portfolio.engine.connect() as connection:
        (cause,) = await portfolio.store.read_events(connection, f"project-{project_id}")
    async with runtime.engine.connect() as connection:
        (event,) = await runtime.store.read_events(connection, f"learner-{person_id}")
    assert owed["cause_id"] == str(cause.id)
    assert (event.causation_id, event.correlation_id) == (cause.id, cause.correlation_id)
    assert (event.reason, event.org_units) == ("She knows the law", cause.org_units)
    assert event.actor.job_title == "reaction raise_obligation_on_manager_appointed"


async def test_who_is_appointed_to_two_projects_or_twice_to_one_owes_the_course_once(
    served: Served, training: httpx.AsyncClient
) -> None:
    person_id = new_id()
    first = await appointed(served, person_id)
    await appointed(served, person_id)
    await appointed(served, person_id, first, from_on=date(2026, 1, 1))
    (owed,) = (await learner(training, person_id))["obligations"]
    assert (owed["project_id"], owed["due_on"], owed["state"]) == (str(first), "2999-03-02", "open")


async def test_a_completion_fulfills_what_is_owed(served: Served, training: httpx.AsyncClient) -> None:
    person_id = new_id()
    await appointed(served, person_id)
    await completed(training, person_id, "risk-essentials")
    assert (await learner(training, person_id))["obligations"][0]["state"] == "open"
    completion_id = await completed(training, person_id)
    found = await learner(training, person_id)
    assert found["obligations"][0]["state"] == "fulfilled"
    assert completion_id in [each["completion_id"] for each in found["completions"]]


async def test_who_completed_the_course_before_has_fulfilled_each_obligation_at_once(
    served: Served, training: httpx.AsyncClient
) -> None:
    person_id = new_id()
    await completed(training, person_id)
    projects = {str(await appointed(served, person_id)) for _ in range(2)}
    owed = (await learner(training, person_id))["obligations"]
    assert {each["project_id"] for each in owed} == projects
    assert [each["state"] for each in owed] == ["fulfilled", "fulfilled"]


async def test_what_was_waived_is_owed_again_because_of_another_project(
    served: Served, training: httpx.AsyncClient
) -> None:
    person_id = new_id()
    await appointed(served, person_id)
    (owed,) = (await learner(training, person_id))["obligations"]
    waiver = f"/learners/{person_id}/obligations/{owed['obligation_id']}/waiver"
    assert (await training.post(waiver, json={"reason": "Teaches the course"})).status_code == 204
    second = await appointed(served, person_id)
    owed = {each["state"]: each for each in (await learner(training, person_id))["obligations"]}
    assert (owed["waived"]["reason"], owed["open"]["project_id"]) == ("Teaches the course", str(second))


async def test_an_appointment_at_the_end_of_the_calendar_does_not_stop_the_reaction(
    served: Served, training: httpx.AsyncClient
) -> None:
    last, next_one = new_id(), new_id()
    await appointed(served, last, from_on=date.max)
    await appointed(served, next_one)
    (owed,) = (await learner(training, last))["obligations"]
    assert (owed["due_on"], owed["state"]) == ("9999-12-31", "open")
    assert (await learner(training, next_one))["obligations"]


async def test_other_events_of_a_project_oblige_nobody(served: Served, training: httpx.AsyncClient) -> None:
    project_id = new_id()
    await served.append("portfolio", f"project-{project_id}", ProjectRenamed(project_id=project_id, title="Register"))
    await served.settled()
    assert (await training.get("/obligations", params={"project_id": str(project_id)})).json() == []
