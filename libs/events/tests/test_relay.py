"""The relay leaves no gap and keeps the order, whatever fails, and only while it holds the lease."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import text

from steerco_events.envelope import Recorded
from steerco_events.kafka.feed import EventsMissing, KafkaFeed
from steerco_events.kafka.publisher import KafkaPublisher
from steerco_events.kafka.topics import create_topics
from steerco_events.ports import Cursor
from steerco_events.positions import PARTITIONS, Head
from steerco_events.postgres.checkpoints import CheckpointMoved, Checkpoints
from steerco_events.postgres.lease import LeaseLost
from steerco_events.postgres.sealer import open_generation
from steerco_events.relay import CONSUMER, Relay
from steerco_events.retrying import failing_now, retrying
from steerco_events.testkit.feeds import count_up, ids, of_streams
from steerco_events.testkit.logs import PATIENCE, Log, read_on, running, until
from steerco_events.testkit.tally import Counted
from steerco_events.testkit.topics import Topics, fresh_topics
from steerco_servers.testing import TemporaryKafka

SHORT = timedelta(seconds=1)
LONG = timedelta(hours=1)


class BrokerDown(Exception):
    """The broker is not there."""


class Wire:
    """A `Publisher` that keeps what reaches the readers; told to, it breaks after so many events."""

    def __init__(self) -> None:
        self.events: list[Recorded] = []
        self.heads: list[Head] = []
        self.breaks: list[int] = []
        self.is_new = False

    async def prepare(self) -> bool:
        was_new, self.is_new = self.is_new, False
        return was_new

    async def is_same(self) -> bool:
        return not self.is_new

    async def publish(self, events: Sequence[Recorded]) -> None:
        if self.breaks:
            self.events.extend(events[: self.breaks.pop(0)])
            raise BrokerDown
        self.events.extend(events)

    async def publish_head(self, head: Head) -> None:
        self.heads.append(head)

    async def close(self) -> None:
        """Nothing to free."""


class Stalled(Wire):
    """A `Publisher` that takes what it is given, but holds its caller up until released."""

    def __init__(self) -> None:
        super().__init__()
        self.reached = asyncio.Event()
        self.released = asyncio.Event()

    async def hold_up(self) -> None:
        self.reached.set()
        await self.released.wait()


class StalledAtEvents(Stalled):
    async def publish(self, events: Sequence[Recorded]) -> None:
        await super().publish(events)
        await self.hold_up()


class StalledAtHead(Stalled):
    async def publish_head(self, head: Head) -> None:
        await super().publish_head(head)
        await self.hold_up()


def relay(log: Log, wire: Wire, lasts: timedelta = LONG) -> Relay:
    return Relay(log.engine, log.feed(), wire, lasts)


def first_sent(events: Sequence[Recorded]) -> list[int]:
    """The positions that a reader who passes over what it has would take."""
    taken: list[int] = []
    for event in events:
        if event.position > max(taken, default=0):
            taken.append(event.position)
    return taken


async def checkpoint(log: Log) -> Cursor:
    async with log.engine.connect() as connection:
        return await Checkpoints(CONSUMER).load(connection, log.service)


async def has_relayed(log: Log, position: int) -> bool:
    return min((await checkpoint(log)).positions) >= position


async def lease_ran_out(log: Log) -> bool:
    async with log.engine.connect() as connection:
        query = text("SELECT expires_at <= clock_timestamp() FROM log.leases WHERE name = 'relay'")
        return bool((await connection.execute(query)).scalar_one())


async def lose_lease(log: Log) -> None:
    """Let the holder's lease run out, as when its process stood still for too long."""
    async with log.engine.begin() as tx:
        await tx.execute(text("UPDATE log.leases SET expires_at = clock_timestamp() WHERE name = 'relay'"))


async def test_what_is_sealed_is_published_in_the_order_of_the_log_and_then_the_head(log: Log) -> None:
    await count_up(log, streams=4, times=3)
    await log.seal()
    wire = Wire()
    async with running(relay(log, wire).run):
        await until(lambda: has_relayed(log, 12), "all is relayed")
        async with asyncio.timeout(PATIENCE):
            while not wire.heads:
                await asyncio.sleep(0.005)
    assert [event.position for event in wire.events] == list(range(1, 13))
    assert wire.heads == [await log.feed().head()]


async def test_what_is_not_sealed_is_not_published(log: Log) -> None:
    await log.append("tally-1", Counted(by=1))
    await log.seal()
    await log.append("tally-1", Counted(by=2))
    wire = Wire()
    async with running(relay(log, wire).run):
        await until(lambda: has_relayed(log, 1), "the sealed event is relayed")
    assert [event.payload for event in wire.events] == [Counted(by=1)]


@pytest.mark.parametrize("breaks", [[0], [1], [5, 0, 11], [12]])
async def test_a_broker_that_fails_in_between_leaves_no_gap_and_no_disorder(log: Log, breaks: list[int]) -> None:
    await count_up(log, streams=4, times=3)
    await log.seal()
    wire = Wire()
    wire.breaks = list(breaks)
    failing = relay(log, wire)
    async with running(lambda: retrying(failing.run, log.service)):
        await until(lambda: has_relayed(log, 12), "all is relayed")
    assert wire.breaks == []
    assert failing_now()[log.service].startswith("BrokerDown")
    assert len(wire.events) == sum(breaks) + 12
    assert first_sent(wire.events) == list(range(1, 13))


async def test_the_checkpoint_stays_behind_what_the_broker_did_not_take(log: Log) -> None:
    await count_up(log, streams=2, times=2)
    await log.seal()
    wire = Wire()
    wire.breaks = [4]
    with pytest.raises(BrokerDown):
        await relay(log, wire).run()
    assert await checkpoint(log) == Cursor()
    assert wire.heads == []


async def test_of_two_relays_one_publishes(log: Log) -> None:
    leading, standing_by = Wire(), Wire()
    async with running(relay(log, leading).run):
        await log.append("tally-1", Counted(by=1))
        await log.seal()
        await until(lambda: has_relayed(log, 1), "the first relay leads")
        async with running(relay(log, standing_by, SHORT).run):
            for n in range(2, 12):
                await log.append("tally-1", Counted(by=n))
                await log.seal()
                await until(partial(has_relayed, log, n), f"event {n} is relayed")
    assert [event.position for event in leading.events] == list(range(1, 12))
    assert (standing_by.events, standing_by.heads) == ([], [])


async def test_a_relay_that_ends_leaves_the_lease_to_the_next(log: Log) -> None:
    await log.append("tally-1", Counted(by=1))
    await log.seal()
    async with running(relay(log, Wire()).run):
        await until(lambda: has_relayed(log, 1), "the relay leads")
    assert await lease_ran_out(log)


async def test_a_standby_takes_over_where_the_leader_ended(log: Log) -> None:
    await count_up(log, streams=2, times=2)
    await log.seal()
    first, second = Wire(), Wire()
    async with running(relay(log, first, SHORT).run):
        await until(lambda: has_relayed(log, 4), "the first relay leads")
    await count_up(log, streams=1, times=3)
    await log.seal()
    await until(lambda: lease_ran_out(log), "the first relay's lease runs out")
    async with running(relay(log, second).run):
        await until(lambda: has_relayed(log, 7), "the second relay goes on")
    assert [event.position for event in first.events] == [1, 2, 3, 4]
    assert [event.position for event in second.events] == [5, 6, 7]


async def test_a_relay_that_lost_the_lease_while_it_published_moves_no_checkpoint_and_publishes_no_more(
    log: Log,
) -> None:
    await count_up(log, streams=2, times=2)
    await log.seal()
    zombie, successor = StalledAtEvents(), Wire()
    held_up = asyncio.create_task(relay(log, zombie).run())
    async with asyncio.timeout(PATIENCE):
        await zombie.reached.wait()
    await lose_lease(log)
    async with running(relay(log, successor).run):
        await until(lambda: has_relayed(log, 4), "the successor relays")
        await log.append("tally-9", Counted(by=1))
        await log.seal()
        await until(lambda: has_relayed(log, 5), "the successor goes on")
        zombie.released.set()
        with pytest.raises((LeaseLost, CheckpointMoved)):
            await held_up
    assert [event.position for event in zombie.events] == [1, 2, 3, 4]
    assert zombie.heads == []
    assert first_sent([*zombie.events, *successor.events]) == [1, 2, 3, 4, 5]
    assert await has_relayed(log, 5)


async def test_a_relay_that_stood_still_past_its_lease_publishes_nothing_when_it_goes_on(log: Log) -> None:
    await log.append("tally-1", Counted(by=1))
    await log.seal()
    zombie, successor = StalledAtHead(), Wire()
    async with running(relay(log, zombie, SHORT).run):
        async with asyncio.timeout(PATIENCE):
            await zombie.reached.wait()
        await until(lambda: lease_ran_out(log), "the zombie's lease runs out")
        async with running(relay(log, successor).run):
            for n in range(2, 12):
                await log.append("tally-1", Counted(by=n))
                await log.seal()
                await until(partial(has_relayed, log, n), f"event {n} is relayed")
                zombie.released.set()
    assert [event.position for event in zombie.events] == [1]
    assert [event.position for event in successor.events] == list(range(2, 12))
    assert len(zombie.heads) == 1


async def test_a_relay_whose_readers_have_nothing_any_more_publishes_the_whole_log_again(log: Log) -> None:
    await count_up(log, streams=2, times=2)
    await log.seal()
    async with running(relay(log, Wire()).run):
        await until(lambda: has_relayed(log, 4), "the first relay leads")
    wire = Wire()
    wire.is_new = True
    async with running(relay(log, wire).run):
        await until(lambda: published_up_to(wire, 4), "all is published again")
    assert [event.position for event in wire.events] == [1, 2, 3, 4]


async def test_that_all_is_to_be_published_again_is_kept_in_mind_while_the_database_is_away(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    await count_up(log, streams=2, times=2)
    await log.seal()
    async with log.engine.begin() as tx:
        await Checkpoints(CONSUMER).advance(tx, log.service, Cursor(), Cursor(1, (4,) * PARTITIONS))
    wire = Wire()
    wire.is_new = True
    failing = relay(log, wire)
    with monkeypatch.context() as away:
        away.setattr(Checkpoints, "forget", cut_off)
        with pytest.raises(ConnectionError):
            await failing.run()
    assert not wire.is_new
    async with running(failing.run):
        await until(lambda: published_up_to(wire, 4), "all is published again")


async def cut_off(*_: object) -> None:
    raise ConnectionError("cut off")


async def test_a_checkpoint_that_is_forgotten_while_the_relay_leads_makes_it_publish_the_whole_log_again(
    log: Log,
) -> None:
    await count_up(log, streams=2, times=2)
    await log.seal()
    wire = Wire()
    async with running(relay(log, wire, timedelta(seconds=0.3)).run):
        await until(lambda: has_relayed(log, 4), "the relay leads")
        async with log.engine.begin() as tx:
            await Checkpoints(CONSUMER).forget(tx)
        await until(lambda: has_relayed(log, 4), "the relay is there again")
    assert [event.position for event in wire.events] == [1, 2, 3, 4] * 2


async def test_what_is_made_anew_by_somebody_while_the_relay_leads_is_filled_with_the_whole_log(log: Log) -> None:
    await count_up(log, streams=2, times=2)
    await log.seal()
    wire = Wire()
    async with running(relay(log, wire, timedelta(seconds=0.3)).run):
        await until(lambda: has_relayed(log, 4), "the relay leads")
        wire.is_new = True
        await until(partial(has_published, wire, 8), "all is published again")
        await log.append("tally-0", Counted(by=3))
        await log.seal()
        await until(partial(has_published, wire, 9), "the relay goes on")
    assert [event.position for event in wire.events] == [*[1, 2, 3, 4] * 2, 5]


async def has_published(wire: Wire, events: int) -> bool:
    return len(wire.events) >= events


async def test_after_a_restore_the_relay_goes_on_where_the_new_generation_began(log: Log) -> None:
    await count_up(log, streams=2, times=2)
    await log.seal()
    lost = Cursor(1, (9,) * PARTITIONS)
    async with log.engine.begin() as tx:
        await Checkpoints(CONSUMER).advance(tx, log.service, Cursor(), lost)
        server = (await tx.execute(text("SELECT * FROM log.generations"))).one()
        await open_generation(tx, 2, 4, server)
    await log.append("tally-0", Counted(by=3))
    await log.seal()
    wire = Wire()
    async with running(relay(log, wire).run):
        await until(lambda: published_up_to(wire, 5), "the relay goes on")
    assert [(event.generation, event.position) for event in wire.events] == [(2, 5)]


async def published_up_to(wire: Wire, position: int) -> bool:
    return max((event.position for event in wire.events), default=0) >= position


@pytest.mark.kafka
async def test_a_relay_makes_the_topics_that_are_missing_and_fills_them(log: Log, kafka: TemporaryKafka) -> None:
    await count_up(log, streams=2, times=2)
    await log.seal()
    async with log.engine.begin() as tx:
        await Checkpoints(CONSUMER).advance(tx, log.service, Cursor(), Cursor(1, (4,) * PARTITIONS))
    publisher = KafkaPublisher(log.service, kafka.bootstrap, replication=1)
    feed = KafkaFeed(log.service, kafka.bootstrap, log.registry)
    async with running(Relay(log.engine, log.feed(), publisher).run):
        events, _ = await read_on(feed, Cursor(), 4)
    await feed.close()
    assert of_streams(events) == {"tally-0": [1, 2], "tally-1": [1, 2]}


@pytest.mark.kafka
async def test_topics_that_somebody_made_anew_while_the_relay_leads_are_filled_again(
    log: Log, kafka: TemporaryKafka
) -> None:
    await count_up(log, streams=2, times=2)
    await log.seal()
    publisher = KafkaPublisher(log.service, kafka.bootstrap, replication=1)
    async with (
        fresh_topics(kafka.bootstrap, log.service) as topics,
        running(partial(retrying, Relay(log.engine, log.feed(), publisher, SHORT).run, log.service)),
    ):
        assert await read_all(topics, 4) == {"tally-0": [1, 2], "tally-1": [1, 2]}
        await topics.delete(*topics.names)
        await topics.create()
        await log.append("tally-0", Counted(by=3))
        await log.seal()
        assert await read_all(topics, 5) == {"tally-0": [1, 2, 3], "tally-1": [1, 2]}


@pytest.mark.kafka
async def test_topics_that_somebody_made_anew_while_no_relay_ran_are_filled_by_the_next(
    log: Log, kafka: TemporaryKafka
) -> None:
    await count_up(log, streams=2, times=2)
    await log.seal()
    async with fresh_topics(kafka.bootstrap, log.service) as topics:
        for _ in range(2):
            publisher = KafkaPublisher(log.service, kafka.bootstrap, replication=1)
            async with running(Relay(log.engine, log.feed(), publisher).run):
                assert await read_all(topics, 4) == {"tally-0": [1, 2], "tally-1": [1, 2]}
            await topics.delete(*topics.names)
            await topics.create()


async def read_all(topics: Topics, events: int) -> dict[str, list[int]]:
    """What a reader finds that begins at the start, by stream; it is patient with a topic that is being filled."""
    try:
        async with asyncio.timeout(PATIENCE):
            while True:
                feed = topics.feed()
                try:
                    read, _ = await read_on(feed, Cursor(), events)
                    return of_streams(read)
                except EventsMissing:
                    await asyncio.sleep(0.1)
                finally:
                    await feed.close()
    except TimeoutError:
        raise AssertionError(f"the topic never had {events} events") from None


@pytest.fixture
async def published(log: Log, kafka: TemporaryKafka) -> AsyncIterator[KafkaPublisher]:
    await create_topics(kafka.bootstrap, [log.service], replication=1)
    publisher = KafkaPublisher(log.service, kafka.bootstrap)
    yield publisher
    await publisher.close()


@pytest.mark.kafka
async def test_a_topic_with_duplicates_reads_as_each_event_once(
    log: Log, kafka: TemporaryKafka, published: KafkaPublisher
) -> None:
    await count_up(log, streams=5, times=4)
    await log.seal()
    events, _ = await read_on(log.feed(), Cursor(), 20)
    for end in (7, 7, 13, 20, 20):
        await published.publish(events[:end])
    await published.publish_head(await log.feed().head())

    feed, cursor, read = KafkaFeed(log.service, kafka.bootstrap, log.registry), Cursor(), list[Recorded]()
    try:
        async with asyncio.timeout(PATIENCE):
            while sum(cursor.offsets) < 67:
                batch = await feed.read(cursor, 3)
                read.extend(batch.events)
                cursor = batch.cursor
                await feed.wait(0.05)
    finally:
        await feed.close()
    assert ids(read) == ids(events)
    assert of_streams(read) == {f"tally-{n}": [1, 2, 3, 4] for n in range(5)}


@pytest.mark.kafka
async def test_a_reader_that_meets_another_generation_has_a_cursor_for_what_it_gave(
    log: Log, kafka: TemporaryKafka, published: KafkaPublisher
) -> None:
    await count_up(log, streams=1, times=3)
    await log.seal()
    events, _ = await read_on(log.feed(), Cursor(), 3)
    head = await log.feed().head()
    feed = KafkaFeed(log.service, kafka.bootstrap, log.registry)
    try:
        await published.publish_head(head)
        await until(partial(knows_the_head, feed), "the head is known")
        await published.publish([*events[:2], replace(events[2], generation=2)])
        await feed.wait(PATIENCE)
        batch = await feed.read(Cursor(), 10)
        assert ids(batch.events) == ids(events[:2])
        assert (batch.cursor.generation, max(batch.cursor.positions)) == (1, 2)
        await published.publish_head(replace(head, began=(0, 2)))
        rest, cursor = await read_on(feed, batch.cursor, 1)
    finally:
        await feed.close()
    assert ids(rest) == ids(events[2:])
    assert cursor.generation == 2


async def knows_the_head(feed: KafkaFeed) -> bool:
    await feed.wait(0.05)
    return (await feed.read(Cursor(), 10)).cursor.generation == 1
