"""The feed for who has a role in a part of the enterprise: what is stamped outside is never in it, nor what is over."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import UUID

import pytest

from steerco_events.contracts.portfolio import ProjectRenamed
from steerco_events.ids import derived_id
from steerco_events.positions import Token
from steerco_events.postgres import event_pages
from steerco_events.testkit.logs import running
from steerco_servers.testing import TemporaryPostgres
from steerco_service import consistency
from steerco_service.access.access import FRESH_SECONDS
from steerco_service.events.streaming import CHECK_SECONDS
from steerco_service.testkit.asked_streams import Asked
from steerco_service.testkit.blocks import PATIENCE, Reader
from steerco_service.testkit.listening import listening
from steerco_service.testkit.scopes import (
    ENTERPRISE,
    HARBOR,
    NORTH,
    SOUTH,
    appointed,
    end,
    made,
    opened,
    organized,
    somebody,
)
from steerco_service.testkit.serving import log_only, serving

SOON = CHECK_SECONDS + FRESH_SECONDS + 3
"""Seconds within which a stream ends that may not go on, also on a busy machine."""

STAMPS: Sequence[tuple[UUID, ...]] = [(NORTH,), (SOUTH,), (), (HARBOR,), (SOUTH, HARBOR), (ENTERPRISE,), (NORTH, SOUTH)]
"""Of the events that are there, in their order."""

NORTHERN = ["risk-0", "risk-3", "risk-4", "risk-6"]
SOUTHERN = ["risk-1", "risk-4", "risk-6"]


@pytest.fixture(scope="module")
async def feed(postgres: TemporaryPostgres) -> AsyncIterator[Asked]:
    async with serving([log_only("risk")], postgres) as served, listening(served.apps["risk"]) as server:
        asked = Asked(served, server)
        await organized(served)
        for n, units in enumerate(STAMPS):
            await asked.happened(f"risk-{n}", *units)
        await served.settled()
        yield asked


def subjects(events: Sequence[Any]) -> Sequence[str]:
    return [each["subject"] for each in events]


async def read_by(reader: Reader, count: int) -> Sequence[str]:
    return subjects([block.event for block in await reader.events(count)])


async def test_a_stream_has_what_is_stamped_inside_and_nothing_else(feed: Asked) -> None:
    person, _ = await feed.viewer(NORTH)
    async with feed.stream(person) as reader:
        assert await read_by(reader, len(NORTHERN)) == NORTHERN
        for name, units in (("outside", (SOUTH,)), ("nowhere", ()), ("inside", (HARBOR,))):
            await feed.happened(name, *units)
        assert await read_by(reader, 1) == ["inside"]


async def test_a_stream_of_who_has_a_role_in_the_whole_enterprise_has_everything(feed: Asked) -> None:
    person, _ = await feed.viewer(ENTERPRISE)
    async with feed.stream(person) as reader:
        assert await read_by(reader, len(STAMPS)) == [f"risk-{n}" for n in range(len(STAMPS))]


async def test_pages_have_what_is_stamped_inside_and_a_page_s_cursor_leads_on_from_it(feed: Asked) -> None:
    person, _ = await feed.viewer(NORTH)
    await feed.happened("outside", SOUTH)
    await feed.served.settled()
    async with feed.client(person) as client:
        pages = [await client.get("/events?limit=2")]
        while pages[-1].json():
            pages.append(await client.get(pages[-1].links["next"]["url"]))
        everything = await client.get("/events?limit=1000")
    assert [subjects(page.json()) for page in pages[:2]] == [NORTHERN[:2], NORTHERN[2:]]
    assert [event for page in pages for event in page.json()] == everything.json()
    assert "outside" not in subjects(everything.json())


async def test_a_page_that_passes_over_much_that_is_outside_may_be_empty_and_goes_on(
    feed: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_pages, "SCANNED_AT_MOST", 1)
    person, _ = await feed.viewer(SOUTH)
    found: list[str] = []
    async with feed.client(person) as client:
        url = "/events"
        for n in range(1, len(STAMPS) + 1):
            answer = await client.get(url)
            found += subjects(answer.json())
            url = answer.links["next"]["url"]
            assert url == f"/events?after=1.{n}"
    assert found == SOUTHERN


@pytest.mark.parametrize("query", [f"unit={NORTH}", "subject=risk-1", "subject=risk-2", f"subject=risk-4&unit={NORTH}"])
async def test_who_asks_for_what_is_outside_gets_nothing(feed: Asked, query: str) -> None:
    person, _ = await feed.viewer(HARBOR)
    async with feed.client(person) as client:
        assert (await client.get(f"/events?{query}")).json() == []


async def test_who_asks_for_a_part_of_what_is_inside_gets_that(feed: Asked) -> None:
    person, _ = await feed.viewer(NORTH)
    async with feed.client(person) as client:
        answer = await client.get(f"/events?unit={HARBOR}&subject=risk-3&subject=risk-1")
    assert subjects(answer.json()) == ["risk-3"]


async def test_all_that_a_request_waits_for_is_waited_for_within_one_limit(
    feed: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit, renamed = 3.0, ProjectRenamed(project_id=derived_id("project", "renamed"), title="t")
    monkeypatch.setattr(consistency, "WAIT_SECONDS", limit)
    person, _ = await feed.viewer(NORTH)
    portfolio = await feed.served.append("portfolio", "of the limit", renamed)
    await feed.served.settled()
    _, positions = portfolio.target("portfolio")
    later = Token.of("portfolio", 1, {"of the limit": max(positions) + 1})
    never = Token.of("risk", 1, {"never": 10**6})
    loop = asyncio.get_running_loop()
    async with feed.client(person) as client:
        began = loop.time()
        headers = {"Consistency-Token": later.merged(never).encode()}
        asking = asyncio.create_task(client.get("/events", headers=headers))
        while loop.time() < began + limit / 2:
            await asyncio.sleep(0.02)
        await feed.served.append("portfolio", "of the limit", renamed)
        answer = await asking
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:steerco:problem:log-behind")
    assert loop.time() - began < 1.4 * limit


async def test_who_has_a_role_at_a_project_alone_gets_nothing(feed: Asked) -> None:
    person = somebody()
    await appointed(feed.served, made(person, unit_id=None, project_id=derived_id("project")))
    async with feed.client(person) as client:
        assert (await client.get("/events")).json() == []


async def test_who_has_no_role_is_refused_pages_and_the_stream(feed: Asked) -> None:
    async with feed.client(somebody()) as client:
        for accept in ("application/json", "text/event-stream"):
            answer = await client.get("/events", headers={"Accept": accept})
            assert (answer.status_code, answer.json()["type"]) == (403, "urn:steerco:problem:forbidden")


async def test_a_stream_ends_within_seconds_when_the_role_does_and_says_so(feed: Asked) -> None:
    person, (appointment,) = await feed.viewer(NORTH)
    async with feed.stream(person, "?after=end") as reader:
        await reader.block()
        await end(feed.served, appointment)
        async with asyncio.timeout(SOON):
            (last,) = await reader.rest()
    assert last.fields["event"] == "steerco.problem"
    assert last.event["type"] == "urn:steerco:problem:forbidden"
    assert "id" not in last.fields


async def test_a_stream_to_which_much_comes_ends_as_soon(feed: Asked) -> None:
    person, (appointment,) = await feed.viewer(HARBOR)

    async def busy() -> None:
        while True:
            await feed.happened("busy", HARBOR)

    async with running(busy), feed.stream(person, "?after=end") as reader:
        await reader.events(1)
        await end(feed.served, appointment)
        async with asyncio.timeout(SOON):
            *_, last = await reader.rest()
    assert last.fields["event"] == "steerco.problem"


async def test_a_stream_ends_within_seconds_when_a_part_of_what_may_be_read_is_gone(feed: Asked) -> None:
    person, (_, south) = await feed.viewer(NORTH, SOUTH)
    async with feed.stream(person, "?after=end") as reader:
        await reader.block()
        await end(feed.served, south)
        async with asyncio.timeout(SOON):
            assert await reader.rest() == []
    async with feed.stream(person) as reader:
        assert await read_by(reader, len(NORTHERN)) == NORTHERN


async def test_a_stream_ends_within_seconds_when_more_may_be_read_and_passes_over_nothing_of_it(
    feed: Asked,
) -> None:
    person, _ = await feed.viewer(NORTH)
    async with feed.stream(person, "?after=end") as reader:
        start = await reader.block()
        assert start
        pier, place = derived_id("unit", "pier"), start.id
        await opened(feed.served, pier, HARBOR, "PIER")
        await feed.happened("at the pier", pier)
        async with asyncio.timeout(SOON):
            while block := await reader.block():
                assert "data" not in block.fields
                place = block.fields.get("id", place)
    async with feed.stream(person, f"?after={place}") as reader, asyncio.timeout(PATIENCE):
        assert await read_by(reader, 1) == ["at the pier"]


async def test_a_page_that_waits_passes_over_nothing_of_a_unit_that_is_opened_meanwhile(feed: Asked) -> None:
    person, _ = await feed.viewer(NORTH)
    await feed.served.settled()
    async with feed.client(person) as client:
        waiting = asyncio.create_task(client.get("/events?after=end&wait=20"))
        async with asyncio.timeout(PATIENCE):
            while not feed.served.apps["risk"].state.feed.head._waiting:
                await asyncio.sleep(0.005)
        quay = derived_id("unit", "quay")
        await opened(feed.served, quay, HARBOR, "QUAY")
        await feed.happened("at the quay", quay)
        page = await waiting
        following = page.links["next"]["url"]
        assert subjects(page.json() or (await client.get(following)).json()) == ["at the quay"]


async def test_who_brings_the_token_of_an_event_gets_it_also_while_no_unit_is_opened_or_moved(feed: Asked) -> None:
    person, _ = await feed.viewer(NORTH)
    async with feed.client(person) as client:
        assert (await client.get("/events")).status_code == 200
        for n in range(3):
            token = await feed.happened(f"seen {n}", HARBOR)
            answer = await client.get(f"/events?subject=seen {n}", headers={"Consistency-Token": token.encode()})
            assert subjects(answer.json()) == [f"seen {n}"]


async def test_a_page_that_waited_has_nothing_of_what_may_not_be_read_any_more(feed: Asked) -> None:
    person, (north, _) = await feed.viewer(NORTH, SOUTH)
    await feed.served.settled()
    async with feed.client(person) as client:
        waiting = asyncio.create_task(client.get("/events?after=end&wait=20"))
        async with asyncio.timeout(PATIENCE):
            while not feed.served.apps["risk"].state.feed.head._waiting:
                await asyncio.sleep(0.005)
            await end(feed.served, north)
            while (await client.get("/events?subject=risk-0")).json():
                await asyncio.sleep(0.02)
        await feed.happened("not any more", NORTH)
        page = await waiting
        assert (page.status_code, page.json()) == (200, [])
        await feed.happened("still", SOUTH)
        assert subjects((await client.get(page.links["next"]["url"])).json()) == ["still"]
