"""The log backward: of any size, filtered or not, its pages are the events that meet it, the newest first."""

import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from steerco_events.envelope import Actor, Recorded
from steerco_events.ids import derived_id
from steerco_events.ports import Cursor
from steerco_events.postgres import trail
from steerco_events.postgres.event_pages import Filter, values_of
from steerco_events.postgres.store import Write
from steerco_events.postgres.trail import Between, read_back
from steerco_events.testkit.logs import Log, fresh_log
from steerco_events.testkit.tally import Counted, Labeled
from steerco_servers.testing import TemporaryPostgres

UNITS = [derived_id("unit", n) for n in range(3)]
PEOPLE = [derived_id("person", n) for n in range(3)]
CLIENTS = ["steerco", "importer"]
STREAMS = [f"tally-{n}" for n in range(4)]
TYPES = ["steerco.tally.counted", "steerco.tally.labeled"]
NOBODY = derived_id("nobody")

filters = st.builds(
    Filter,
    types=st.lists(st.sampled_from([*TYPES, "steerco.tally.unheard-of"]), max_size=1),
    subjects=st.lists(st.sampled_from([*STREAMS, "tally-unheard-of"]), max_size=1),
    units=st.lists(st.sampled_from([*UNITS, NOBODY]), max_size=2),
    scope=st.none() | st.lists(st.sampled_from(UNITS), max_size=2),
    actors=st.lists(st.sampled_from([*PEOPLE, NOBODY]), max_size=1),
    clients=st.lists(st.sampled_from([*CLIENTS, "nobody's"]), max_size=1),
)


@dataclass(frozen=True)
class Written:
    """A log and all its events, the newest first."""

    log: Log
    events: Sequence[Recorded]


@pytest.fixture(scope="module")
async def written(postgres: TemporaryPostgres) -> AsyncIterator[Written]:
    chance = random.Random(5)
    async with fresh_log(postgres) as log:
        for _ in range(60):
            stream = chance.choice(STREAMS)
            by = Actor(chance.choice(PEOPLE), "Engineer")
            context = replace(log.context(), actor=by, client=chance.choice(CLIENTS))
            context = context.concerning(*chance.sample(UNITS, chance.randint(0, 2)))
            payloads = [chance.choice([Counted(by=1), Labeled(label="a")]) for _ in range(chance.randint(1, 3))]
            async with log.engine.begin() as tx:
                version = (await log.store.read_stream(tx, stream)).version
                await log.store.append(tx, [Write(stream, version, payloads)], context)
            if chance.random() < 0.5:
                await log.seal()
        await log.seal()
        yield Written(log, (await log.feed().read(Cursor(), 1000)).events[::-1])


def meets(event: Recorded, sought: Filter) -> bool:
    units = set(event.org_units)
    return (
        (not sought.types or event.type in sought.types)
        and (not sought.subjects or event.stream in sought.subjects)
        and (not sought.units or not units.isdisjoint(sought.units))
        and (sought.scope is None or not units.isdisjoint(sought.scope))
        and (not sought.actors or event.actor.id in sought.actors)
        and (not sought.clients or event.client in sought.clients)
        and (not sought.commands or event.correlation_id in sought.commands)
    )


async def read_all(log: Log, limit: int, sought: Filter, between: Between | None = None) -> Sequence[UUID]:
    found: list[UUID] = []
    before = None
    while True:
        async with log.engine.connect() as connection:
            page = await read_back(connection, sought, between or Between(), limit, before)
        assert len(page.rows) <= limit
        found += [row.id for row in page.rows]
        if page.end is None:
            return found
        assert before is None or page.end < before, "it goes on"
        before = page.end


@given(sought=filters, limit=st.sampled_from([1, 3, 1000]), scanned=st.sampled_from([2, 7, 20_000]))
@settings(max_examples=60, deadline=None)
async def test_the_pages_are_the_events_that_meet_what_is_sought(
    written: Written, sought: Filter, limit: int, scanned: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trail, "SCANNED_AT_MOST", scanned)
        found = await read_all(written.log, limit, sought)
    assert found == [event.id for event in written.events if meets(event, sought)]


async def test_what_came_of_a_command_is_found_by_its_correlation(written: Written) -> None:
    command = written.events[30].correlation_id
    found = await read_all(written.log, 10, Filter(commands=(command,)))
    assert found == [event.id for event in written.events if event.correlation_id == command]


@pytest.mark.parametrize(("since", "until"), [(None, 40), (60, None), (60, 40), (40, 60)])
async def test_from_and_until_cut_by_the_instants_of_the_seals(
    written: Written, since: int | None, until: int | None
) -> None:
    first, last = (None if n is None else written.events[n].sealed_at for n in (since, until))
    found = await read_all(written.log, 7, Filter(), Between(first, last))
    assert found == [
        event.id
        for event in written.events
        if (first is None or event.sealed_at >= first) and (last is None or event.sealed_at <= last)
    ]


async def test_before_the_first_and_after_the_last_seal_there_is_nothing(written: Written) -> None:
    newest, oldest, moment = written.events[0].sealed_at, written.events[-1].sealed_at, timedelta(microseconds=1)
    assert await read_all(written.log, 7, Filter(), Between(since=newest + moment)) == []
    assert await read_all(written.log, 7, Filter(), Between(until=oldest - moment)) == []


async def test_what_is_not_sealed_is_not_there_yet(log: Log) -> None:
    await log.append("tally-1", Counted(by=1))
    assert await read_all(log, 7, Filter()) == []
    await log.seal()
    assert len(await read_all(log, 7, Filter())) == 1


async def test_the_events_of_a_stream_are_found_by_their_index(log: Log) -> None:
    for n in range(40):
        await log.append(f"tally-{n}", *(Counted(by=1) for _ in range(100)))
    await log.seal()
    sought = Filter(subjects=["tally-7"])
    values = {"after": 0, "until": 10**6, "limit": 100, **values_of(sought)}
    async with log.engine.connect() as connection:
        rows = await connection.execute(text(f"EXPLAIN {trail._query(sought)}"), values)
        plan = "\n".join(rows.scalars())
    assert "events_stream_stream_version_key" in plan, plan
    assert "Seq Scan on events" not in plan, plan
