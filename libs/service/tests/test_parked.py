"""Parked streams over HTTP: listed, shown, tried again, skipped; and told where a service says how it is."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from sqlalchemy import text

from steerco_events.retrying import retrying
from steerco_servers.testing import TemporaryPostgres
from steerco_service.testkit.indigestible import CLOSURES, ILL, closed
from steerco_service.testkit.serving import TESTER, Served, serving

CONSUMER = "closures_v1_b1"
ODD = "risk-project-code-A/B ü"
"""A stream whose name needs care in a path."""


@pytest.fixture(scope="module")
async def running(postgres: TemporaryPostgres) -> AsyncIterator[Served]:
    async with serving([CLOSURES], postgres) as running:
        yield running


@pytest.fixture
async def served(running: Served) -> AsyncIterator[Served]:
    """With six events more, of which four wait; at the end nothing waits, and nothing was ever skipped."""
    ILL.update(["risk-1", ODD])
    for stream in ("risk-1", "risk-2", ODD, "risk-1", "risk-1", "risk-2"):
        await running.append("risk", stream, closed(stream))
    await running.settled()
    yield running
    ILL.clear()
    async with running.runtime("risk").engine.begin() as tx:
        await tx.execute(text("SELECT 1 FROM log.checkpoints FOR UPDATE"))
        await tx.execute(text("DELETE FROM log.parked"))
        await tx.execute(text("DELETE FROM log.skipped_events"))


@pytest.fixture
async def before(served: Served) -> int:
    """The position after which the six events are."""
    async with served.runtime("risk").engine.connect() as connection:
        position: int = (await connection.execute(text("SELECT position FROM log.head"))).scalar_one()
    return position - 6


@pytest.fixture
async def operations(served: Served) -> httpx.AsyncClient:
    return await served.client("risk")


def path(stream: str, consumer: str = CONSUMER) -> httpx.URL:
    return httpx.URL(f"/log/parked/{consumer}/risk/").join(httpx.URL(path=stream))


async def parked(operations: httpx.AsyncClient) -> dict[str, int]:
    """How many events of each stream wait, once nothing is asked for any more."""
    while True:
        states = (await operations.get("/log/parked")).json()
        if not any(state["asked"] for state in states):
            return {state["stream"]: state["events"] for state in states}
        await asyncio.sleep(0.01)


async def test_the_list_says_what_waits_and_why(operations: httpx.AsyncClient, before: int) -> None:
    first, second = (await operations.get("/log/parked")).json()
    assert [first["stream"], second["stream"]] == ["risk-1", ODD]
    assert (first["consumer"], first["service"], first["events"], first["attempts"]) == (CONSUMER, "risk", 3, 1)
    assert (first["first"], first["last"]) == (before + 1, before + 5)
    assert first["error"] == "ValueError: risk-1 can't be digested"
    assert (await operations.get(f"/log/parked?consumer={CONSUMER}")).json() == [first, second]


async def test_a_consumer_that_is_not_there_is_named_with_those_that_are(operations: httpx.AsyncClient) -> None:
    answer = await operations.get("/log/parked?consumer=closures_v1_b9")
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:steerco:problem:unknown-consumer")
    assert f"it has {CONSUMER}" in answer.json()["detail"]


async def test_what_waits_is_shown_as_cloudevents(operations: httpx.AsyncClient, before: int) -> None:
    detail = (await operations.get(path("risk-1"))).json()
    waiting = detail.pop("waiting")
    assert detail == (await operations.get("/log/parked")).json()[0]
    assert [int(event["sequence"]) for event in waiting] == [before + n for n in (1, 4, 5)]
    events = {event["id"]: event for event in (await operations.get("/events?limit=1000")).json()}
    assert waiting == [events[event["id"]] for event in waiting]
    assert len((await operations.get(path("risk-1"), params={"limit": 2})).json()["waiting"]) == 2


async def test_data_that_is_no_json_is_shown_all_the_same(
    served: Served, operations: httpx.AsyncClient, before: int
) -> None:
    update = text("UPDATE log.parked_events SET data = '\\xff7b' WHERE position = :at")
    async with served.runtime("risk").engine.begin() as tx:
        await tx.execute(update, {"at": before + 1})
    first = (await operations.get(path("risk-1"))).json()["waiting"][0]
    assert ("data" in first, first["data_base64"]) == (False, "/3s=")


async def test_a_retry_is_done_soon_and_says_what_came_of_it(operations: httpx.AsyncClient) -> None:
    answer = await operations.post(f"{path('risk-1')}/retry")
    assert (answer.status_code, answer.json()["asked"]) == (202, "retry")
    assert answer.json()["asked_by"] == str(TESTER.actor.id)
    assert await parked(operations) == {"risk-1": 3, ODD: 1}
    assert (await operations.get(path("risk-1"))).json()["attempts"] == 2
    ILL.remove("risk-1")
    await operations.post(f"{path('risk-1')}/retry")
    assert await parked(operations) == {ODD: 1}


async def test_a_stream_of_any_name_can_be_tried_again(operations: httpx.AsyncClient) -> None:
    assert (await operations.get(path(ODD))).json()["stream"] == ODD
    ILL.remove(ODD)
    assert (await operations.post(f"{path(ODD)}/retry")).status_code == 202
    assert await parked(operations) == {"risk-1": 3}


async def test_a_skip_leaves_out_the_first_event_with_the_reason(operations: httpx.AsyncClient, before: int) -> None:
    said = {"reason": "A test system sent it", "first": before + 1}
    answer = await operations.post(f"{path('risk-1')}/skip", json=said)
    assert (answer.status_code, answer.json()["asked_reason"]) == (202, "A test system sent it")
    assert await parked(operations) == {"risk-1": 2, ODD: 1}
    (skipped,) = (await operations.get("/log/parked/skipped")).json()
    assert (skipped["skipped_for"], skipped["consumer"], skipped["service"]) == ("closures_v1", CONSUMER, "risk")
    assert (skipped["stream"], skipped["position"]) == ("risk-1", before + 1)
    assert skipped["error"] == "ValueError: risk-1 can't be digested"
    assert (skipped["skipped_by"], skipped["reason"]) == (str(TESTER.actor.id), "A test system sent it")
    (event, *_) = (await operations.get(f"/events?after=1.{before}")).json()
    assert (skipped["event_id"], skipped["type"]) == (event["id"], event["type"])


async def test_what_was_left_out_is_listed_the_last_first_and_by_consumer(
    operations: httpx.AsyncClient, before: int
) -> None:
    for stream in ("risk-1", ODD, "risk-1"):
        await operations.post(f"{path(stream)}/skip", json={"reason": "It is wrong"})
        await parked(operations)
    skipped = (await operations.get("/log/parked/skipped")).json()
    places = [(each["stream"], each["position"] - before) for each in skipped]
    assert places == [("risk-1", 4), (ODD, 3), ("risk-1", 1)]
    assert (await operations.get("/log/parked/skipped?limit=2")).json() == skipped[:2]
    for name in (CONSUMER, "closures_v1", "closures_v1_b9"):
        assert (await operations.get(f"/log/parked/skipped?consumer={name}")).json() == skipped
    assert (await operations.get("/log/parked/skipped?consumer=closures_v2")).json() == []


@pytest.mark.parametrize(
    "body", [{}, {"reason": ""}, {"reason": " "}, {"reason": "a\nb"}, {"reason": "x", "all": True}]
)
async def test_a_skip_needs_a_reason(operations: httpx.AsyncClient, body: dict[str, object]) -> None:
    assert (await operations.post(f"{path('risk-1')}/skip", json=body)).status_code == 422
    assert await parked(operations) == {"risk-1": 3, ODD: 1}


async def test_a_skip_of_an_event_that_is_first_no_more_is_refused(operations: httpx.AsyncClient, before: int) -> None:
    said = {"reason": "It is wrong", "first": before + 2}
    answer = await operations.post(f"{path('risk-1')}/skip", json=said)
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:steerco:problem:another-event-is-first")
    assert f"is now that at position {before + 1}, not at {before + 2}" in answer.json()["detail"]


async def test_while_one_thing_is_asked_for_another_is_refused(served: Served, operations: httpx.AsyncClient) -> None:
    async with served.runtime("risk").engine.begin() as tx:
        await tx.execute(text("SELECT 1 FROM log.checkpoints FOR UPDATE"))
        assert (await operations.post(f"{path('risk-1')}/retry")).status_code == 202
        answer = await operations.post(f"{path('risk-1')}/skip", json={"reason": "It is wrong"})
        assert (answer.status_code, answer.json()["type"]) == (409, "urn:steerco:problem:already-asked")
        assert (await operations.post(f"{path('risk-1')}/retry")).status_code == 202


@pytest.mark.parametrize("url", [path("risk-2"), path("risk-1", "closures_v1_b9"), path("nothing")])
async def test_what_is_not_parked_is_404(operations: httpx.AsyncClient, url: httpx.URL) -> None:
    for answer in (
        await operations.get(url),
        await operations.post(f"{url}/retry"),
        await operations.post(f"{url}/skip", json={"reason": "It is wrong"}),
    ):
        assert (answer.status_code, answer.json()["type"]) == (404, "urn:steerco:problem:stream-not-parked")
        assert "is not parked for" in answer.json()["detail"]


async def test_a_path_with_control_characters_is_refused(operations: httpx.AsyncClient) -> None:
    assert (await operations.get(f"/log/parked/{CONSUMER}/risk/a%00b")).status_code == 422


async def test_a_service_with_parked_streams_is_ready_and_says_that_it_has_them(
    operations: httpx.AsyncClient,
) -> None:
    answer = await operations.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["degraded"][f"parked for {CONSUMER}"] == "streams: 2"


async def test_whoever_asks_whether_a_service_is_ready_is_told_no_stream_and_no_error(
    operations: httpx.AsyncClient,
) -> None:
    said = (await operations.get("/readyz")).text
    for state in (await operations.get("/log/parked")).json():
        assert state["stream"] not in said
        assert state["error"] not in said


async def test_what_fails_in_the_background_of_a_service_is_named_there_alone_and_without_its_words(
    served: Served, operations: httpx.AsyncClient
) -> None:
    failed = asyncio.Event()

    async def fail() -> None:
        failed.set()
        raise ValueError("what somebody wrote")

    work = asyncio.create_task(retrying(fail, "odd work", "risk"))
    await failed.wait()
    answers = [await client.get("/readyz") for client in (operations, await served.client("portfolio"))]
    work.cancel()
    ours, others = [answer.json()["degraded"] for answer in answers]
    assert ours["odd work"] == "ValueError"
    assert "odd work" not in others


async def test_only_who_has_a_token_sees_and_asks(served: Served) -> None:
    transport = httpx.ASGITransport(served.apps["risk"])
    async with httpx.AsyncClient(transport=transport, base_url="http://risk") as anyone:
        reads = (("GET", "/log/parked"), ("GET", "/log/parked/skipped"), ("GET", path("risk-1")))
        for method, url in (*reads, ("POST", f"{path('risk-1')}/retry")):
            assert (await anyone.request(method, url)).status_code == 401
