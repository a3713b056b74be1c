"""Pages of the sealed log: of any size, from any place, filtered, they are the log, each event once and in order."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from steerco_events.envelope import Recorded
from steerco_events.ids import derived_id
from steerco_events.ports import Cursor, LogRewound
from steerco_events.postgres import event_pages
from steerco_events.postgres.event_pages import EventPages, Filter, GenerationUnknown, Place
from steerco_events.postgres.store import Write
from steerco_events.registry import Payload
from steerco_events.testkit.feeds import ids
from steerco_events.testkit.logs import Log, fresh_log
from steerco_events.testkit.tally import Closed, Counted, Labeled
from steerco_servers.testing import TemporaryPostgres

UNITS = [derived_id("unit", n) for n in range(4)]
STREAMS = [f"tally-{n}" for n in range(12)]
TYPES = ["steerco.tally.counted", "steerco.tally.labeled", "steerco.tally.closed"]
START = Place(1, 0)

filters = st.builds(
    Filter,
    types=st.lists(st.sampled_from([*TYPES, "steerco.tally.unheard-of"]), max_size=2),
    subjects=st.lists(st.sampled_from([*STREAMS, "tally-unheard-of"]), max_size=3),
    units=st.lists(st.sampled_from([*UNITS, derived_id("unit", "unheard of")]), max_size=2),
)


@dataclass(frozen=True)
class Written:
    """A log, its pages, and all its events."""

    log: Log
    pages: EventPages
    events: Sequence[Recorded]


async def write(log: Log, seed: int) -> None:
    """Some hundred events of every type and stamp in many seals, with gaps where writers changed their minds."""
    chance = random.Random(seed)
    for _ in range(120):
        stream = chance.choice(STREAMS)
        payloads: Sequence[Payload] = [
            chance.choice([Counted(by=chance.randint(1, 9)), Labeled(label="\u2028 «ü»"), Closed()])
            for _ in range(chance.randint(1, 4))
        ]
        context = log.context().concerning(*chance.sample(UNITS, chance.randint(0, 2)))
        async with log.engine.connect() as tx:
            version = (await log.store.read_stream(tx, stream)).version
            await log.store.append(tx, [Write(stream, version, payloads)], context)
            await (tx.rollback() if chance.random() < 0.2 else tx.commit())
        if chance.random() < 0.5:
            await log.seal()
    await log.seal()


@pytest.fixture(scope="module")
async def written(postgres: TemporaryPostgres) -> AsyncIterator[Written]:
    async with fresh_log(postgres) as log:
        await write(log, seed=4)
        pages = EventPages(log.service, log.engine, log.registry)
        events = (await log.feed().read(Cursor(), 1000)).events
        yield Written(log, pages, events)


def meets(event: Recorded, sought: Filter) -> bool:
    return (
        (not sought.types or event.type in sought.types)
        and (not sought.subjects or event.stream in sought.subjects)
        and (not sought.units or not set(event.org_units).isdisjoint(sought.units))
    )


async def read_all(pages: EventPages, limit: int, sought: Filter, after: Place = START) -> Sequence[Recorded]:
    found: list[Recorded] = []
    while True:
        page = await pages.read(after, limit, sought)
        assert len(page.events) <= limit
        found += page.events
        if page.is_last:
            return found
        assert page.end.position > after.position
        after = page.end


@given(limit=st.integers(1, 400), sought=filters, begin=st.integers(0, 400), scanned=st.integers(1, 60))
@settings(max_examples=60, deadline=None)
async def test_pages_of_any_size_are_what_a_look_through_the_whole_log_finds(
    written: Written, limit: int, sought: Filter, begin: int, scanned: int
) -> None:
    begin = min(begin, (await written.pages.end()).position)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(event_pages, "SCANNED_AT_MOST", scanned)
        found = await read_all(written.pages, limit, sought, Place(1, begin))
    assert found == [event for event in written.events if event.position > begin and meets(event, sought)]


async def test_the_log_has_gaps_and_many_seals(written: Written) -> None:
    """Else the rule above says little."""
    positions = [event.position for event in written.events]
    assert len(positions) > 200
    assert positions != list(range(1, len(positions) + 1))
    assert len({event.sealed_at for event in written.events}) > 40


async def test_a_filtered_page_passes_over_a_bounded_part_of_the_log(
    written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_pages, "SCANNED_AT_MOST", 50)
    nobody = Filter(units=[derived_id("unit", "unheard of")])
    page = await written.pages.read(Place(1, 20), 10, nobody)
    assert (page.events, page.end, page.is_last) == ([], Place(1, 70), False)


async def test_the_place_of_an_event_is_where_the_page_that_it_ends_ended(written: Written) -> None:
    after = START
    for event in written.events[:25]:
        page = await written.pages.read(after, 1, Filter())
        assert ids(page.events) == ids([event])
        assert page.end == Place(event.generation, event.position)
        after = page.end


async def test_at_the_end_there_is_nothing_and_the_place_stays(written: Written) -> None:
    end = Place(1, (await written.pages.end()).position)
    page = await written.pages.read(end, 10, Filter())
    assert (list(page.events), page.end, page.is_last) == ([], end, True)


async def test_what_was_sealed_after_the_scope_was_known_is_held_back_and_given_once_more_is(written: Written) -> None:
    *_, before, last = sorted({event.sealed_at for event in written.events})
    scoped = Filter(scope=UNITS, known_at=before)
    held = await written.pages.read(START, 1000, scoped)
    inside = [event for event in written.events if event.org_units]
    assert ids(held.events) == ids([event for event in inside if event.sealed_at <= before])
    assert (held.end, held.is_last, held.is_held) == (await written.pages.place_at(before), False, True)
    again = await written.pages.read(held.end, 1000, scoped)
    assert (list(again.events), again.end, again.is_held) == ([], held.end, True)
    rest = await written.pages.read(held.end, 1000, replace(scoped, known_at=last))
    assert ids(rest.events) == ids([event for event in inside if event.sealed_at > before])
    assert (rest.end, rest.is_last, rest.is_held) == (await written.pages.place_at(last), True, False)


async def test_a_page_that_is_full_before_what_is_held_back_says_that_more_is_there(written: Written) -> None:
    *_, before, _ = sorted({event.sealed_at for event in written.events})
    page = await written.pages.read(START, 3, Filter(scope=UNITS, known_at=before))
    assert (len(page.events), page.is_last, page.is_held) == (3, False, False)


async def test_who_stands_beyond_what_is_known_is_not_taken_back(written: Written) -> None:
    end = Place(1, (await written.pages.end()).position - 1)
    long_ago = Filter(scope=UNITS, known_at=written.events[0].sealed_at - timedelta(days=1))
    page = await written.pages.read(end, 10, long_ago)
    assert (list(page.events), page.end, page.is_held) == ([], end, True)


async def test_an_instant_is_the_place_after_all_that_was_sealed_up_to_it(written: Written) -> None:
    for at in sorted({event.sealed_at for event in written.events})[::7]:
        before = [event for event in written.events if event.sealed_at <= at]
        assert await read_all(written.pages, 1000, Filter(), await written.pages.place_at(at)) == [
            event for event in written.events if event.sealed_at > at
        ]
        earlier = await written.pages.place_at(at - timedelta(microseconds=1))
        assert earlier.position < before[-1].position
    assert await written.pages.place_at(written.events[0].sealed_at - timedelta(days=1)) == START


async def test_what_is_not_sealed_is_on_no_page(log: Log) -> None:
    pages = EventPages(log.service, log.engine, log.registry)
    await log.append("tally-1", Counted(by=1))
    assert (await pages.read(START, 10, Filter())).events == ()
    await log.seal()
    await log.append("tally-1", Counted(by=2))
    assert [event.payload for event in (await pages.read(START, 10, Filter())).events] == [Counted(by=1)]


async def restored(log: Log, generation: int, after: int) -> None:
    """The log goes on in a later generation after a position, as after a restore to it."""
    async with log.engine.begin() as tx:
        await tx.execute(
            text(
                "INSERT INTO log.generations SELECT :generation, :after, system_identifier, timeline_id"
                " FROM log.generations WHERE generation = 1"
            ),
            {"generation": generation, "after": after},
        )


async def test_a_place_beyond_the_beginning_of_a_later_generation_is_told_where_that_began(log: Log) -> None:
    pages = EventPages(log.service, log.engine, log.registry)
    await log.append("tally-1", *(Counted(by=n) for n in range(1, 11)))
    await log.seal()
    await restored(log, 2, after=8)
    await restored(log, 3, after=6)
    for generation, position in [(1, 0), (1, 6), (2, 6), (3, 6), (3, 8), (3, 10)]:
        page = await pages.read(Place(generation, position), 10, Filter())
        assert [event.position for event in page.events] == list(range(position + 1, 11))
    for generation, position in [(1, 7), (1, 9), (2, 7), (2, 10)]:
        with pytest.raises(LogRewound, match="generation 3 began after position 6"):
            await pages.read(Place(generation, position), 10, Filter())
    for generation in (0, 4):
        with pytest.raises(GenerationUnknown, match="1 to 3"):
            await pages.read(Place(generation, 3), 10, Filter())


async def test_a_place_beyond_the_end_of_its_generation_is_none_of_this_log(log: Log) -> None:
    pages = EventPages(log.service, log.engine, log.registry)
    await log.append("tally-1", *(Counted(by=n) for n in range(1, 11)))
    with pytest.raises(LogRewound, match=r"ends at 1\.0, and 1\.1 stands beyond"):
        await pages.read(Place(1, 1), 10, Filter())
    await log.seal()
    assert (await pages.read(Place(1, 10), 10, Filter())).is_last
    await restored(log, 2, after=8)
    for position in (11, 2**63 - 1):
        with pytest.raises(LogRewound, match=rf"ends at 2\.10, and 2\.{position} stands beyond"):
            await pages.read(Place(2, position), 10, Filter())


async def test_the_places_of_a_log_that_was_restored_are_those_of_its_events(log: Log) -> None:
    pages = EventPages(log.service, log.engine, log.registry)
    await log.append("tally-1", *(Counted(by=n) for n in range(1, 11)))
    await log.seal()
    await restored(log, 2, after=4)
    events = await read_all(pages, 3, Filter())
    assert [event.generation for event in events] == [1] * 4 + [2] * 6
    for event in events:
        place = Place(event.generation, event.position)
        assert (await pages.end()).place(event.position) == place
        assert await read_all(pages, 100, Filter(), place) == events[event.position :]


async def plan(connection: AsyncConnection, sought: Filter) -> str:
    values = {"after": 0, "until": 10**6, "limit": 100, **event_pages.values_of(sought)}
    rows = await connection.execute(text(f"EXPLAIN {event_pages._query(sought)}"), values)
    return "\n".join(rows.scalars())


async def test_the_events_of_a_stream_are_found_by_their_index(log: Log) -> None:
    for n in range(40):
        await log.append(f"tally-{n}", *(Counted(by=1) for _ in range(100)))
    await log.seal()
    async with log.engine.connect() as connection:
        found = await plan(connection, Filter(subjects=["tally-7"]))
    assert "events_stream_stream_version_key" in found, found
    assert "Seq Scan on events" not in found, found


async def test_a_page_holds_no_connection_afterwards(written: Written) -> None:
    await asyncio.gather(*(read_all(written.pages, 50, Filter()) for _ in range(20)))
    assert "Current Checked out connections: 0" in written.log.engine.pool.status()
