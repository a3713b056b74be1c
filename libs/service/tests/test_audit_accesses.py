"""Who asked for what, and from where: one row for each request, and the address in no other place."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from steerco_events.archive.lines import encoded
from steerco_events.archive.writing import archive
from steerco_events.clock import ManualClock, SystemClock
from steerco_events.ids import new_id
from steerco_events.postgres.accesses import Accessed
from steerco_events.testkit.logs import running, until
from steerco_service.audit import access_log
from steerco_service.audit.access_log import AccessLog
from steerco_service.audit.accessing import STRANGERS
from steerco_service.testkit.answering import asking
from steerco_service.testkit.serving import TESTER, Served
from steerco_service.workers import workers

ADDRESS = "192.0.2.77"
THREE = 3

TABLES = text("SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname IN ('log', 'views')")
HOLDS = "SELECT true FROM {} AS t WHERE t::text LIKE :plain OR t::text LIKE :bytes LIMIT 1"
HELD = {"plain": f"%{ADDRESS}%", "bytes": f"%{ADDRESS.encode().hex()}%"}


@pytest.fixture
async def visitor(served: Served, shelf: httpx.AsyncClient) -> AsyncIterator[httpx.AsyncClient]:
    """Who asks from an address of their own."""
    async with asking(served.apps["risk"], client=ADDRESS) as client:
        client.headers = httpx.Headers(shelf.headers)
        yield client


async def accesses(shelf: httpx.AsyncClient, **asked: str) -> Sequence[Any]:
    answer = await shelf.get("/accesses", params={"limit": "500"} | asked)
    assert answer.status_code == 200, answer.text
    found: Sequence[Any] = answer.json()
    return found


async def since(shelf: httpx.AsyncClient, began: datetime) -> Sequence[tuple[str | None, int]]:
    """What was asked of the visitor's address since then, and how it was answered, in its order."""
    rows = await accesses(shelf, **{"from": began.isoformat()})
    return [(row["operation"], row["status"]) for row in reversed(rows) if row["address"] == ADDRESS]


def access_row(actor: UUID) -> Accessed:
    return Accessed(SystemClock().now(), actor, "tests", ADDRESS, "GET", None, "/nothing", None, 404, False, None)


async def test_a_request_is_a_row_with_who_asked_for_what_and_from_where(
    shelf: httpx.AsyncClient, visitor: httpx.AsyncClient
) -> None:
    thing = new_id()
    assert (await visitor.post("/things", json={"thing_id": str(thing), "name": "Lamp"})).status_code == 201
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    shouted = f"/things/{str(thing).upper()}"
    assert (await visitor.get(f"{shouted}?color=red", headers={"traceparent": trace})).status_code == 422
    (read,) = await accesses(shelf, subject=str(thing))
    assert read.pop("at") is not None
    assert read.pop("traceparent").startswith(trace[:35])
    assert read == {
        "actor_id": str(TESTER.actor.id),
        "client": TESTER.client,
        "address": ADDRESS,
        "method": "GET",
        "operation": "one",
        "path": shouted,
        "subject": str(thing),
        "status": 422,
        "is_sensitive": False,
    }


async def test_what_is_open_to_everybody_is_no_row(shelf: httpx.AsyncClient, visitor: httpx.AsyncClient) -> None:
    began = SystemClock().now()
    for path in ("/livez", "/readyz", "/startupz", "/docs", "/redoc", "/openapi.json", "/static-offline-docs/none.js"):
        await visitor.get(path)
    assert await since(shelf, began) == []


async def test_who_has_no_valid_token_is_nobody_at_an_address(
    shelf: httpx.AsyncClient, visitor: httpx.AsyncClient
) -> None:
    began = SystemClock().now()
    assert (await visitor.get("/things", headers={"Authorization": "Bearer x.y.z"})).status_code == 401
    row = next(row for row in await accesses(shelf, operation="listed", **{"from": began.isoformat()}))
    assert (row["actor_id"], row["client"], row["address"], row["status"]) == (None, None, ADDRESS, 401)


async def test_a_flood_of_who_has_no_valid_token_fills_no_table(served: Served, shelf: httpx.AsyncClient) -> None:
    began, several = SystemClock().now(), STRANGERS.at_once + 50
    runtime = served.runtime("risk")
    app = served.apart("risk", clock=runtime.clock)
    async with asking(app, client=ADDRESS) as stranger:
        for _ in range(several):
            assert (await stranger.get("/things")).status_code == 401
        await app.state.runtime.accesses.flush()
    rows = await accesses(shelf, operation="listed", **{"from": began.isoformat()})
    assert STRANGERS.at_once <= sum(row["status"] == 401 for row in rows) < several


async def test_what_is_nowhere_has_its_path_only_and_nothing_in_it_can_hurt(
    shelf: httpx.AsyncClient, visitor: httpx.AsyncClient
) -> None:
    began = SystemClock().now()
    for path in ("/nothing%00%1b%ff", "/things/%00", "/" + "x" * 3000):
        await visitor.get(path)
    assert (await visitor.request("SHOUT", "/things")).status_code == 405
    rows = await accesses(shelf, **{"from": began.isoformat()})
    nowhere = [row for row in rows if row["address"] == ADDRESS]
    assert [(row["status"], row["subject"], row["path"][:20]) for row in reversed(nowhere)] == [
        (404, None, "/nothing%00%1B%EF%BF"),
        (422, "�", "/things/%00"),
        (404, None, "/xxxxxxxxxxxxxxxxxxx"),
        (405, None, "/things"),
    ]


async def test_each_command_of_a_batch_is_a_row_beside_the_batch_s(
    shelf: httpx.AsyncClient, visitor: httpx.AsyncClient
) -> None:
    began, lamp = SystemClock().now(), {"name": "Lamp"}
    commands = [{"path": "/things", "body": lamp, "group": "g"}] * THREE + [{"path": "/things", "body": {}}]
    assert (await visitor.post("/batch", json={"commands": commands})).status_code == 200
    assert sorted(await since(shelf, began), key=str) == [
        *[("put", 201)] * THREE,
        ("put", 422),
        ("send_batch", 200),
    ]


async def test_a_list_goes_on_by_link_and_is_exported_whole(
    shelf: httpx.AsyncClient, visitor: httpx.AsyncClient
) -> None:
    began = SystemClock().now()
    for _ in range(5):
        await visitor.get("/things?limit=1")
    asked = {"from": began.isoformat(), "operation": "listed"}
    whole = await accesses(shelf, **asked)
    paged: list[Any] = []
    url: str | None = str(httpx.URL("/accesses", params=asked | {"limit": "2"}))
    while url:
        answer = await shelf.get(url)
        paged += answer.json()
        url = answer.links.get("next", {}).get("url")
    assert len(whole) == 5
    assert paged == whole
    lines = (await shelf.get("/accesses", params=asked, headers={"Accept": "application/x-ndjson"})).text.splitlines()
    assert len(lines) == 5
    exported = await shelf.get("/accesses", params=asked | {"format": "csv"})
    header, *rows = exported.text.splitlines()
    assert header == "at,actor_id,client,address,method,operation,path,subject,status,is_sensitive,traceparent"
    assert all(f",tests,{ADDRESS},GET,listed,/things,,200,false," in row for row in rows)
    assert len(rows) == 5
    assert exported.headers["Content-Disposition"] == 'attachment; filename="accesses-risk.csv"'


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("after=AA", 400),
        ("after=MjAyNg", 400),
        ("from=86400", 422),
        ("until=2026-03-31T12:00:00", 422),
        ("actor=Ann", 422),
        ("subject=%00", 422),
        ("format=xml", 422),
        ("is_sensitive=perhaps", 422),
    ],
)
async def test_what_can_t_be_asked_is_refused(shelf: httpx.AsyncClient, query: str, status: int) -> None:
    assert (await shelf.get(f"/accesses?{query}")).status_code == status


async def test_a_form_that_nobody_knows_is_not_acceptable(shelf: httpx.AsyncClient) -> None:
    answer = await shelf.get("/accesses", headers={"Accept": "image/png"})
    assert (answer.status_code, answer.json()["type"]) == (406, "urn:steerco:problem:not-acceptable")


async def test_the_address_is_in_no_other_table_and_no_archive(
    served: Served, shelf: httpx.AsyncClient, visitor: httpx.AsyncClient
) -> None:
    thing = (await visitor.post("/things", json={"name": "Lamp"}, headers={"Idempotency-Key": str(new_id())})).json()
    await served.settled()
    assert any(row["address"] == ADDRESS for row in await accesses(shelf))
    runtime = served.runtime("risk")
    async with runtime.engine.connect() as connection:
        tables = (await connection.execute(TABLES)).scalars().all()
        holding = [each for each in tables if (await connection.execute(text(HOLDS.format(each)), HELD)).scalar()]
    assert len(tables) > 10
    assert holding == ["log.accesses"]
    lines = [encoded(line) async for line in archive(runtime.engine, "risk", runtime.registry)]
    assert any(thing["id"].encode() in line for line in lines)
    assert not any(ADDRESS.encode() in line for line in lines)
    assert ADDRESS not in (await shelf.get("/audit", params={"limit": "500"})).text


async def test_what_waits_is_written_when_the_process_ends(served: Served, shelf: httpx.AsyncClient) -> None:
    row = access_row(new_id())
    log = AccessLog("risk", served.runtime("risk").engine)
    log.put(row)
    await log.close()
    (found,) = await accesses(shelf, actor=str(row.actor))
    assert found["path"] == row.path


async def test_where_too_many_wait_requests_go_on_unrecorded_and_that_is_said(
    served: Served, shelf: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(access_log, "MOST_WAITING", 2)
    log, actor = AccessLog("risk", served.runtime("risk").engine), new_id()
    assert log.degraded == {}
    for _ in range(THREE):
        log.put(access_row(actor))
    assert log.degraded == {"risk access log": "1 requests are not recorded: 2 wait for that"}
    await log.flush()
    assert log.degraded == {}
    assert "1 requests were not recorded" in caplog.text
    assert len(await accesses(shelf, actor=str(actor))) == 2
    await log.close()


async def test_who_asked_is_forgotten_after_as_many_days_as_are_set(served: Served, shelf: httpx.AsyncClient) -> None:
    log, actors, now = AccessLog("risk", served.runtime("risk").engine), (new_id(), new_id()), SystemClock().now()
    for actor, days in zip(actors, (31, 29), strict=True):
        log.put(access_row(actor)._replace(at=now - timedelta(days=days)))
    await log.close()
    runtime = replace(served.runtime("risk"), clock=ManualClock(now), accesses_kept=timedelta(days=30))

    async def is_forgotten() -> bool:
        return not await accesses(shelf, actor=str(actors[0]))

    assert not await is_forgotten()
    async with running(dict(workers(runtime))["risk old accesses"]):
        await until(is_forgotten, "what is too old is forgotten")
    assert len(await accesses(shelf, actor=str(actors[1]))) == 1
