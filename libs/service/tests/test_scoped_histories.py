"""`GET /scopes/{unit}/events?subject=`: the history of what entered, by whatever process is asked."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Connection, event
from sqlalchemy.ext.asyncio import AsyncEngine

from steerco_events.ids import derived_id
from steerco_servers.testing import TemporaryPostgres
from steerco_service.scoped.holdings import Holdings
from steerco_service.testkit.shares import (
    INSIDE,
    LIC,
    MOVING,
    OUTSIDE,
    ROOT,
    SUP,
    Event,
    Ground,
    appoint,
    share_page,
    share_pages,
    two_units,
)

STRETCH = 50
ELSEWHERE = 10 * STRETCH

_READ = (
    "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE schemaname = 'log' AND relname = 'events'"
)


@pytest.fixture(scope="module")
async def ground(postgres: TemporaryPostgres) -> AsyncIterator[Ground]:
    async with two_units(postgres) as found:
        yield found


@contextmanager
def rows_read(engine: AsyncEngine) -> Iterator[Sequence[int]]:
    """How many rows of the log the server has read for each question about its events."""
    found: list[int] = []

    def is_about_events(statement: str) -> bool:
        return "log.sealed_events" in statement

    def begin(connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
        if is_about_events(statement):
            found.append(-connection.exec_driver_sql(_READ).scalar_one())

    def end(connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
        if is_about_events(statement):
            found[-1] += connection.exec_driver_sql(_READ).scalar_one()

    event.listen(engine.sync_engine, "before_cursor_execute", begin)
    event.listen(engine.sync_engine, "after_cursor_execute", end)
    try:
        yield found
    finally:
        event.remove(engine.sync_engine, "before_cursor_execute", begin)
        event.remove(engine.sync_engine, "after_cursor_execute", end)


def kinds(events: Sequence[Event]) -> Sequence[str]:
    return [each["type"].rpartition(".")[2] for each in events]


async def test_one_request_reads_a_stretch_of_the_log_and_only_the_page_at_its_end_is_the_last(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("steerco_service.scoped.histories.SCANNED_AT_MOST", STRETCH)
    await ground.renames(INSIDE, LIC, ELSEWHERE)
    await ground.moves(SUP, LIC)
    with rows_read(ground.served.runtime("portfolio").engine) as read:
        pages = await share_pages(ground.office, subject=f"project-{MOVING}")
    assert len(pages) == len(read) > ELSEWHERE // STRETCH
    assert max(read) <= STRETCH
    assert sum(read) > ELSEWHERE
    assert [kinds(each.events) for each in pages if each.events] == [["project-registered"], ["project-moved"]]
    assert [each.is_last for each in pages] == [False] * (len(pages) - 1) + [True]


async def test_a_process_that_knew_less_gives_what_another_told_of(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    behind, ahead = ground.another(), ground.another()
    monkeypatch.setattr("steerco_service.access.access.FRESH_SECONDS", 3600)
    cursor = (await share_page(behind)).end
    await ground.moves(LIC, SUP)
    await ground.moves(SUP, LIC)
    told, after, _ = await share_page(ahead, after=cursor)
    assert kinds(told)[0] == "left"
    assert (await share_page(behind, after=after)).events == []


async def test_the_history_of_what_one_process_told_is_whole_by_another(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ground.moves(LIC, SUP)
    behind, ahead = ground.another(), ground.another()
    monkeypatch.setattr("steerco_service.access.access.FRESH_SECONDS", 3600)
    cursor = (await share_page(behind)).end
    await ground.moves(SUP, LIC)
    assert kinds((await share_page(ahead, after=cursor)).events)[0] == "entered"
    (page,) = await share_pages(behind, subject=f"project-{MOVING}")
    assert kinds(page.events)[-1] == "project-moved"
    assert len(page.events) == len((await share_page(ahead, subject=f"project-{MOVING}")).events)


async def test_of_all_appointments_those_inside_are_looked_at(ground: Ground) -> None:
    served, person = ground.served, derived_id("person", "of many places")
    within = [await appoint(served, person, "viewer", **at) for at in ({"unit_id": LIC}, {"project_id": INSIDE})]
    for at in ({"unit_id": SUP}, {"unit_id": ROOT}, {"project_id": OUTSIDE}):
        await appoint(served, person, "viewer", **at)
    await served.settled()
    appointed = (await Holdings(served.runtime("portfolio")).of(LIC, fresh=True)).appointed
    assert [appointed[each] for each in within] == [f"unit-{LIC}", f"project-{INSIDE}"]
    assert set(appointed.values()) == {f"unit-{LIC}", f"project-{INSIDE}"}
