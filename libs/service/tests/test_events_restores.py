"""What who reads events is told when the log is restored to before what they have read."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text

from steerco_events.contracts.risk import RiskClosed
from steerco_servers.testing import TemporaryPostgres
from steerco_service.events import streaming
from steerco_service.testkit.blocks import PATIENCE
from steerco_service.testkit.event_streams import RISK, Open, opened
from steerco_service.testkit.serving import log_only, serving


@pytest.fixture
async def fresh(postgres: TemporaryPostgres) -> AsyncIterator[Open]:
    """A service for one test, with some events."""
    async with opened(postgres, events=6) as service:
        yield service


async def restored(service: Open, kept: int) -> None:
    """The log goes on after a position in a new generation."""
    query = "INSERT INTO log.generations SELECT 2, :kept, system_identifier, timeline_id FROM log.generations"
    async with service.served.runtime("risk").engine.begin() as tx:
        await tx.execute(text(query), {"kept": kept})


async def waits(service: Open) -> None:
    """Return when somebody waits for the log to go on."""
    async with asyncio.timeout(PATIENCE):
        while not service.served.apps["risk"].state.feed.head._waiting:
            await asyncio.sleep(0.005)


async def test_a_quiet_stream_ends_when_the_log_is_restored_to_before_it(fresh: Open) -> None:
    async with fresh.stream() as reader:
        await reader.events(6)
        await waits(fresh)
        await restored(fresh, kept=3)
        async with asyncio.timeout(streaming.HEARTBEAT_SECONDS / 2):
            (last,) = await reader.events(1)
        assert await reader.block() is None
    assert last.fields["event"] == "steerco.problem"
    assert last.event["type"] == "urn:steerco:problem:log-rewound"
    assert "go on from 2.3" in last.event["detail"]
    await fresh.close_risks(1)
    async with fresh.stream(Last_Event_ID="2.3") as reader:
        assert [block.id for block in await reader.events(4)] == ["2.4", "2.5", "2.6", "2.7"]


async def test_a_stream_that_had_read_no_further_goes_on_after_a_restore(fresh: Open) -> None:
    async with fresh.stream() as reader:
        await reader.events(6)
        await waits(fresh)
        await restored(fresh, kept=6)
        await fresh.close_risks(1)
        (following,) = await reader.events(1)
    assert following.id == "2.7"


async def test_a_stream_of_a_log_whose_end_went_back_ends_though_nobody_has_declared_it(fresh: Open) -> None:
    async with fresh.stream() as reader:
        await reader.events(6)
        await waits(fresh)
        async with fresh.served.runtime("risk").engine.begin() as tx:
            await tx.execute(text("UPDATE log.head SET position = 4"))
        async with asyncio.timeout(streaming.HEARTBEAT_SECONDS / 2):
            (last,) = await reader.events(1)
        assert await reader.block() is None
    assert last.event["type"] == "urn:steerco:problem:log-rewound"
    assert "risk ends at 1.4, and 1.6 stands beyond that" in last.event["detail"]


async def test_a_page_that_waits_is_refused_when_the_log_is_restored_to_before_it(fresh: Open) -> None:
    waiting = asyncio.create_task(fresh.client.get("/events?after=1.6&wait=30"))
    await waits(fresh)
    await restored(fresh, kept=3)
    answer = await waiting
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:steerco:problem:log-rewound")


async def test_after_a_restore_a_cursor_beyond_it_is_told_so(postgres: TemporaryPostgres) -> None:
    async with serving([log_only("risk")], postgres) as served:
        for n in range(6):
            await served.append("risk", f"risk-{n}", RiskClosed(risk_id=RISK, project_id=RISK))
        await served.settled()
        async with served.runtime("risk").engine.begin() as tx:
            await tx.execute(
                text("INSERT INTO log.generations SELECT 2, 4, system_identifier, timeline_id FROM log.generations")
            )
        feed = await served.client("risk")
        events = (await feed.get("/events")).json()
        assert [event["loggeneration"] for event in events] == ["1"] * 4 + ["2"] * 2
        for after in ("1.4", "2.4", "4"):
            assert (await feed.get(f"/events?after={after}")).json() == events[4:]
        refused = await feed.get("/events?after=1.5")
        assert (refused.status_code, refused.json()["type"]) == (409, "urn:steerco:problem:log-rewound")
        assert "generation 2 began after position 4" in refused.json()["detail"]
        assert refused.json()["errors"][0]["pointer"] == "/after"
        streaming = await feed.get("/events", headers={"Accept": "text/event-stream", "Last-Event-ID": "1.5"})
        assert (streaming.status_code, streaming.json()["errors"][0]["in"]) == (409, "header")


async def test_who_saw_what_a_restore_took_away_is_told_so_though_the_log_has_passed_that_position(
    postgres: TemporaryPostgres,
) -> None:
    async with serving([log_only("risk")], postgres) as served:
        first, *_, lost = [
            await served.append("risk", f"risk-{n}", RiskClosed(risk_id=RISK, project_id=RISK)) for n in range(5)
        ]
        await served.settled()
        async with served.runtime("risk").engine.begin() as tx:
            await tx.execute(
                text("INSERT INTO log.generations SELECT 2, 4, system_identifier, timeline_id FROM log.generations")
            )
        feed = await served.client("risk")
        kept = await feed.get("/events", headers={"Consistency-Token": first.encode()})
        assert (kept.status_code, len(kept.json())) == (200, 5)
        for accept in ("application/cloudevents-batch+json", "text/event-stream"):
            headers = {"Consistency-Token": lost.encode(), "Accept": accept}
            refused = await feed.get("/events?limit=1", headers=headers)
            assert (refused.status_code, refused.json()["type"]) == (409, "urn:steerco:problem:log-rewound")
            assert "goes on after position 4 in another generation" in refused.json()["detail"]
