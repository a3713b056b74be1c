"""Risks over HTTP, against a real database."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx
import pytest

from steerco_events.contracts import portfolio
from steerco_events.ids import new_id
from steerco_risk.app import SERVICE
from steerco_servers.testing import TemporaryPostgres
from steerco_service.testkit.answers import said
from steerco_service.testkit.serving import Served, log_only, serving

PROJECT = new_id()


@pytest.fixture(scope="module")
async def served(postgres: TemporaryPostgres) -> AsyncIterator[Served]:
    async with serving([SERVICE, log_only("portfolio")], postgres) as running:
        await chartered(running, PROJECT)
        await running.settled()
        yield running


@pytest.fixture(scope="module")
async def risk(served: Served) -> httpx.AsyncClient:
    return await served.client("risk")


async def chartered(served: Served, project_id: UUID) -> str:
    project = portfolio.ProjectChartered(
        project_id=project_id, code="LIC-01", title="Register", unit_id=new_id(), currency="EUR", pitch_id=new_id()
    )
    return (await served.append("portfolio", f"project-{project_id}", project)).encode()


def body(**changes: object) -> dict[str, Any]:
    return {
        "project_id": str(PROJECT),
        "cause": "The supplier has one certified engineer",
        "event": "The engineer leaves",
        "effect": "Acceptance slips by a quarter",
        "category": "supplier",
    } | changes


async def sent(risk: httpx.AsyncClient, path: str, body: object, **headers: str) -> httpx.Response:
    answer = await risk.post(path, json=body, headers=headers)
    assert answer.status_code in (201, 204), answer.text
    return answer


async def listed(risk: httpx.AsyncClient, **filters: str) -> list[str]:
    answer = await risk.get("/risks", params=filters)
    assert answer.status_code == 200, answer.text
    return [each["risk_id"] for each in answer.json()]


async def test_a_risk_is_raised_rated_and_closed(risk: httpx.AsyncClient) -> None:
    raised = await sent(risk, "/risks", body())
    location = raised.headers["Location"]
    one = (await risk.get(location)).json()
    assert one.pop("raised_at").endswith("Z")
    assert one.pop("actions")
    unrated = {"state": "open", "probability": None, "impact": None, "band": None, "reason": None}
    assert one == body(risk_id=raised.json()["id"]) | unrated
    rated = await sent(risk, f"{location}/rating", {"probability": 3, "impact": 4}, **{"If-Match": '"1"'})
    assert rated.headers["ETag"] == '"2"'
    closed = await sent(risk, f"{location}/closure", {"reason": "A second engineer is certified"})
    answer = await risk.get(location)
    assert (answer.headers["ETag"], closed.headers["ETag"]) == ('"3"', '"3"')
    assert {
        "state": "closed",
        "probability": 3,
        "impact": 4,
        "band": "high",
        "reason": "A second engineer is certified",
    }.items() <= answer.json().items()
    refused = await risk.post(f"{location}/rating", json={"probability": 1, "impact": 1})
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:steerco:problem:risk-is-closed")


async def test_a_risk_is_rated_as_it_is_raised(risk: httpx.AsyncClient) -> None:
    raised = await sent(risk, "/risks", body(probability=5, impact=4))
    assert raised.headers["ETag"] == '"2"'
    assert (await risk.get(raised.headers["Location"])).json()["band"] == "extreme"


async def test_a_risk_of_ones_own_id_is_raised_once(served: Served, risk: httpx.AsyncClient) -> None:
    mine = body(risk_id=str(new_id()), probability=2, impact=2)
    first = await sent(risk, "/risks", mine)
    await sent(risk, f"{first.headers['Location']}/rating", {"probability": 3, "impact": 3})
    again = await sent(risk, "/risks", mine)
    assert (again.json(), again.headers["ETag"]) == (first.json(), '"3"')
    runtime = served.runtime("risk")
    async with runtime.engine.connect() as connection:
        assert len(await runtime.store.read_events(connection, f"risk-{mine['risk_id']}")) == 3
    for otherwise in ({"effect": "Another"}, {"probability": 5, "impact": 5}):
        other = await risk.post("/risks", json=mine | otherwise)
        assert (other.status_code, other.json()["type"]) == (409, "urn:steerco:problem:risk-already-raised")
        assert other.json()["errors"][0]["pointer"] == "/risk_id"


async def test_a_risk_is_closed_once_and_rated_alike_once(risk: httpx.AsyncClient) -> None:
    location = (await sent(risk, "/risks", body())).headers["Location"]
    for _ in range(2):
        assert (await sent(risk, f"{location}/rating", {"probability": 1, "impact": 1})).headers["ETag"] == '"2"'
    for _ in range(2):
        assert (await sent(risk, f"{location}/closure", {"reason": "It can't occur"})).headers["ETag"] == '"3"'


async def test_a_stale_version_changes_nothing(risk: httpx.AsyncClient) -> None:
    location = (await sent(risk, "/risks", body(probability=1, impact=1))).headers["Location"]
    for what, content in [("rating", {"probability": 5, "impact": 5}), ("closure", {"reason": "It can't occur"})]:
        stale = await risk.post(f"{location}/{what}", json=content, headers={"If-Match": '"1"'})
        assert (stale.status_code, stale.json()["type"]) == (412, "urn:steerco:problem:stale-version")
    assert (await risk.get(location)).headers["ETag"] == '"2"'


async def test_a_key_used_again_gets_the_same_answer_and_with_another_body_none(risk: httpx.AsyncClient) -> None:
    key = {"Idempotency-Key": "monday"}
    first, again = await sent(risk, "/risks", body(), **key), await sent(risk, "/risks", body(), **key)
    assert said(again) == said(first)
    reused = await risk.post("/risks", json=body(category="people"), headers=key)
    assert (reused.status_code, reused.headers["Content-Type"]) == (422, "application/problem+json")


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"project_id": str(new_id())}, "/project_id"),
        ({"project_id": "LIC-01"}, "/project_id"),
        ({"cause": ""}, "/cause"),
        ({"event": " \n "}, "/event"),
        ({"effect": "x" * 10_001}, "/effect"),
        ({"category": " "}, "/category"),
        ({"category": "x" * 201}, "/category"),
        ({"probability": 3}, ""),
        ({"impact": 3}, ""),
        ({"probability": 0, "impact": 1}, "/probability"),
        ({"probability": 1, "impact": 6}, "/impact"),
        ({"probability": "3", "impact": 4}, "/probability"),
        ({"probability": 3.0, "impact": 4}, "/probability"),
        ({"probability": True, "impact": 4}, "/probability"),
        ({"band": "low"}, "/band"),
    ],
)
async def test_a_risk_that_breaks_a_rule_is_refused_by_field(
    risk: httpx.AsyncClient, changes: dict[str, object], pointer: str
) -> None:
    answer = await risk.post("/risks", json=body(**changes))
    assert (answer.status_code, answer.headers["Content-Type"]) == (422, "application/problem+json"), answer.text
    assert answer.json()["errors"][0]["pointer"] == pointer


@pytest.mark.parametrize(
    ("method", "what", "content"),
    [
        ("GET", "", None),
        ("POST", "/rating", {"probability": 3, "impact": 4}),
        ("POST", "/closure", {"reason": "none"}),
    ],
)
async def test_what_is_done_to_a_risk_is_done_to_one_that_there_is(
    risk: httpx.AsyncClient, method: str, what: str, content: object
) -> None:
    answer = await risk.request(method, f"/risks/{new_id()}{what}", json=content)
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:steerco:problem:unknown-risk")


async def test_risks_are_listed_by_project_state_and_band(served: Served, risk: httpx.AsyncClient) -> None:
    project_id = new_id()
    after = {"Consistency-Token": await chartered(served, project_id)}
    of_it = str(project_id)
    ratings: list[dict[str, int]] = [
        {},
        {"probability": 1, "impact": 1},
        {"probability": 3, "impact": 4},
        {"probability": 4, "impact": 3},
    ]
    ids = []
    for rating in ratings:
        answer = await sent(risk, "/risks", body(project_id=of_it, **rating), **after)
        ids.append(answer.json()["id"])
    await sent(risk, f"/risks/{ids[3]}/closure", {"reason": "It can't occur"})
    await served.settled()
    assert await listed(risk, project_id=of_it) == ids
    assert await listed(risk, project_id=of_it, state="open") == ids[:3]
    assert await listed(risk, project_id=of_it, state="closed") == ids[3:]
    assert await listed(risk, project_id=of_it, band="high") == ids[2:]
    assert await listed(risk, project_id=of_it, band="high", state="open") == [ids[2]]
    assert await listed(risk, project_id=of_it, band="extreme") == []
    assert await listed(risk, project_id=str(new_id())) == []


async def test_a_list_is_paged_by_link_and_keeps_its_filter(served: Served, risk: httpx.AsyncClient) -> None:
    project_id = new_id()
    after = {"Consistency-Token": await chartered(served, project_id)}
    bodies = [body(project_id=str(project_id), category=f"category {n}") for n in range(5)]
    ids = [(await sent(risk, "/risks", each, **after)).json()["id"] for each in bodies]
    await sent(risk, "/risks", body())
    await served.settled()
    pages, url = [], f"/risks?limit=2&state=open&project_id={project_id}"
    while url:
        answer = await risk.get(url)
        pages.append([each["risk_id"] for each in answer.json()])
        url = answer.links.get("next", {}).get("url", "")
    assert pages == [ids[:2], ids[2:4], ids[4:]]


@pytest.mark.parametrize("query", ["state=rated", "band=huge", "project_id=LIC-01", "limit=501", "after=%21"])
async def test_a_filter_that_makes_no_sense_is_refused(risk: httpx.AsyncClient, query: str) -> None:
    answer = await risk.get(f"/risks?{query}")
    assert answer.status_code in (400, 422)
    assert answer.headers["Content-Type"] == "application/problem+json"
