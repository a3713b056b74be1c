"""Pitches over HTTP: what is sent twice or late does no harm, and lists are filtered and paged."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx
import pytest

from steerco_events.contracts import portfolio
from steerco_events.ids import new_id
from steerco_intake.app import SERVICE
from steerco_servers.testing import TemporaryPostgres
from steerco_service.testkit.answers import said
from steerco_service.testkit.serving import Served, log_only, serving

UNIT = new_id()
FIELDS = {"problem": "Paper.", "outcome": "One register.", "sponsor": "Director of Licensing"}


@pytest.fixture(scope="module")
async def served(postgres: TemporaryPostgres) -> AsyncIterator[Served]:
    async with serving([SERVICE, log_only("portfolio")], postgres) as running:
        await opened(running, UNIT, "LIC")
        await running.settled()
        yield running


@pytest.fixture(scope="module")
async def intake(served: Served) -> httpx.AsyncClient:
    return await served.client("intake")


async def opened(served: Served, unit_id: UUID, code: str) -> str:
    parent = UNIT if unit_id != UNIT else None
    unit = portfolio.UnitOpened(unit_id=unit_id, code=code, name=code, kind="business_unit", parent_id=parent)
    return (await served.append("portfolio", "organization", unit)).encode()


def pitch(**changes: object) -> dict[str, Any]:
    return {
        "title": "Licence register on line",
        "unit_id": str(UNIT),
        "project_code": "LIC-01",
        "currency": "EUR",
        "fields": FIELDS,
    } | changes


async def sent(intake: httpx.AsyncClient, path: str, body: object, **headers: str) -> httpx.Response:
    answer = await intake.post(path, json=body, headers=headers)
    assert answer.status_code in (201, 204), answer.text
    return answer


async def listed(intake: httpx.AsyncClient, token: str = "", **filters: str) -> list[str]:
    answer = await intake.get("/pitches", params=filters, headers={"Consistency-Token": token} if token else {})
    assert answer.status_code == 200, answer.text
    return [each["pitch_id"] for each in answer.json()]


async def test_a_pitch_of_ones_own_id_is_safe_to_send_twice(intake: httpx.AsyncClient) -> None:
    body = pitch(pitch_id=str(new_id()))
    first, again = await sent(intake, "/pitches", body), await sent(intake, "/pitches", body)
    assert said(first) == said(again)
    assert first.json() == {"id": body["pitch_id"]}
    other = await intake.post("/pitches", json=body | {"title": "Another"})
    assert (other.status_code, other.json()["type"]) == (409, "urn:steerco:problem:pitch-already-submitted")
    assert other.json()["errors"][0]["pointer"] == "/pitch_id"


async def test_a_late_repetition_does_not_submit_a_returned_pitch_again(intake: httpx.AsyncClient) -> None:
    body = pitch(pitch_id=str(new_id()))
    location = (await sent(intake, "/pitches", body)).headers["Location"]
    await sent(intake, f"{location}/decision", {"outcome": "returned", "reason": "Say more"})
    assert (await sent(intake, "/pitches", body)).headers["ETag"] == '"2"'
    assert (await intake.get(location)).json()["state"] == "returned"


async def test_a_stale_version_is_told_from_the_present_one(intake: httpx.AsyncClient) -> None:
    location = (await sent(intake, "/pitches", pitch())).headers["Location"]
    await sent(intake, f"{location}/screening", {"note": "fit"})
    for method, path, body in [
        ("POST", f"{location}/decision", {"outcome": "approved", "reason": "It pays back"}),
        ("POST", f"{location}/withdrawal", {"reason": "Another unit does it"}),
        ("PUT", location, pitch()),
    ]:
        stale = await intake.request(method, path, json=body, headers={"If-Match": '"1"'})
        assert (stale.status_code, stale.json()["type"]) == (412, "urn:steerco:problem:stale-version")
        assert "is at version 2, not at 1" in stale.json()["detail"]


async def test_a_key_used_again_gets_the_same_answer_and_with_another_body_none(intake: httpx.AsyncClient) -> None:
    key = {"Idempotency-Key": "monday"}
    first = await sent(intake, "/pitches", pitch(), **key)
    again = await sent(intake, "/pitches", pitch(), **key)
    assert again.status_code == 201
    assert said(again) == said(first)
    reused = await intake.post("/pitches", json=pitch(title="Another"), headers=key)
    assert (reused.status_code, reused.headers["Content-Type"]) == (422, "application/problem+json")
    screening = f"{first.headers['Location']}/screening"
    for _ in range(2):
        assert (await sent(intake, screening, {"note": "fit"}, **key)).headers["ETag"] == '"2"'
    reused = await intake.post(screening, json={"note": "unfit"}, headers=key)
    assert reused.status_code == 422


async def test_a_unit_is_known_and_a_pitch_is_listed_once_the_token_is_waited_for(
    served: Served, intake: httpx.AsyncClient
) -> None:
    unit_id = new_id()
    token = await opened(served, unit_id, "NEW")
    answer = await sent(intake, "/pitches", pitch(unit_id=str(unit_id)), **{"Consistency-Token": token})
    assert await listed(intake, answer.headers["Consistency-Token"], unit_id=str(unit_id)) == [answer.json()["id"]]


async def test_pitches_are_listed_by_unit_state_and_the_day_that_a_deferral_ends_by(
    served: Served, intake: httpx.AsyncClient
) -> None:
    unit_id = str(new_id())
    after = {"Consistency-Token": await opened(served, UUID(unit_id), "LST")}
    ids = {}
    decisions: dict[str, dict[str, str]] = {
        "submitted": {},
        "screened": {},
        "returned": {"outcome": "returned"},
        "approved": {"outcome": "approved"},
        "rejected": {"outcome": "rejected"},
        "deferred": {"outcome": "deferred", "until_on": "2999-01-01"},
        "withdrawn": {},
        "later": {"outcome": "deferred", "until_on": "2999-06-01"},
    }
    for state, decided in decisions.items():
        answer = await sent(intake, "/pitches", pitch(unit_id=unit_id), **after)
        location, ids[state] = answer.headers["Location"], answer.json()["id"]
        if state != "submitted":
            answer = await sent(intake, f"{location}/screening", {"note": "fit"})
        if decided:
            answer = await sent(intake, f"{location}/decision", decided | {"reason": "It was decided"})
        if state == "withdrawn":
            answer = await sent(intake, f"{location}/withdrawal", {"reason": "Another unit does it"})
    await served.settled()
    assert await listed(intake, unit_id=unit_id) == list(ids.values())
    for state in list(decisions)[:-1]:
        expected = [ids["deferred"], ids["later"]] if state == "deferred" else [ids[state]]
        assert await listed(intake, unit_id=unit_id, state=state) == expected
    assert await listed(intake, unit_id=unit_id, until_on="2999-05-31") == [ids["deferred"]]
    assert await listed(intake, unit_id=unit_id, until_on="2999-06-01") == [ids["deferred"], ids["later"]]
    assert await listed(intake, unit_id=unit_id, until_on="2998-12-31") == []
    assert await listed(intake, unit_id=str(new_id())) == []
    await sent(intake, f"/pitches/{ids['deferred']}/decision", {"outcome": "approved", "reason": "Now"})
    await served.settled()
    assert await listed(intake, unit_id=unit_id, until_on="2999-06-01") == [ids["later"]]


async def test_a_list_is_paged_by_link_and_keeps_its_filter(served: Served, intake: httpx.AsyncClient) -> None:
    unit_id = new_id()
    after = {"Consistency-Token": await opened(served, unit_id, "PGE")}
    bodies = [pitch(unit_id=str(unit_id), title=f"Pitch {n}") for n in range(5)]
    ids = [(await sent(intake, "/pitches", body, **after)).json()["id"] for body in bodies]
    await sent(intake, "/pitches", pitch())
    await served.settled()
    pages, url = [], f"/pitches?limit=2&state=submitted&unit_id={unit_id}"
    while url:
        answer = await intake.get(url)
        pages.append([each["pitch_id"] for each in answer.json()])
        url = answer.links.get("next", {}).get("url", "")
    assert pages == [ids[:2], ids[2:4], ids[4:]]


@pytest.mark.parametrize("query", ["state=decided", "unit_id=LIC", "until_on=soon", "limit=0", "after=%21"])
async def test_a_filter_that_makes_no_sense_is_refused(intake: httpx.AsyncClient, query: str) -> None:
    answer = await intake.get(f"/pitches?{query}")
    assert answer.status_code in (400, 422)
    assert answer.headers["Content-Type"] == "application/problem+json"
