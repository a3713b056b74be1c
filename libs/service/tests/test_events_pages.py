"""`GET /events` as pages: the sealed log as CloudEvents, from any place, filtered."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steerco_events.contracts.risk import RiskClosed, RiskRaised
from steerco_events.ids import derived_id
from steerco_events.positions import Token
from steerco_events.postgres import event_pages
from steerco_servers.testing import TemporaryPostgres
from steerco_service import consistency
from steerco_service.testkit.serving import TESTER, Served, log_only, serving

BATCH = "application/cloudevents-batch+json"
UNITS = [derived_id("unit", n) for n in range(3)]
RISKS = [derived_id("risk", n) for n in range(12)]
RAISED, CLOSED = "steerco.risk.risk-raised", "steerco.risk.risk-closed"

type Event = Mapping[str, Any]


@pytest.fixture(scope="module")
async def told(postgres: TemporaryPostgres) -> AsyncIterator[Served]:
    """A log of two dozen events with stamps."""
    async with serving([log_only("risk")], postgres) as served:
        for n, risk_id in enumerate(RISKS):
            raised = RiskRaised(
                risk_id=risk_id,
                project_id=risk_id,
                cause="",
                event=f"Ü\u2028{n}",
                effect="",
                category="",
                project_version=1,
            )
            units = tuple(UNITS[: n % 4])
            await served.append("risk", f"risk-{risk_id}", raised, reason="Gefunden" if n % 2 else None, units=units)
        for risk_id in RISKS:
            closed = RiskClosed(risk_id=risk_id, project_id=risk_id)
            await served.append("risk", f"risk-{risk_id}", closed, units=(UNITS[2],))
        await served.settled()
        yield served


@pytest.fixture(scope="module")
async def feed(told: Served) -> httpx.AsyncClient:
    return await told.client("risk")


@pytest.fixture(scope="module")
async def log(feed: httpx.AsyncClient) -> Sequence[Event]:
    """All of it."""
    answer = await feed.get("/events?limit=1000")
    events: Sequence[Event] = answer.json()
    assert len(events) == 2 * len(RISKS)
    return events


def following(answer: httpx.Response) -> str:
    """The address of the next page."""
    return answer.links["next"]["url"]


async def read_all(feed: httpx.AsyncClient, url: str) -> Sequence[Event]:
    """Every event from an address on, page by page, until the log ends for now."""
    found: list[Event] = []
    while True:
        answer = await feed.get(url)
        assert answer.status_code == 200, answer.text
        found += answer.json()
        if following(answer) == url:
            return found
        url = following(answer)


def cursor(event: Event) -> str:
    return f"{event['loggeneration']}.{event['sequence']}"


async def test_an_event_has_the_attributes_of_cloudevents_and_its_data_as_json(log: Sequence[Event]) -> None:
    event = next(each for each in log if each["type"] == RAISED and "reason" in each and "orgunits" in each)
    assert event["specversion"] == "1.0"
    assert event["source"] == "urn:steerco:risk"
    assert event["subject"] == event["partitionkey"] == f"risk-{event['data']['risk_id']}"
    assert event["dataschema"] == "urn:steerco:risk:risk-raised:1"
    assert event["datacontenttype"] == "application/json"
    assert event["actor"] == f"{TESTER.actor.id} PMO officer"
    assert (event["client"], event["reason"], event["streamversion"]) == ("tests", "Gefunden", "1")
    assert len(event["sequence"]) == 20
    assert datetime.fromisoformat(event["time"]) <= datetime.fromisoformat(event["sealedat"])
    assert event["data"]["event"].startswith("Ü\u2028")


@pytest.mark.parametrize(
    "accept",
    [None, "*/*", "application/json", BATCH, f"text/html, {BATCH};q=0.9, */*;q=0.1", "text/event-stream;q=0, */*"],
)
async def test_pages_are_cloudevents_batches_whatever_json_is_called(
    feed: httpx.AsyncClient, accept: str | None
) -> None:
    answer = await feed.get("/events?limit=1", headers={"Accept": accept} if accept else {})
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, BATCH)
    assert len(answer.json()) == 1


values = st.fixed_dictionaries(
    {},
    optional={
        "type": st.lists(st.sampled_from([RAISED, CLOSED]), min_size=1, max_size=2),
        "subject": st.lists(st.sampled_from([f"risk-{each}" for each in [*RISKS, "none"]]), min_size=1, max_size=3),
        "unit": st.lists(st.sampled_from([str(each) for each in [*UNITS, derived_id("none")]]), min_size=1, max_size=2),
    },
)


def meets(event: Event, asked: Mapping[str, Sequence[str]]) -> bool:
    units = set(event.get("orgunits", "").split(","))
    return (
        event["type"] in asked.get("type", [event["type"]])
        and event["subject"] in asked.get("subject", [event["subject"]])
        and ("unit" not in asked or not units.isdisjoint(asked["unit"]))
    )


@given(limit=st.integers(1, 30), asked=values, scanned=st.integers(1, 30), begin=st.integers(0, 24))
@settings(max_examples=60, deadline=None)
async def test_following_the_links_gives_what_was_asked_for_once_and_in_order(
    feed: httpx.AsyncClient,
    log: Sequence[Event],
    limit: int,
    asked: Mapping[str, Sequence[str]],
    scanned: int,
    begin: int,
) -> None:
    start = cursor(log[begin - 1]) if begin else "0"
    url = httpx.URL("/events").copy_merge_params({"limit": limit, **asked, "after": start})
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(event_pages, "SCANNED_AT_MOST", scanned)
        found = await read_all(feed, str(url))
    assert found == [event for event in log[begin:] if meets(event, asked)]


async def test_an_event_s_generation_and_sequence_are_the_cursor_after_it(
    feed: httpx.AsyncClient, log: Sequence[Event]
) -> None:
    for n, event in enumerate(log):
        for after in (cursor(event), event["sequence"], str(int(event["sequence"]))):
            assert (await feed.get(f"/events?limit=1000&after={after}")).json() == log[n + 1 :]


async def test_an_instant_is_a_cursor_too(feed: httpx.AsyncClient, log: Sequence[Event]) -> None:
    at = datetime.fromisoformat(log[9]["sealedat"])
    later = [event for event in log if datetime.fromisoformat(event["sealedat"]) > at]
    answer = await feed.get("/events", params={"after": at.isoformat(), "limit": "1000"})
    assert answer.json() == later
    assert (await feed.get("/events?limit=1000&after=1970-01-01T00:00:00Z")).json() == log


async def test_from_the_end_on_comes_what_happens_next(told: Served, feed: httpx.AsyncClient) -> None:
    empty = await feed.get("/events?after=end")
    assert (empty.status_code, empty.json()) == (200, [])
    again = await feed.get(following(empty))
    assert (again.json(), following(again)) == ([], following(empty))
    assert not (await feed.get("/events?after=end&wait=0&type=" + RAISED)).json()


async def test_a_cursor_beyond_the_end_is_of_another_log_or_of_before_a_restore(feed: httpx.AsyncClient) -> None:
    end = httpx.URL(following(await feed.get("/events?after=end"))).params["after"]
    generation, position = end.split(".")
    for beyond in (f"{generation}.{int(position) + 1}", str(int(position) + 1), "1.9000000000000000000"):
        for accept in (BATCH, "text/event-stream"):
            answer = await feed.get("/events", params={"after": beyond}, headers={"Accept": accept})
            problem = answer.json()
            assert (answer.status_code, problem["type"]) == (409, "urn:steerco:problem:log-rewound")
            assert f"after: risk ends at {end}, and " in problem["detail"]
            assert problem["errors"][0]["pointer"] == "/after"


async def test_without_a_token_there_is_no_feed(told: Served) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(told.apps["risk"]), base_url="http://risk") as anyone:
        for accept in ("*/*", "text/event-stream"):
            assert (await anyone.get("/events", headers={"Accept": accept})).status_code == 401


async def test_a_head_request_tells_the_next_page(feed: httpx.AsyncClient) -> None:
    answer = await feed.head("/events?limit=3")
    assert answer.links["next"]["url"] == (await feed.get("/events?limit=3")).links["next"]["url"]
    streaming = await feed.head("/events", headers={"Accept": "text/event-stream"})
    assert streaming.headers["Content-Type"].startswith("text/event-stream")


async def test_an_empty_page_waits_for_an_event(told: Served) -> None:
    feed, loop = await told.client("risk"), asyncio.get_running_loop()
    began = loop.time()
    waiting = asyncio.create_task(feed.get(f"/events?after=end&wait=30&type={CLOSED}"))
    while not told.apps["risk"].state.feed.head._waiting:
        await asyncio.sleep(0.005)
    await told.append("risk", "risk-awaited", RiskClosed(risk_id=RISKS[0], project_id=RISKS[0]))
    (event,) = (await waiting).json()
    assert event["subject"] == "risk-awaited"
    assert loop.time() - began < 10


async def test_an_empty_page_waits_no_longer_than_it_was_asked_to(feed: httpx.AsyncClient) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    answer = await feed.get("/events?after=end&wait=1")
    assert answer.json() == []
    assert 1 <= loop.time() - began < 5


async def test_a_page_has_what_the_caller_s_token_covers(told: Served, feed: httpx.AsyncClient) -> None:
    for n in range(20):
        token = await told.append("risk", f"risk-seen-{n}", RiskClosed(risk_id=RISKS[0], project_id=RISKS[0]))
        answer = await feed.get(f"/events?subject=risk-seen-{n}", headers={"Consistency-Token": token.encode()})
        assert len(answer.json()) == 1


@pytest.mark.parametrize("token", [Token({"risk": (1, {3: 10**9})}), Token({"risk": (7, {3: 1})})])
async def test_a_token_that_the_log_has_not_reached_is_answered_by_log_behind(
    feed: httpx.AsyncClient, token: Token, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consistency, "WAIT_SECONDS", 0.2)
    answer = await feed.get("/events", headers={"Consistency-Token": token.encode()})
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:steerco:problem:log-behind")
    assert answer.headers["Retry-After"] == "1"


async def test_what_a_token_says_of_other_logs_is_not_waited_for(feed: httpx.AsyncClient) -> None:
    token = Token({"finance": (1, {3: 10**9})}).encode()
    assert (await feed.get("/events", headers={"Consistency-Token": token})).status_code == 200


async def test_both_forms_are_described_with_an_example(told: Served, log: Sequence[Event]) -> None:
    operation = told.apps["risk"].openapi()["paths"]["/events"]["get"]
    content = operation["responses"]["200"]["content"]
    (example,) = content[BATCH]["example"]
    assert set(example) >= set(log[0])
    data = [line for line in content["text/event-stream"]["example"].splitlines() if line.startswith("data: ")]
    assert [json.loads(line.removeprefix("data: ")) for line in data] == [example]
    parameters = {each["name"] for each in operation["parameters"] if each["in"] == "query"}
    assert parameters == {"after", "limit", "wait", "type", "subject", "unit"}


async def test_an_instant_of_tomorrow_is_none_of_today(told: Served, feed: httpx.AsyncClient) -> None:
    tomorrow = told.runtime("risk").clock.now() + timedelta(days=1)
    assert (await feed.get("/events", params={"after": tomorrow.isoformat()})).status_code == 400
