"""Where the topics are missing or were made anew, by whomever, the relay publishes the whole log again."""

import asyncio
from datetime import timedelta
from functools import partial

import pytest

from steerco_events.envelope import Recorded
from steerco_events.kafka.broker import Broker
from steerco_events.kafka.feed import KafkaFeed
from steerco_events.kafka.gaps import EventsMissing
from steerco_events.kafka.publisher import KafkaPublisher
from steerco_events.kafka.topics import contents_of
from steerco_events.ports import Cursor
from steerco_events.positions import PARTITIONS, partition_of
from steerco_events.postgres.checkpoints import Checkpoints
from steerco_events.relay import CONSUMER, Relay
from steerco_events.retrying import retrying
from steerco_events.testkit.feeds import count_up, of_streams
from steerco_events.testkit.logs import PATIENCE, Log, read_on, running, until
from steerco_events.testkit.tally import Counted
from steerco_events.testkit.topics import Topics, fresh_topics
from steerco_events.testkit.wires import Wire, has_relayed, relay
from steerco_servers.testing import TemporaryKafka

SOON = timedelta(seconds=2)
"""A lease; it is renewed, and the topics are looked at, every third of it."""


async def test_a_relay_whose_readers_have_nothing_any_more_publishes_the_whole_log_again(log: Log) -> None:
    await count_up(log, streams=2, times=2)
    await log.seal()
    async with running(relay(log, Wire()).run):
        await until(lambda: has_relayed(log, 4), "the first relay leads")
    wire = Wire()
    wire.is_new = True
    async with running(relay(log, wire).run):
        await until(partial(wire.has_events, 4), "all is published again")
    assert wire.positions == [1, 2, 3, 4]


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
        await until(partial(wire.has_events, 4), "all is published again")


async def cut_off(*_: object) -> None:
    raise ConnectionError("cut off")


async def test_a_checkpoint_that_is_forgotten_while_the_relay_leads_makes_it_publish_the_whole_log_again(
    log: Log,
) -> None:
    await count_up(log, streams=2, times=2)
    await log.seal()
    wire = Wire()
    async with running(relay(log, wire, SOON).run):
        await until(lambda: has_relayed(log, 4), "the relay leads")
        async with log.engine.begin() as tx:
            await Checkpoints(CONSUMER).forget(tx)
        await until(lambda: has_relayed(log, 4), "the relay is there again")
    assert wire.positions == [1, 2, 3, 4] * 2


class Silent(Wire):
    """Readers that never say whether they have what they had."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    async def is_same(self) -> bool:
        self.asked += 1
        await asyncio.sleep(PATIENCE)
        return False

    async def was_asked_again(self) -> bool:
        """Whether the first question was given up."""
        return self.asked > 1


async def test_who_does_not_say_whether_all_is_there_still_is_asked_again_and_keeps_nothing_up(log: Log) -> None:
    wire = Silent()
    async with running(relay(log, wire, SOON).run):
        await until(wire.was_asked_again, "the relay has asked twice")
        await count_up(log, streams=2, times=2)
        await log.seal()
        await until(partial(wire.has_events, 4), "what comes is published")
    assert wire.positions == [1, 2, 3, 4]


async def test_what_is_made_anew_by_somebody_while_the_relay_leads_is_filled_with_the_whole_log(log: Log) -> None:
    await count_up(log, streams=2, times=2)
    await log.seal()
    wire = Wire()
    async with running(relay(log, wire, SOON).run):
        await until(lambda: has_relayed(log, 4), "the relay leads")
        wire.is_new = True
        await until(partial(wire.has_events, 8), "all is published again")
        await log.append("tally-0", Counted(by=3))
        await log.seal()
        await until(partial(wire.has_events, 9), "the relay goes on")
    assert wire.positions == [*[1, 2, 3, 4] * 2, 5]


async def read_all(topics: Topics, events: int) -> dict[str, list[int]]:
    """What a reader finds that begins at the start, by stream; it is patient with a topic that is being filled."""
    found: list[Recorded] = []

    async def has_all() -> bool:
        feed = topics.feed()
        try:
            found[:], _ = await read_on(feed, Cursor(), events)
        except EventsMissing:
            return False
        finally:
            await feed.close()
        return True

    await until(has_all, f"the topic has {events} events")
    return of_streams(found)


@pytest.mark.kafka
async def test_a_relay_makes_the_topics_that_are_missing_and_fills_them(log: Log, kafka: TemporaryKafka) -> None:
    await count_up(log, streams=2, times=2)
    await log.seal()
    async with log.engine.begin() as tx:
        await Checkpoints(CONSUMER).advance(tx, log.service, Cursor(), Cursor(1, (4,) * PARTITIONS))
    publisher = KafkaPublisher(log.service, Broker(kafka.bootstrap), replication=1)
    feed = KafkaFeed(log.service, Broker(kafka.bootstrap), log.registry)
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
    publisher = KafkaPublisher(log.service, Broker(kafka.bootstrap), replication=1)
    async with (
        fresh_topics(Broker(kafka.bootstrap), log.service) as topics,
        running(partial(retrying, Relay(log.engine, log.feed(), publisher, timedelta(seconds=1)).run, log.service)),
    ):
        assert await read_all(topics, 4) == {"tally-0": [1, 2], "tally-1": [1, 2]}
        await topics.delete(*topics.names)
        await topics.create()
        await log.append("tally-0", Counted(by=3))
        await log.seal()
        assert await read_all(topics, 5) == {"tally-0": [1, 2, 3], "tally-1": [1, 2]}


@pytest.mark.kafka
async def test_what_was_published_into_a_topic_made_anew_before_that_was_seen_hides_nothing(
    kafka: TemporaryKafka,
) -> None:
    async with fresh_topics(Broker(kafka.bootstrap)) as topics:
        events = topics.log([[(f"tally-{n}", Counted(by=1))] for n in range(40)])
        publisher = KafkaPublisher(topics.service, Broker(kafka.bootstrap), replication=1)
        await publisher.prepare()
        await publisher.publish(events[:30])
        await topics.delete(*topics.names)
        await topics.create()
        await publisher.publish(events[30:])
        assert await publisher.prepare()
        await publisher.publish(events)
        await publisher.publish_head(topics.head(events))
        await publisher.close()
        feed = topics.feed()
        found, _ = await read_on(feed, Cursor(), 40)
        await feed.close()
        assert {event.id for event in found} == {event.id for event in events}


@pytest.mark.kafka
async def test_topics_that_somebody_made_anew_while_no_relay_ran_are_filled_by_the_next(
    log: Log, kafka: TemporaryKafka
) -> None:
    await count_up(log, streams=2, times=2)
    await log.seal()
    async with fresh_topics(Broker(kafka.bootstrap), log.service) as topics:
        for _ in range(2):
            publisher = KafkaPublisher(log.service, Broker(kafka.bootstrap), replication=1)
            async with running(Relay(log.engine, log.feed(), publisher).run):
                assert await read_all(topics, 4) == {"tally-0": [1, 2], "tally-1": [1, 2]}
            await topics.delete(*topics.names)
            await topics.create()


@pytest.mark.kafka
async def test_a_topic_that_was_cut_is_made_anew_when_it_is_to_be_published_again(
    log: Log, kafka: TemporaryKafka
) -> None:
    await count_up(log, streams=2, times=2)
    await log.seal()
    publisher = KafkaPublisher(log.service, Broker(kafka.bootstrap), replication=1)
    async with (
        fresh_topics(Broker(kafka.bootstrap), log.service) as topics,
        running(Relay(log.engine, log.feed(), publisher, SOON).run),
    ):
        assert await read_all(topics, 4) == {"tally-0": [1, 2], "tally-1": [1, 2]}
        before = await topics.ids.of(*topics.names)
        await topics.cut(partition_of("tally-1"), before=1)
        async with log.engine.begin() as tx:
            await Checkpoints(CONSUMER).forget(tx)
        assert await read_all(topics, 4) == {"tally-0": [1, 2], "tally-1": [1, 2]}
        after = await topics.ids.of(*topics.names)
        assert [before[name] == after[name] for name in topics.names] == [False, True]


@pytest.mark.kafka
async def test_a_topic_that_was_cut_is_made_anew_by_the_next_relay(kafka: TemporaryKafka) -> None:
    async with fresh_topics(Broker(kafka.bootstrap)) as topics:
        await topics.publish(topics.log([[("tally-1", Counted(by=n)) for n in (1, 2)]]))
        await topics.cut(partition_of("tally-1"), before=2)
        before = await topics.ids.of(*topics.names)
        publisher = KafkaPublisher(topics.service, Broker(kafka.bootstrap), replication=1)
        assert await publisher.prepare()
        await publisher.close()
        assert (await contents_of(Broker(kafka.bootstrap), topics.service)).is_new
        assert (await topics.ids.of(*topics.names))[topics.names[0]] != before[topics.names[0]]
