"""Parked streams: what a consumer could not digest stands aside in order, until somebody lets it be tried again.

An event is kept as it came, its envelope as the attributes of CloudEvents and its data byte for byte, so that it
can be tried without the log that it came from.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from steerco_events.cloudevents import attributes_of, recorded_of
from steerco_events.consumer_names import without_build
from steerco_events.envelope import Recorded
from steerco_events.registry import Registry

type Ask = Literal["retry", "skip"]
"""What can be asked for a parked stream."""

_ASIDE = text(
    "SELECT stream, CAST(NULL AS uuid) AS skipped FROM log.parked WHERE consumer = :consumer AND service = :service"
    " UNION ALL SELECT stream, event_id FROM log.skipped_events"
    " WHERE skipped_for = :skipped_for AND service = :service AND position BETWEEN :first AND :last"
)
_COUNT = text("SELECT count(*) FROM log.parked WHERE consumer = :consumer")
_OF_CONSUMER = text("SELECT service, stream FROM log.parked WHERE consumer = :consumer")
_PARK = text(
    "INSERT INTO log.parked (consumer, service, stream, partition, error, parked_at, tried_at)"
    " VALUES (:consumer, :service, :stream, :partition, :error, :at, :at)"
)
_PARK_EVENTS = text(
    "INSERT INTO log.parked_events (consumer, service, stream, position, partition, headers, data)"
    " SELECT :consumer, :service, stream, position, partition, CAST(headers AS jsonb), data"
    " FROM unnest(CAST(:streams AS text[]), CAST(:positions AS bigint[]), CAST(:partitions AS smallint[]),"
    " CAST(:headers AS text[]), CAST(:data AS bytea[])) AS e (stream, position, partition, headers, data)"
    " ON CONFLICT DO NOTHING"
)
_FIRST_EVENTS = text(
    "SELECT position, partition, headers, data FROM log.parked_events"
    " WHERE consumer = :consumer AND service = :service AND stream = :stream ORDER BY position LIMIT :limit"
)
_TAKE_OUT = text(
    "DELETE FROM log.parked_events"
    " WHERE consumer = :consumer AND service = :service AND stream = :stream AND position < :position"
)
_UNPARK = text("DELETE FROM log.parked WHERE consumer = :consumer AND service = :service AND stream = :stream")
_FAILED = text(
    "UPDATE log.parked SET error = :error, attempts = attempts + 1, tried_at = :at,"
    " asked = NULL, asked_by = NULL, asked_reason = NULL, asked_position = NULL"
    " WHERE consumer = :consumer AND service = :service AND stream = :stream"
)
_SKIP = text(
    "INSERT INTO log.skipped_events"
    " (skipped_for, service, stream, position, event_id, type, consumer, error, skipped_at, skipped_by, reason)"
    " SELECT :skipped_for, p.service, p.stream, e.position, CAST(e.headers ->> 'id' AS uuid), e.headers ->> 'type',"
    " p.consumer, p.error, :at, p.asked_by, p.asked_reason"
    " FROM log.parked p JOIN log.parked_events e USING (consumer, service, stream)"
    " WHERE consumer = :consumer AND service = :service AND stream = :stream AND e.position = :position"
    " ON CONFLICT DO NOTHING"
)
_LEAVE_OUT = text(
    "DELETE FROM log.parked_events e USING log.skipped_events s"
    " WHERE e.consumer = :consumer AND e.service = :service AND e.stream = :stream AND s.skipped_for = :skipped_for"
    " AND s.service = e.service AND s.position = e.position AND s.event_id = CAST(e.headers ->> 'id' AS uuid)"
)
_ABOUT = (
    "SELECT p.consumer, p.service, p.stream, p.partition, p.error, p.parked_at, p.attempts, p.tried_at, p.asked,"
    " p.asked_by, p.asked_reason, p.asked_position, e.events, e.first, e.last FROM log.parked p CROSS JOIN LATERAL"
    " (SELECT count(*) AS events, min(position) AS first, max(position) AS last FROM log.parked_events e"
    " WHERE e.consumer = p.consumer AND e.service = p.service AND e.stream = p.stream) e"
)
_OF_CONSUMERS = text(f"{_ABOUT} WHERE p.consumer = ANY(:consumers) ORDER BY p.consumer, p.service, p.stream")
_ONE = text(f"{_ABOUT} WHERE p.consumer = :consumer AND p.service = :service AND p.stream = :stream")
_ASKED = text(f"{_ABOUT} WHERE p.asked IS NOT NULL ORDER BY p.consumer, p.service, p.stream")
_LOCK_ASKED = text(
    "SELECT 1 FROM log.parked WHERE consumer = :consumer AND service = :service AND stream = :stream"
    " AND asked IS NOT NULL FOR UPDATE"
)
_GO_ON = text(
    "UPDATE log.parked SET asked = 'retry', asked_position = NULL"
    " WHERE consumer = :consumer AND service = :service AND stream = :stream"
)
_ASK = text(
    "UPDATE log.parked p SET asked = :ask, asked_by = :by, asked_reason = :reason, asked_position ="
    " (SELECT min(position) FROM log.parked_events e"
    " WHERE e.consumer = p.consumer AND e.service = p.service AND e.stream = p.stream)"
    " WHERE consumer = :consumer AND service = :service AND stream = :stream AND (asked IS NULL OR asked = :ask)"
)


@dataclass(frozen=True, slots=True)
class ParkedStream:
    """A stream that stands aside for a consumer: the positions of its first and last event here, and why.

    `asked`, if somebody asked that it be tried again (`skip`: without the first event): who, why, and which event
    was the first then.
    """

    consumer: str
    service: str
    stream: str
    partition: int
    error: str
    parked_at: datetime
    attempts: int
    tried_at: datetime
    events: int
    first: int
    last: int
    asked: Ask | None
    asked_by: UUID | None
    asked_reason: str | None
    asked_position: int | None


@dataclass(frozen=True, slots=True)
class ParkedEvent:
    """An event as it is kept: its attributes by CloudEvents' names, and its data."""

    position: int
    partition: int
    attributes: Mapping[str, str]
    data: bytes

    def recorded(self, service: str, registry: Registry) -> Recorded:
        """The event as a feed gave it."""
        return recorded_of(self.attributes, self.data, self.partition, service, registry)


@dataclass(frozen=True, slots=True)
class Aside:
    """What a consumer does not digest: all of the streams that are parked, and the events that were skipped."""

    streams: frozenset[str]
    skipped: frozenset[UUID]

    def part(self, events: Sequence[Recorded]) -> tuple[Sequence[Recorded], Sequence[Recorded]]:
        """The events to digest, and those that wait behind what is parked; what was skipped is in neither."""
        if not self.streams and not self.skipped:
            return events, []
        wanted = [event for event in events if event.id not in self.skipped]
        waiting = [event for event in wanted if event.stream in self.streams]
        return [event for event in wanted if event.stream not in self.streams], waiting


class Parking:
    """Where one consumer parks streams of one log. Every method works inside the caller's transaction."""

    def __init__(self, consumer: str, service: str) -> None:
        self.consumer = consumer
        self.service = service
        self._skipped_for = without_build(consumer)

    def _key(self, **more: object) -> dict[str, object]:
        return {"consumer": self.consumer, "service": self.service} | more

    async def aside(self, tx: AsyncConnection, events: Sequence[Recorded]) -> Aside:
        """Which streams are parked, and which of these events were skipped."""
        positions = [event.position for event in events] or [0]
        among = {"skipped_for": self._skipped_for, "first": min(positions), "last": max(positions)}
        rows = (await tx.execute(_ASIDE, self._key(**among))).all()
        streams = frozenset(row.stream for row in rows if row.skipped is None)
        return Aside(streams, frozenset(row.skipped for row in rows if row.skipped is not None))

    async def count(self, tx: AsyncConnection) -> int:
        """How many streams the consumer has parked, in all logs that it reads."""
        found: int = (await tx.execute(_COUNT, self._key())).scalar_one()
        return found

    async def park(self, tx: AsyncConnection, stream: str, partition: int, error: str, at: datetime) -> None:
        """Let a stream stand aside; its events are kept by `keep`."""
        await tx.execute(_PARK, self._key(stream=stream, partition=partition, error=error, at=at))

    async def keep(self, tx: AsyncConnection, events: Sequence[Recorded]) -> None:
        """Put events of parked streams behind those that are there; one that is there already stays as it is."""
        if events:
            columns = {
                "streams": [event.stream for event in events],
                "positions": [event.position for event in events],
                "partitions": [event.partition for event in events],
                "headers": [_json(attributes_of(event)) for event in events],
                "data": [event.data for event in events],
            }
            await tx.execute(_PARK_EVENTS, self._key(**columns))

    async def first_events(self, tx: AsyncConnection, stream: str, limit: int) -> Sequence[ParkedEvent]:
        """The first events of a parked stream, in order."""
        rows = await tx.execute(_FIRST_EVENTS, self._key(stream=stream, limit=limit))
        return [ParkedEvent(row.position, row.partition, row.headers, row.data) for row in rows]

    async def take_out(self, tx: AsyncConnection, stream: str, before: int) -> None:
        """Keep no more what lies before a position: it was digested."""
        await tx.execute(_TAKE_OUT, self._key(stream=stream, position=before))

    async def skip(self, tx: AsyncConnection, stream: str, position: int, at: datetime) -> None:
        """Remember that an event is left out for good, and who asked for it, when and why."""
        values = {"stream": stream, "position": position, "at": at, "skipped_for": self._skipped_for}
        await tx.execute(_SKIP, self._key(**values))

    async def leave_out(self, tx: AsyncConnection, stream: str) -> None:
        """Keep no more what was skipped, be it for another build of the same view."""
        await tx.execute(_LEAVE_OUT, self._key(stream=stream, skipped_for=self._skipped_for))

    async def unpark(self, tx: AsyncConnection, stream: str) -> None:
        """The stream goes on as all others."""
        await tx.execute(_UNPARK, self._key(stream=stream))

    async def failed(self, tx: AsyncConnection, stream: str, error: str, at: datetime) -> None:
        """It was tried again and stays parked; nothing is asked any more."""
        await tx.execute(_FAILED, self._key(stream=stream, error=error, at=at))

    async def go_on(self, tx: AsyncConnection, stream: str) -> None:
        """Its first events were digested; the rest is to be tried too."""
        await tx.execute(_GO_ON, self._key(stream=stream))

    async def take_up(self, tx: AsyncConnection, stream: str) -> ParkedStream | None:
        """A stream for which something is asked still; nobody else takes it up until the transaction ends."""
        locked = (await tx.execute(_LOCK_ASKED, self._key(stream=stream))).first()
        return await self.one(tx, stream) if locked else None

    async def one(self, tx: AsyncConnection, stream: str) -> ParkedStream | None:
        """A parked stream; `None` if it is not parked."""
        row = (await tx.execute(_ONE, self._key(stream=stream))).first()
        return _parked(row) if row else None

    async def ask(self, tx: AsyncConnection, stream: str, ask: Ask, by: UUID, reason: str | None) -> bool:
        """Ask that a stream be tried again; false if it is not parked, or something else is asked already."""
        asked = await tx.execute(_ASK, self._key(stream=stream, ask=ask, by=by, reason=reason))
        return asked.rowcount == 1


async def parked_streams(tx: AsyncConnection, consumer: str) -> frozenset[tuple[str, str]]:
    """The service and id of each stream that a consumer has parked."""
    return frozenset((row.service, row.stream) for row in await tx.execute(_OF_CONSUMER, {"consumer": consumer}))


async def parked_by(tx: AsyncConnection, consumers: Collection[str]) -> Sequence[ParkedStream]:
    """What these consumers have parked, by consumer, service and stream."""
    return [_parked(row) for row in await tx.execute(_OF_CONSUMERS, {"consumers": list(consumers)})]


async def parked_and_asked(tx: AsyncConnection) -> Sequence[ParkedStream]:
    """The parked streams for which somebody asked something."""
    return [_parked(row) for row in await tx.execute(_ASKED)]


def _parked(row: Row[Any]) -> ParkedStream:
    return ParkedStream(**row._mapping)


def _json(attributes: Mapping[str, str]) -> str:
    return msgspec.json.encode(attributes).decode()
