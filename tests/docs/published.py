"""A log, its topic, and the page on subscribing: what the checks of that page share."""

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from steerco_events.envelope import Recorded
from steerco_events.ids import derived_id
from steerco_events.kafka.broker import Broker
from steerco_events.kafka.outgoing import OutgoingFeed
from steerco_events.kafka.publisher import KafkaPublisher
from steerco_events.kafka.topics import events_topic, make_anew
from steerco_events.ports import Cursor
from steerco_events.postgres.checkpoints import Checkpoints
from steerco_events.postgres.store import Write
from steerco_events.relay import CONSUMER, Relay
from steerco_events.testkit.logs import Log, fresh_log, running, until
from steerco_events.testkit.tally import Counted, Labeled
from steerco_servers.testing import TemporaryKafka, TemporaryPostgres

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "subscribe.md"
RARE = "Größe «n»\u2028 \U0001f600"
PATIENCE = 60
"""Seconds after which a program that reads a topic will not end."""


def block(language: str) -> str:
    """The one block of that language on the page."""
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    return str(found)


@dataclass(frozen=True)
class Published:
    """A log, and its topic as the relay fills it."""

    log: Log
    bootstrap: str

    @property
    def topic(self) -> str:
        return events_topic(self.log.service)

    async def write(self, streams: int, times: int) -> None:
        for n in range(streams * times):
            context = replace(self.log.context().concerning(derived_id("unit", 1)), reason=RARE if n % 3 else None)
            stream = f"tally-{n % streams}"
            async with self.log.engine.begin() as tx:
                version = (await self.log.store.read_stream(tx, stream)).version
                await self.log.store.append(tx, [Write(stream, version, [Counted(by=n)])], context)
        await self.log.append("tally-labeled", Labeled(label=RARE))
        await self.log.seal()

    async def events(self) -> Sequence[Recorded]:
        return (await self.log.feed().read(Cursor(), 1000)).events

    async def relay(self) -> None:
        """Publish what is sealed, by the relay of production."""
        events = await self.events()
        feed = OutgoingFeed(self.log.service, self.log.reader, self.log.registry, self.log.sealed)
        relay = Relay(self.log.engine, feed, KafkaPublisher(self.log.service, Broker(self.bootstrap), 1))
        async with running(relay.run):
            await until(partial(self._is_relayed, events[-1].position), "all is relayed")

    async def _is_relayed(self, position: int) -> bool:
        async with self.log.engine.connect() as connection:
            cursor = await Checkpoints(CONSUMER).load(connection, self.log.service)
        return min(cursor.positions) >= position

    async def publish(self, events: Sequence[Recorded]) -> None:
        """Publish these, once more."""
        publisher = KafkaPublisher(self.log.service, Broker(self.bootstrap), 1)
        try:
            await publisher.publish(events)
        finally:
            await publisher.close()

    async def make_topic_anew(self) -> None:
        """As after a broker that lost it: the topic is empty."""
        await make_anew(Broker(self.bootstrap), self.log.service, replication=1)


@asynccontextmanager
async def published_log(postgres: TemporaryPostgres, kafka: TemporaryKafka) -> AsyncIterator[Published]:
    """A log of 31 events in six streams, which the relay has published."""
    async with fresh_log(postgres) as log:
        topic = Published(log, kafka.bootstrap)
        await topic.write(streams=5, times=6)
        await topic.relay()
        yield topic
