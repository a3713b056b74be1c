"""The event store on PostgreSQL: appends, all or nothing over several streams, and stream reads."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from steerco_events.envelope import Context, Recorded, StreamSlice
from steerco_events.positions import Token, partition_of
from steerco_events.postgres.rows import recorded
from steerco_events.registry import Payload, Registry

MAX_EVENT_BYTES = 256 * 1024


class VersionConflict(Exception):
    """A stream was not at the version that the write expected."""

    def __init__(self, stream: str, expected: int) -> None:
        super().__init__(f"{stream} is not at version {expected}")
        self.stream = stream
        self.expected = expected


class EventTooLarge(Exception):
    """An event is larger than the relay could ever send."""


@dataclass(frozen=True, slots=True)
class Write:
    """Events to put at the end of a stream whose version must be `expected` (0: it must not exist)."""

    stream: str
    expected: int
    events: Sequence[Payload]


_OPEN_STREAM = text(
    "INSERT INTO log.streams (stream, version) VALUES (:stream, :version)"
    " ON CONFLICT (stream) DO NOTHING RETURNING version"
)
_ADVANCE_STREAM = text(
    "UPDATE log.streams SET version = :version WHERE stream = :stream AND version = :expected RETURNING version"
)
_INSERT_EVENTS = text(
    "INSERT INTO log.events (id, stream, stream_version, partition, type, schema_version,"
    " recorded_at, valid_at, actor, actor_title, client, reason, correlation_id, causation_id,"
    " traceparent, org_units, data)"
    " SELECT id, CAST(:stream AS text), version, CAST(:partition AS smallint), type, schema_version,"
    " CAST(:recorded_at AS timestamptz), CAST(:valid_at AS timestamptz), CAST(:actor AS uuid),"
    " CAST(:actor_title AS text), CAST(:client AS text), CAST(:reason AS text),"
    " CAST(:correlation_id AS uuid), CAST(:causation_id AS uuid), CAST(:traceparent AS text),"
    " CAST(:org_units AS uuid[]), data"
    " FROM unnest(CAST(:ids AS uuid[]), CAST(:versions AS integer[]), CAST(:types AS text[]),"
    " CAST(:schema_versions AS smallint[]), CAST(:data AS bytea[]))"
    " WITH ORDINALITY AS e(id, version, type, schema_version, data, n) ORDER BY n"
    " RETURNING position, (SELECT max(generation) FROM log.generations) AS generation"
)
_READ_STREAM = text(
    "SELECT stream_version, type, schema_version, org_units, data FROM log.events"
    " WHERE stream = :stream AND stream_version > :after ORDER BY stream_version"
)

_STREAM_EVENTS = text(
    "SELECT *, recorded_at AS sealed_at, (SELECT max(generation) FROM log.generations) AS generation"
    " FROM log.events WHERE stream = :stream ORDER BY stream_version"
)
_LAST_OF_STREAM = text(
    "SELECT max(position) AS position, (SELECT max(generation) FROM log.generations) AS generation"
    " FROM log.events WHERE stream = :stream"
)


class EventStore:
    """One service's event store. Every method works inside the caller's transaction."""

    def __init__(self, service: str, registry: Registry) -> None:
        self.service = service
        self.registry = registry

    async def append(self, tx: AsyncConnection, writes: Sequence[Write], context: Context) -> Token:
        """Append to all the streams, or raise `VersionConflict` or `EventTooLarge` (the caller rolls back).

        Rows are locked in the order of the stream ids, so that two appends never wait for each other in a ring.
        The token covers the new events.
        """
        seen: dict[int, int] = {}
        n = 0
        numbered = []
        for write in writes:
            numbered.append((write, n))
            n += len(write.events)
        for write, _ in sorted(numbered, key=lambda pair: pair[0].stream):
            await self._lock(tx, write)
        generation = 1
        for write, first in numbered:
            rows = await tx.execute(_INSERT_EVENTS, self._parameters(write, first, context))
            for row in rows:
                seen[partition_of(write.stream)], generation = row.position, row.generation
        return Token({self.service: (generation, seen)})

    async def _lock(self, tx: AsyncConnection, write: Write) -> None:
        version = write.expected + len(write.events)
        statement = _ADVANCE_STREAM if write.expected else _OPEN_STREAM
        values = {"stream": write.stream, "version": version}
        if write.expected:
            values["expected"] = write.expected
        if (await tx.execute(statement, values)).first() is None:
            raise VersionConflict(write.stream, write.expected)

    def _parameters(self, write: Write, first: int, context: Context) -> dict[str, Any]:
        types = [self.registry.type_of(event) for event in write.events]
        data = [self.registry.encode(event) for event in write.events]
        for event_type, encoded in zip(types, data, strict=True):
            if len(encoded) > MAX_EVENT_BYTES:
                raise EventTooLarge(f"{event_type.name} has {len(encoded)} bytes; the limit is {MAX_EVENT_BYTES}")
        return {
            "stream": write.stream,
            "partition": partition_of(write.stream),
            "recorded_at": context.recorded_at,
            "valid_at": context.valid_at,
            "actor": context.actor.id,
            "actor_title": context.actor.job_title,
            "client": context.client,
            "reason": context.reason,
            "correlation_id": context.correlation_id,
            "causation_id": context.causation_id,
            "traceparent": context.traceparent,
            "org_units": list(context.org_units),
            "ids": [context.event_id(first + n) for n in range(len(data))],
            "versions": [write.expected + 1 + n for n in range(len(data))],
            "types": [event_type.name for event_type in types],
            "schema_versions": [event_type.version for event_type in types],
            "data": data,
        }

    async def read_stream(self, tx: AsyncConnection, stream: str, after: int = 0) -> StreamSlice:
        """The stream's payloads after a version, also those not sealed yet."""
        rows = (await tx.execute(_READ_STREAM, {"stream": stream, "after": after})).all()
        payloads = [self.registry.decode(row.type, row.schema_version, row.data) for row in rows]
        if not rows:
            return StreamSlice(stream, after, [])
        return StreamSlice(stream, rows[-1].stream_version, payloads, tuple(rows[-1].org_units))

    async def read_events(self, tx: AsyncConnection, stream: str) -> Sequence[Recorded]:
        """The stream's events with their envelopes, also those not sealed yet (`sealed_at` is then `recorded_at`)."""
        rows = await tx.execute(_STREAM_EVENTS, {"stream": stream})
        return [recorded(row, self.service, self.registry) for row in rows]

    async def token_of(self, tx: AsyncConnection, stream: str) -> Token:
        """The token that covers the stream's last event: what a repeated or empty command answers with."""
        row = (await tx.execute(_LAST_OF_STREAM, {"stream": stream})).one()
        if row.position is None:
            return Token()
        return Token({self.service: (row.generation, {partition_of(stream): row.position})})
