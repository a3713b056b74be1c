"""What a newer release has written is no fault of ours: who asks is told what it is, and to ask again."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import httpx
import pytest

from steerco_events.commands.attempts import in_transaction
from steerco_events.envelope import Context
from steerco_events.ids import new_id
from steerco_events.postgres.store import EventStore, Write
from steerco_events.registry import Registry, event
from steerco_servers.testing import TemporaryPostgres
from steerco_service.testkit.serving import TESTER, Served, serving

NEWER = Registry("risk")


@event(NEWER, "risk-closed", version=2)
class Closed:
    """As a later release might have it."""

    risk_id: UUID


@pytest.fixture
async def newer(served: Served, postgres: TemporaryPostgres) -> AsyncIterator[Served]:
    """The shelf over a log of its own."""
    async with serving([served.runtime("risk").service], postgres) as running:
        yield running


async def write_newer(served: Served, stream: str) -> None:
    """Let a newer release put an event behind the first."""
    runtime, command_id = served.runtime("risk"), new_id()
    context = Context(command_id, TESTER.actor, "tests", runtime.clock.now(), command_id, command_id)
    write = Write(stream, 1, [Closed(risk_id=new_id())])
    await in_transaction(runtime.engine, lambda tx: EventStore("risk", NEWER).append(tx, [write], context))


async def test_a_stream_that_a_newer_release_wrote_to_is_answered_503_and_named_while_others_go_on(
    newer: Served,
) -> None:
    shelf = await newer.client("risk")
    thing, other = [(await shelf.post("/things", json={"name": "Lamp"})).headers["Location"] for _ in range(2)]
    stream = f"risk-{thing.removeprefix('/things/')}"
    await write_newer(newer, stream)
    command, query, elsewhere = await asyncio.gather(
        shelf.post(f"{thing}/closure"), shelf.get(thing), shelf.post(f"{other}/closure")
    )
    for answer in (command, query):
        assert (answer.status_code, answer.json()["type"]) == (503, "urn:steerco:problem:newer-release")
        assert answer.headers["Retry-After"] == "30"
        assert answer.json()["detail"] == (
            f"{stream} holds what this release can't read: steerco.risk.risk-closed is of version 2 here, and this"
            " release knows it up to version 1: it can be read by a newer release only"
        )
    assert elsewhere.status_code == 204


async def test_in_a_batch_too_the_others_go_on(newer: Served) -> None:
    shelf: httpx.AsyncClient = await newer.client("risk")
    thing = (await shelf.post("/things", json={"name": "Lamp"})).headers["Location"]
    await write_newer(newer, f"risk-{thing.removeprefix('/things/')}")
    commands = [{"path": f"{thing}/closure"}, {"path": "/things", "body": {"name": "Vase"}}]
    answers = (await shelf.post("/batch", json={"commands": commands})).json()["answers"]
    assert [answer["status"] for answer in answers] == [503, 201]
    assert answers[0]["body"]["type"] == "urn:steerco:problem:newer-release"
