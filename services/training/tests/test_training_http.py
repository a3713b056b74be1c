"""Obligations, completions and courses over HTTP, against a real database."""

from collections.abc import AsyncIterator
from datetime import date
from itertools import chain
from typing import Any
from uuid import UUID

import httpx
import pytest

from steerco_events.contracts.portfolio import ProjectManagerAppointed
from steerco_events.ids import new_id
from steerco_servers.testing import TemporaryPostgres
from steerco_service.testkit.answers import said
from steerco_service.testkit.scopes import appointed as made_known
from steerco_service.testkit.scopes import end, made, organized, somebody
from steerco_service.testkit.serving import Served, log_only, serving
from steerco_training.app import SERVICE

COURSE = "project-management-essentials"
PAST, AHEAD = date(2020, 1, 1), date(2999, 1, 1)


@pytest.fixture(scope="module")
async def served(postgres: TemporaryPostgres) -> AsyncIterator[Served]:
    async with serving([SERVICE, log_only("portfolio")], postgres) as running:
        yield running


@pytest.fixture(scope="module")
async def training(served: Served) -> httpx.AsyncClient:
    return await served.client("training")


async def appointed(served: Served, person_id: UUID, project_id: UUID, from_on: date = AHEAD) -> None:
    event = ProjectManagerAppointed(
        project_id=project_id, person_id=person_id, job_title="Project manager", unit_id=new_id(), from_on=from_on
    )
    await served.append("portfolio", f"project-{project_id}", event)


def completion(**changes: object) -> dict[str, Any]:
    return {"person_id": str(new_id()), "course": COURSE, "completed_on": "2026-06-12"} | changes


async def sent(training: httpx.AsyncClient, path: str, body: object, **headers: str) -> httpx.Response:
    answer = await training.post(path, json=body, headers=headers)
    assert answer.status_code in (201, 204), answer.text
    return answer


async def listed(training: httpx.AsyncClient, what: str, **filters: str) -> list[dict[str, Any]]:
    answer = await training.get(f"/{what}", params=filters)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()
    return found


async def owed_by(training: httpx.AsyncClient, person_id: UUID) -> str:
    """The path of the one obligation of a person."""
    (owed,) = (await training.get(f"/learners/{person_id}")).json()["obligations"]
    return f"/learners/{person_id}/obligations/{owed['obligation_id']}"


async def test_a_completion_is_recorded_and_found_at_its_location(training: httpx.AsyncClient) -> None:
    body = completion()
    done = await sent(training, "/completions", body)
    after = {"Consistency-Token": done.headers["Consistency-Token"]}
    one = (await training.get(done.headers["Location"], headers=after)).json()
    assert one.pop("actions") == []
    assert one == body | {"completion_id": done.json()["id"]}
    learner = await training.get(f"/learners/{body['person_id']}")
    assert (learner.json()["completions"], learner.headers["ETag"]) == ([one], '"1"')


async def test_a_completion_of_ones_own_id_is_safe_to_send_twice(training: httpx.AsyncClient) -> None:
    body = completion(completion_id=str(new_id()))
    first, again = await sent(training, "/completions", body), await sent(training, "/completions", body)
    assert said(again) == said(first)
    other = await training.post("/completions", json=body | {"completed_on": "2026-06-13"})
    assert (other.status_code, other.json()["type"]) == (409, "urn:steerco:problem:completion-already-recorded")
    assert other.json()["errors"][0]["pointer"] == "/completion_id"


async def test_a_key_used_again_gets_the_same_answer_and_with_another_body_none(training: httpx.AsyncClient) -> None:
    key, body = {"Idempotency-Key": "monday"}, completion()
    first, again = await sent(training, "/completions", body, **key), await sent(training, "/completions", body, **key)
    assert said(again) == said(first)
    reused = await training.post("/completions", json=completion(), headers=key)
    assert (reused.status_code, reused.headers["Content-Type"]) == (422, "application/problem+json")


async def test_an_id_that_came_with_several_persons_loses_none_of_them(
    served: Served, training: httpx.AsyncClient
) -> None:
    session = str(new_id())
    persons = sorted(str(new_id()) for _ in range(3))
    for person_id in persons:
        await sent(training, "/completions", completion(completion_id=session, person_id=person_id))
    await served.settled()
    found = await listed(training, "completions", course=COURSE, limit="500")
    assert [each["person_id"] for each in found if each["completion_id"] == session] == persons


@pytest.mark.parametrize(
    ("changes", "code", "pointer", "detail"),
    [
        ({"course": "juggling"}, "unknown-course", "/course", "the office has no course 'juggling'; it has"),
        ({"completed_on": "2999-01-01"}, "completed-in-the-future", "/completed_on", "2999-01-01 is after today"),
        ({"completed_on": "12.6.2026"}, "invalid-request", "/completed_on", "a day is text such as"),
        ({"person_id": "me"}, "invalid-request", "/person_id", "valid UUID"),
        ({"course": "x" * 201}, "invalid-request", "/course", "at most 200"),
        ({"grade": "A"}, "invalid-request", "/grade", "Extra inputs are not permitted"),
    ],
)
async def test_a_completion_that_breaks_a_rule_is_refused_by_field_and_rule(
    training: httpx.AsyncClient, changes: dict[str, object], code: str, pointer: str, detail: str
) -> None:
    answer = await training.post("/completions", json=completion(**changes))
    assert (answer.status_code, answer.json()["type"]) == (422, f"urn:steerco:problem:{code}")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["errors"][0]["pointer"] == pointer
    assert detail in answer.json()["detail"]


async def test_an_obligation_is_waived_once_with_a_reason(served: Served, training: httpx.AsyncClient) -> None:
    person_id = new_id()
    await appointed(served, person_id, new_id())
    await served.settled()
    waiver = f"{await owed_by(training, person_id)}/waiver"
    refused = await training.post(waiver, json={"reason": " "})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/reason")
    stale = await training.post(waiver, json={"reason": "Teaches it"}, headers={"If-Match": '"7"'})
    assert (stale.status_code, stale.json()["type"]) == (412, "urn:steerco:problem:stale-version")
    for _ in range(2):
        waived = await sent(training, waiver, {"reason": "Teaches it"})
        assert (waived.status_code, waived.headers["ETag"]) == (204, '"2"')
    (owed,) = (await training.get(f"/learners/{person_id}")).json()["obligations"]
    assert (owed["state"], owed["reason"]) == ("waived", "Teaches it")


async def test_what_is_fulfilled_or_not_owed_is_not_waived(served: Served, training: httpx.AsyncClient) -> None:
    person_id = new_id()
    await appointed(served, person_id, new_id())
    await served.settled()
    waiver = f"{await owed_by(training, person_id)}/waiver"
    await sent(training, "/completions", completion(person_id=str(person_id)))
    for path, status, code in [
        (waiver, 409, "obligation-already-fulfilled"),
        (waiver.replace(str(person_id), str(new_id())), 404, "unknown-obligation"),
        (f"/learners/{person_id}/obligations/{new_id()}/waiver", 404, "unknown-obligation"),
    ]:
        answer = await training.post(path, json={"reason": "Teaches it"})
        assert (answer.status_code, answer.json()["type"]) == (status, f"urn:steerco:problem:{code}")


async def test_obligations_are_listed_by_person_project_course_and_state(
    served: Served, training: httpx.AsyncClient
) -> None:
    project_id = new_id()
    late, ahead, waived, done = (new_id() for _ in range(4))
    for person_id in (late, ahead, waived, done):
        await appointed(served, person_id, project_id, PAST if person_id == late else AHEAD)
    await served.settled()
    await sent(training, f"{await owed_by(training, waived)}/waiver", {"reason": "Teaches it"})
    await sent(training, "/completions", completion(person_id=str(done)))
    await served.settled()

    async def persons(**filters: str) -> set[str]:
        found = await listed(training, "obligations", project_id=str(project_id), **filters)
        return {each["person_id"] for each in found}

    everybody = {str(person_id) for person_id in (late, ahead, waived, done)}
    assert await persons() == everybody
    assert await persons(state="open") == {str(ahead)}
    assert await persons(state="overdue") == {str(late)}
    assert await persons(state="waived") == {str(waived)}
    assert await persons(state="fulfilled") == {str(done)}
    assert await persons(person_id=str(done)) == {str(done)}
    assert await persons(course=COURSE) == everybody
    assert await persons(course="risk-essentials") == set()
    assert await listed(training, "obligations", project_id=str(new_id())) == []


async def test_completions_are_listed_by_person_and_course(served: Served, training: httpx.AsyncClient) -> None:
    person_id = str(new_id())
    for course in (COURSE, "risk-essentials"):
        await sent(training, "/completions", completion(person_id=person_id, course=course))
    await served.settled()
    found = await listed(training, "completions", person_id=person_id)
    assert [each["course"] for each in found] == [COURSE, "risk-essentials"]
    assert await listed(training, "completions", person_id=person_id, course="risk-essentials") == found[1:]
    assert await listed(training, "completions", person_id=str(new_id())) == []


async def test_lists_are_paged_by_link_and_keep_their_filter(served: Served, training: httpx.AsyncClient) -> None:
    person_id, project_id = str(new_id()), new_id()
    for n in range(1, 6):
        await sent(training, "/completions", completion(person_id=person_id, completed_on=f"2026-06-0{n}"))
        await appointed(served, new_id(), project_id)
    await served.settled()
    for what, filtered in [("completions", f"person_id={person_id}"), ("obligations", f"project_id={project_id}")]:
        pages, url = [], f"/{what}?limit=2&{filtered}"
        while url:
            answer = await training.get(url)
            pages.append(answer.json())
            url = answer.links.get("next", {}).get("url", "")
        assert [len(page) for page in pages] == [2, 2, 1]
        assert list(chain(*pages)) == (await training.get(f"/{what}?{filtered}")).json()


@pytest.mark.parametrize(
    "query",
    [
        "obligations?state=late",
        "obligations?person_id=me",
        "obligations?course=%00",
        "completions?person_id=me",
        "completions?limit=0",
        "completions?after=%21",
        "completions/7",
    ],
)
async def test_a_filter_that_makes_no_sense_is_refused(training: httpx.AsyncClient, query: str) -> None:
    answer = await training.get(f"/{query}")
    assert answer.status_code in (400, 422)
    assert answer.headers["Content-Type"] == "application/problem+json"


async def test_a_person_that_training_never_met_owes_nothing_and_no_completion_is_invented(
    training: httpx.AsyncClient,
) -> None:
    stranger = new_id()
    answer = (await training.get(f"/learners/{stranger}")).json()
    assert (answer["obligations"], answer["completions"]) == ([], [])
    unknown = await training.get(f"/completions/{new_id()}")
    assert (unknown.status_code, unknown.json()["type"]) == (404, "urn:steerco:problem:unknown-completion")


async def test_the_courses_of_the_office_can_be_read(training: httpx.AsyncClient) -> None:
    courses = {course["name"]: course["due_within_days"] for course in (await training.get("/courses")).json()}
    assert courses[COURSE] == 60


async def test_a_repetition_gets_its_answer_also_when_the_person_is_there_no_more(served: Served) -> None:
    coordinator, learner = somebody(), somebody()
    await organized(served)
    held = made(learner)
    await made_known(served, made(coordinator, "training_coordinator"), held)
    training = await served.client("training", coordinator)
    body = completion(person_id=str(learner.actor.id))
    first = await sent(training, "/completions", body, **{"Idempotency-Key": "once"})
    seen = {"Consistency-Token": (await end(served, held)).encode()}

    async def again(key: str, body: object) -> httpx.Response:
        return await training.post("/completions", json=body, headers=seen | {"Idempotency-Key": key})

    repeated = await again("once", body)
    assert (repeated.status_code, repeated.json()) == (201, first.json())
    assert repeated.headers["Location"] == first.headers["Location"]
    assert (await again("another", body)).status_code == 404
    other = await again("once", body | {"completed_on": "2026-06-13"})
    assert other.json()["type"] == "urn:steerco:problem:idempotency-key-reused"
