"""What is received of a log is kept once, in the order in which it came first; and it is read like any other log."""

from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steerco_events.cloudevents import attributes_of
from steerco_events.envelope import Recorded
from steerco_events.ids import new_id
from steerco_events.ports import Cursor, EventFeed
from steerco_events.signals import Signal
from steerco_events.testkit.feeds import Carrier, FeedBehaviour
from steerco_events.testkit.logs import Log, fresh_log, read_on, running
from steerco_events.testkit.recorded import log_of
from steerco_events.testkit.tally import TALLY, Counted
from steerco_servers.testing import TemporaryPostgres
from steerco_service.mirror.feed import MirrorFeed
from steerco_service.mirror.source import Received, received
from steerco_service.mirror.store import Mirror, MirrorMoved, OtherSource, Reached
from steerco_service.scoped.sharing import DENSE
from steerco_service.testkit.mirrored import make_mirror_tables

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
STREAMS = 3
EVENTS = log_of([[(f"tally-{n % STREAMS}", Counted(by=n))] for n in range(12)])

type Cut = Sequence[int]
"""The numbers of the events of a page, in their order."""


def as_received(events: Sequence[Recorded]) -> Sequence[Received]:
    """Events as they come over HTTP."""
    told = [
        {name: said for name, said in attributes_of(each).items() if name not in DENSE}
        | {"data": msgspec.Raw(each.data)}
        for each in events
    ]
    return received(msgspec.json.encode(told))[0]


@pytest.fixture(scope="module")
async def log(postgres: TemporaryPostgres) -> AsyncIterator[Log]:
    async with fresh_log(postgres) as log:
        await make_mirror_tables(log.urls.owner_url, log.urls.name)
        yield log


async def take(log: Log, mirror: Mirror, seen: Reached, events: Sequence[Received], after: str) -> Reached:
    async with log.engine.begin() as tx:
        await mirror.take(tx, seen, events, after, NOW)
        return await mirror.reached(tx)


def mirror_of(name: str, scope: str = "LIC") -> Mirror:
    return Mirror(name, scope, "https://pmo.example")


@st.composite
def pages(draw: st.DrawFn) -> Sequence[Cut]:
    """The events in pages cut anywhere, where each page may repeat whatever came before."""
    ends = sorted(draw(st.sets(st.integers(1, len(EVENTS) - 1))))
    found: list[Cut] = []
    for since, until in zip([0, *ends], [*ends, len(EVENTS)], strict=True):
        again = draw(st.lists(st.integers(0, until - 1), max_size=4))
        new = list(range(since, until))
        found.append([*again, *new, *draw(st.lists(st.integers(0, until - 1), max_size=4))])
    return found


@given(cuts=pages())
@settings(max_examples=25, deadline=None)
async def test_however_pages_are_cut_and_repeat_each_event_is_there_once(log: Log, cuts: Sequence[Cut]) -> None:
    mirror, stands = mirror_of(f"log {new_id()}"), Reached()
    sent = as_received(EVENTS)
    for n, cut in enumerate(cuts):
        stands = await take(log, mirror, stands, [sent[each] for each in cut], f"page {n}")
    first = list(dict.fromkeys(each for cut in cuts for each in cut))
    feed = MirrorFeed(mirror.service, log.engine, TALLY, Signal())
    batch = await feed.read(Cursor(), 100)
    assert [each.payload for each in batch.events] == [EVENTS[n].payload for n in first]
    assert [each.position for each in batch.events] == list(range(1, len(EVENTS) + 1))
    assert batch.cursor.watermark == NOW
    versions: Mapping[str, list[int]] = defaultdict(list)
    for each in batch.events:
        versions[each.stream].append(each.stream_version)
    assert set(map(tuple, versions.values())) == {tuple(range(1, len(EVENTS) // STREAMS + 1))}


async def test_who_has_not_seen_what_another_has_taken_changes_nothing(log: Log) -> None:
    mirror, sent = mirror_of("zombies"), as_received(EVENTS)
    first = await take(log, mirror, Reached(), sent[:2], "one")
    await take(log, mirror, first, sent[2:4], "two")
    for seen in (Reached(), first):
        with pytest.raises(MirrorMoved):
            await take(log, mirror, seen, sent[4:6], "another")
    async with log.engine.connect() as connection:
        stands = await mirror.reached(connection)
    assert (stands.after, stands.position) == ("two", 4)


async def test_of_two_who_take_one_history_one_goes_on(log: Log) -> None:
    mirror, sent = mirror_of("histories"), as_received(EVENTS)
    first = await take(log, mirror, Reached(), sent[:2], "one")
    async with log.engine.begin() as tx:
        second = await mirror.take_history(tx, first, sent[2:4])
    with pytest.raises(MirrorMoved):
        async with log.engine.begin() as tx:
            await mirror.take_history(tx, first, sent[2:6])
    assert (second.after, second.position) == ("one", 4)
    assert (await take(log, mirror, second, sent[4:], "two")).position == len(EVENTS)


async def test_a_database_is_for_one_unit_of_one_enterprise(log: Log) -> None:
    await take(log, mirror_of("elsewhere"), Reached(), as_received(EVENTS), "one")
    async with log.engine.connect() as connection:
        with pytest.raises(OtherSource, match="take a new one"):
            await mirror_of("elsewhere", "SUP").reached(connection)


async def test_a_field_that_was_withheld_is_empty() -> None:
    page = (
        b'[{"id":"1","type":"x","subject":"s","withheld":"name email","data":{"unit":"u"}},'
        b'{"id":"2","type":"steerco.scope.entered","subject":"project-1"},'
        b'{"id":"3","type":"steerco.scope.left","subject":"project-2"}]'
    )
    (event,), entered = received(page)
    assert msgspec.json.decode(event.data) == {"unit": "u", "name": "", "email": ""}
    assert ("withheld" in event.attributes, entered) == (False, ["project-1"])


RECEIVED = Signal()


@dataclass(frozen=True, slots=True)
class MirrorCarrier(Carrier):
    """Logs that are received into tables beside them."""

    async def new_log(self) -> Log:
        """A new log, carried to its feeds until the end of the test."""
        log = await Carrier.new_log(self)
        await make_mirror_tables(log.urls.owner_url, log.urls.name)
        await self.stack.enter_async_context(running(lambda: self._receive(log)))
        return log

    async def _receive(self, log: Log) -> None:
        mirror, source, cursor, stands = mirror_of(log.service), log.feed(), Cursor(), Reached()
        while True:
            batch = await source.read(cursor, 7)
            if batch.cursor != cursor:
                sent, after = as_received(batch.events), repr(batch.cursor)
                async with log.engine.begin() as tx:
                    await mirror.take(tx, stands, sent, after, batch.cursor.watermark)
                    stands = await mirror.reached(tx)
                RECEIVED.notify()
            cursor = batch.cursor
            if not batch.events:
                await source.wait(0.2)

    def _make_feed(self, log: Log) -> EventFeed:
        return MirrorFeed(log.service, log.engine, log.registry, RECEIVED)


class TestFeedFromTheMirror(FeedBehaviour):
    @pytest.fixture
    async def carrier(self, postgres: TemporaryPostgres) -> AsyncIterator[MirrorCarrier]:
        async with AsyncExitStack() as stack:
            yield MirrorCarrier(postgres, stack)

    async def test_after_a_restoration_only_a_reader_that_has_lost_events_is_stopped(self, carrier: Carrier) -> None:
        """Here none is: what was received is never taken back."""
        log = await carrier.new_log()
        await log.append("tally-0", Counted(by=1))
        feed = carrier.feed(log)
        _, cursor = await read_on(feed, Cursor(), 1)
        ahead = replace(cursor, positions=tuple(position + 9 for position in cursor.positions))
        assert (await feed.read(ahead, 1)).events == ()
