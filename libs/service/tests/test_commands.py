"""What every command of every service does at the edge."""

import asyncio
from uuid import UUID

import httpx
import pytest

from steerco_events.ids import new_id
from steerco_service.identity.principal import Principal
from steerco_service.testkit.serving import TESTER, Served

ANOTHER = Principal(TESTER.actor.__class__(new_id(), "Auditor"), "tests", TESTER.groups)


async def put(shelf: httpx.AsyncClient, name: str = "Lamp", **headers: str) -> httpx.Response:
    return await shelf.post("/things", json={"name": name}, headers=headers)


async def test_a_created_thing_has_a_location_an_etag_and_a_token(shelf: httpx.AsyncClient) -> None:
    answer = await put(shelf)
    assert answer.status_code == 201
    assert answer.headers["ETag"] == '"1"'
    assert answer.headers["Location"] == f"/things/{answer.json()['id']}"
    one = await shelf.get(answer.headers["Location"])
    assert (one.json()["name"], one.headers["ETag"]) == ("Lamp", '"1"')


async def test_a_query_with_the_token_sees_what_the_command_did(shelf: httpx.AsyncClient) -> None:
    for name in ("Vase", "Clock", "Bowl"):
        answer = await put(shelf, name)
        headers = {"Consistency-Token": answer.headers["Consistency-Token"]}
        listed = await shelf.get("/things?limit=500", headers=headers)
        assert answer.json()["id"] in {thing["thing_id"] for thing in listed.json()}


async def test_a_stale_if_match_is_refused_at_once(shelf: httpx.AsyncClient) -> None:
    thing = (await put(shelf)).headers["Location"]
    refused = await shelf.post(f"{thing}/closure", headers={"If-Match": '"7"'})
    assert (refused.status_code, refused.json()["type"]) == (412, "urn:steerco:problem:stale-version")
    assert (await shelf.post(f"{thing}/closure", headers={"If-Match": '"1"'})).headers["ETag"] == '"2"'
    assert (await shelf.post(f"{thing}/closure", headers={"If-Match": "*"})).status_code == 204


@pytest.mark.parametrize("value", ["7", '"x"', 'W/"1"', '"-1"'])
async def test_a_malformed_if_match_is_refused(shelf: httpx.AsyncClient, value: str) -> None:
    refused = await put(shelf, **{"If-Match": value})
    assert (refused.status_code, refused.json()["type"]) == (400, "urn:steerco:problem:malformed-if-match")


async def test_if_match_any_asks_for_a_thing_that_is_there(shelf: httpx.AsyncClient) -> None:
    thing = {"thing_id": str(new_id()), "name": "Lamp"}
    refused = await shelf.post("/things", json=thing, headers={"If-Match": "*"})
    assert (refused.status_code, refused.json()["type"]) == (412, "urn:steerco:problem:stale-version")
    assert (await shelf.post("/things", json=thing)).status_code == 201
    assert (await shelf.post("/things", json=thing, headers={"If-Match": "*"})).status_code == 201


async def test_the_same_key_and_body_get_the_first_answer(shelf: httpx.AsyncClient) -> None:
    first = await put(shelf, **{"Idempotency-Key": "once"})
    again = await put(shelf, **{"Idempotency-Key": "once"})
    assert again.status_code == 201
    assert (again.json(), again.headers["ETag"]) == (first.json(), first.headers["ETag"])


async def test_a_key_used_for_another_body_is_refused(shelf: httpx.AsyncClient) -> None:
    await put(shelf, "Lamp", **{"Idempotency-Key": "body"})
    refused = await put(shelf, "Vase", **{"Idempotency-Key": "body"})
    assert (refused.status_code, refused.json()["type"]) == (422, "urn:steerco:problem:idempotency-key-reused")


async def test_a_key_belongs_to_who_used_it(served: Served, shelf: httpx.AsyncClient) -> None:
    first = await put(shelf, **{"Idempotency-Key": "mine"})
    theirs = await put(await served.client("risk", ANOTHER), "Vase", **{"Idempotency-Key": "mine"})
    assert theirs.status_code == 201
    assert theirs.json() != first.json()


async def test_a_refusal_is_not_remembered(shelf: httpx.AsyncClient) -> None:
    thing_id = new_id()
    closure = f"/things/{thing_id}/closure"
    assert (await shelf.post(closure, headers={"Idempotency-Key": "later"})).status_code == 404
    await shelf.post("/things", json={"thing_id": str(thing_id), "name": "Lamp"})
    assert (await shelf.post(closure, headers={"Idempotency-Key": "later"})).status_code == 204


async def test_of_twins_sent_at_once_one_is_done(shelf: httpx.AsyncClient) -> None:
    twins = await asyncio.gather(*(put(shelf, **{"Idempotency-Key": "twins"}) for _ in range(8)))
    assert {answer.status_code for answer in twins} == {201}
    assert len({answer.json()["id"] for answer in twins}) == 1


async def test_the_same_command_sent_again_without_a_key_is_harmless(shelf: httpx.AsyncClient) -> None:
    thing = {"thing_id": str(new_id()), "name": "Lamp"}
    first, again = await shelf.post("/things", json=thing), await shelf.post("/things", json=thing)
    assert (again.status_code, again.headers["ETag"]) == (201, '"1"')
    assert again.headers["Consistency-Token"] == first.headers["Consistency-Token"]


async def test_concurrent_commands_on_one_stream_are_decided_in_turn(shelf: httpx.AsyncClient) -> None:
    thing = (await put(shelf)).headers["Location"]
    answers = await asyncio.gather(*(shelf.post(f"{thing}/closure") for _ in range(8)))
    assert {(answer.status_code, answer.headers["ETag"]) for answer in answers} == {(204, '"2"')}


async def test_the_event_says_who_why_and_by_which_client(served: Served, shelf: httpx.AsyncClient) -> None:
    answer = await put(shelf, Reason="F%C3%BCr die Halle", traceparent=f"00-{'a' * 32}-{'b' * 16}-01")
    runtime = served.runtime("risk")
    async with runtime.engine.connect() as connection:
        (event,) = await runtime.store.read_events(connection, f"risk-{UUID(answer.json()['id'])}")
    assert (event.actor, event.client, event.reason) == (TESTER.actor, "tests", "Für die Halle")
    assert event.correlation_id == event.causation_id
    assert event.traceparent is not None


@pytest.mark.parametrize(
    ("header", "value", "code"),
    [
        ("Idempotency-Key", "a b", "malformed-idempotency-key"),
        ("Idempotency-Key", "x" * 201, "malformed-idempotency-key"),
        ("Consistency-Token", "nonsense!", "malformed-consistency-token"),
        ("Reason", "%00", "malformed-reason"),
        ("Reason", "two%0Alines", "malformed-reason"),
        ("Reason", "two%C2%85lines", "malformed-reason"),
        ("Reason", "two%E2%80%A8lines", "malformed-reason"),
        ("Reason", "%C2%9B", "malformed-reason"),
        ("Reason", "%FF", "malformed-reason"),
        ("Reason", "%ED%A0%80", "malformed-reason"),
        ("Reason", "x" * 10_001, "malformed-reason"),
    ],
)
async def test_malformed_headers_are_named(shelf: httpx.AsyncClient, header: str, value: str, code: str) -> None:
    refused = await put(shelf, **{header: value})
    assert (refused.status_code, refused.json()["type"]) == (400, f"urn:steerco:problem:{code}")


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"",
        b'{"name": NaN}',
        b'{"name": 1e400}',
        b'{"name": "\\ud800"}',
        b'{"name": "a\\u0000b"}',
        b'{"name": "a\\nb"}',
        b'{"name": ""}',
        b'{"name": "   "}',
        b'{"name": "\\u200b\\u202e\\ufeff"}',
        b'{"name": 7}',
        b'{"name": "%s"}' % (b"x" * 201),
        b'{"name": "Lamp", "colour": "red"}',
        b"[]",
        b'"text"',
        b"\xff\xfe",
        b"[" * 100_000,
    ],
)
async def test_a_bad_body_is_refused_by_field_and_rule(shelf: httpx.AsyncClient, content: bytes) -> None:
    answer = await shelf.post("/things", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422), answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["detail"]


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/x-www-form-urlencoded", "application/xml"])
async def test_a_body_that_is_not_said_to_be_json_is_refused(shelf: httpx.AsyncClient, content_type: str) -> None:
    answer = await shelf.post("/things", content=b'{"name": "Lamp"}', headers={"Content-Type": content_type})
    assert (answer.status_code, answer.json()["type"]) == (415, "urn:steerco:problem:unsupported-media-type")


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "Application/JSON", "application/x+json"])
async def test_json_by_any_of_its_names_is_taken(shelf: httpx.AsyncClient, content_type: str) -> None:
    answer = await shelf.post("/things", content=b'{"name": "Lamp"}', headers={"Content-Type": content_type})
    assert answer.status_code == 201


async def test_unknown_paths_and_methods_are_problems_too(shelf: httpx.AsyncClient) -> None:
    for answer, code in [
        (await shelf.get("/nothing"), "not-found"),
        (await shelf.put("/things"), "method-not-allowed"),
    ]:
        assert answer.json()["type"] == f"urn:steerco:problem:{code}"
        assert answer.headers["Content-Type"] == "application/problem+json"
