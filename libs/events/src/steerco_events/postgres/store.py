"""The event store on PostgreSQL: appends, all or nothing over several streams, and stream reads."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from steerco_events.envelope import Context, Recorded, StreamSlice
from steerco_events.positions import Token, partition_of
from steerco_events.postgres.generations import PRESENT
from steerco_events.postgres.rows import recorded
from steerco_events.postgres.statements import Statement, Transaction
from steerco_events.registry import EventType, Payload, Registry

MAX_EVENT_BYTES = 256 * 1024


class VersionConflict(Exception):
    """A stream was not at the version that the write expected."""

    def __init__(self, stream: str, expected: int) -> None:
        super().__init__(f"{stream} is not at version {expected}")
        self.stream = stream
        self.expected = expected


class EventTooLarge(Exception):
    """An event is larger than the relay could ever send."""


class Write(msgspec.Struct, frozen=True):
    """Events to put at the end of a stream whose version must be `expected` (0: it must not exist)."""

    stream: str
    expected: int
    events: Sequence[Payload]


class Append(msgspec.Struct, frozen=True):
    """Writes to several streams that are one, with what surrounds them, encoded and found small enough.

    `org_units` are the stamp of its events.
    """

    writes: Sequence[Write]
    context: Context
    org_units: Sequence[UUID]
    encoded: Sequence[tuple[EventType, bytes]]


_LOCK_STREAMS = Statement(
    "INSERT INTO log.streams AS s (stream, version)"
    " SELECT stream, version FROM unnest(CAST(:streams AS text[]), CAST(:versions AS integer[])) AS w (stream, version)"
    " ON CONFLICT (stream) DO UPDATE SET version = excluded.version"
    " WHERE s.version = (CAST(:expected AS integer[]))[array_position(CAST(:streams AS text[]), s.stream)]"
    " RETURNING stream, xmax = 0 AS is_new"
)
_COLUMNS = (
    "id, stream, stream_version, partition, type, schema_version, recorded_at, valid_at, actor, actor_title, client,"
    " reason, correlation_id, causation_id, traceparent, org_units, on_behalf_of, data"
)
_INSERT_EVENTS = Statement(
    f"INSERT INTO log.events ({_COLUMNS}) SELECT {_COLUMNS} FROM ROWS FROM ("
    "json_to_recordset(CAST(:rows AS json)) AS (id uuid, stream text, stream_version integer, partition smallint,"
    " type text, schema_version smallint, recorded_at timestamptz, valid_at timestamptz, actor uuid, actor_title text,"
    " client text, reason text, correlation_id uuid, causation_id uuid, traceparent text, org_units uuid[],"
    " on_behalf_of uuid),"
    f" unnest(CAST(:data AS bytea[]))) WITH ORDINALITY AS e ({_COLUMNS}, n) ORDER BY n"
    f" RETURNING position, {PRESENT}"
)
_READ_STREAMS = Statement(
    f"SELECT s.stream, e.stream_version, e.type, e.schema_version, e.org_units, e.data, e.position, {PRESENT}"
    " FROM unnest(CAST(:streams AS text[]), CAST(:after AS integer[])) AS s (stream, after) CROSS JOIN LATERAL"
    " (SELECT * FROM log.events WHERE stream = s.stream AND stream_version > s.after ORDER BY stream_version) e"
)
_TAKEN = Statement("SELECT stream FROM log.streams WHERE stream = ANY(CAST(:streams AS text[]))")
_WHO_DID = Statement(
    "SELECT stream, type, actor, on_behalf_of FROM log.events"
    " WHERE stream = ANY(CAST(:streams AS text[])) AND type = ANY(CAST(:types AS text[]))"
)
_STREAM_EVENTS = text(
    "SELECT *, recorded_at AS sealed_at, (SELECT max(generation) FROM log.generations) AS generation"
    " FROM log.events WHERE stream = :stream ORDER BY stream_version"
)


class _Row(msgspec.Struct, omit_defaults=True):
    """What a row of `log.events` has beside its data."""

    id: UUID
    stream: str
    stream_version: int
    partition: int
    type: str
    schema_version: int
    recorded_at: datetime
    valid_at: datetime | None
    actor: UUID
    actor_title: str
    client: str
    reason: str | None
    correlation_id: UUID
    causation_id: UUID
    traceparent: str | None
    org_units: Sequence[UUID]
    on_behalf_of: UUID | None = None


class EventStore:
    """One service's event store. Every method works inside the caller's transaction."""

    def __init__(self, service: str, registry: Registry) -> None:
        self.service = service
        self.registry = registry

    def prepare(self, writes: Sequence[Write], context: Context, org_units: Sequence[UUID] | None = None) -> Append:
        """Encode what is to be appended, stamped with these units (the context's). Raises `EventTooLarge`."""
        encoded = []
        for event in (event for write in writes for event in write.events):
            event_type, data = self.registry.type_of(event), self.registry.encode(event)
            if len(data) > MAX_EVENT_BYTES:
                raise EventTooLarge(f"{event_type.name} has {len(data)} bytes; the limit is {MAX_EVENT_BYTES}")
            encoded.append((event_type, data))
        return Append(writes, context, context.org_units if org_units is None else org_units, encoded)

    async def append(self, tx: Transaction, writes: Sequence[Write], context: Context) -> Token:
        """Append to all the streams, or raise `VersionConflict` or `EventTooLarge` (the caller rolls back)."""
        (token,) = await self.append_all(tx, [self.prepare(writes, context)])
        return token

    async def append_all(self, tx: Transaction, appends: Sequence[Append]) -> Sequence[Token]:
        """Append them all, in their order, or raise `VersionConflict` (the caller rolls back).

        Rows are locked in the order of the stream ids, so that two appends never wait for each other in a ring.
        A stream may come in several appends, each at the version that the one before leaves. Each token covers
        the events of its append.
        """
        await self._lock(tx, [write for append in appends for write in append.writes])
        rows = await _INSERT_EVENTS.rows(tx, self._rows(appends))
        _, generation = rows[0]
        tokens, n = [], 0
        for append in appends:
            seen: dict[str, int] = {}
            for write in append.writes:
                n += len(write.events)
                seen[write.stream], _ = rows[n - 1]
            tokens.append(Token.of(self.service, generation, seen))
        return tokens

    @staticmethod
    async def _lock(tx: Transaction, writes: Sequence[Write]) -> None:
        expected: dict[str, int] = {}
        version: dict[str, int] = {}
        for write in writes:
            if version.setdefault(write.stream, write.expected) != write.expected:
                raise VersionConflict(write.stream, write.expected)
            expected.setdefault(write.stream, write.expected)
            version[write.stream] += len(write.events)
        streams = sorted(expected, key=str.encode)
        values = {
            "streams": streams,
            "versions": [version[stream] for stream in streams],
            "expected": [expected[stream] for stream in streams],
        }
        locked = {stream: is_new for stream, is_new in await _LOCK_STREAMS.rows(tx, values)}
        for stream in streams:
            if locked.get(stream) is not (expected[stream] == 0):
                raise VersionConflict(stream, expected[stream])

    @staticmethod
    def _rows(appends: Sequence[Append]) -> Mapping[str, object]:
        rows: list[_Row] = []
        datas: list[bytes] = []
        for append in appends:
            about, first = append.context, len(rows)
            encoded = iter(append.encoded)
            for write in append.writes:
                partition = partition_of(write.stream)
                for version, _ in enumerate(write.events, write.expected + 1):
                    event_type, data = next(encoded)
                    row = _Row(
                        about.event_id(len(rows) - first),
                        write.stream,
                        version,
                        partition,
                        event_type.name,
                        event_type.version,
                        about.recorded_at,
                        about.valid_at,
                        about.actor.id,
                        about.actor.job_title,
                        about.client,
                        about.reason,
                        about.correlation_id,
                        about.causation_id,
                        about.traceparent,
                        append.org_units,
                        about.on_behalf_of,
                    )
                    rows.append(row)
                    datas.append(data)
        return {"rows": msgspec.json.encode(rows).decode(), "data": datas}

    async def read_streams(self, tx: Transaction, streams: Collection[str], after: int = 0) -> dict[str, StreamSlice]:
        """The payloads of streams, also those not sealed yet, after a version; where there are none the version is 0.

        Raises `NewerVersion`.
        """
        rows: dict[str, list[Sequence[Any]]] = {stream: [] for stream in streams}
        for row in await _READ_STREAMS.rows(tx, {"streams": list(streams), "after": [after] * len(streams)}):
            rows[row[0]].append(row)
        return {stream: self._slice(stream, found) for stream, found in rows.items()}

    def _slice(self, stream: str, rows: Sequence[Sequence[Any]]) -> StreamSlice:
        if not rows:
            return StreamSlice(stream, 0, [])
        payloads = [self.registry.decode(type, version, data, stream) for _, _, type, version, _, data, _, _ in rows]
        _, stream_version, _, _, org_units, _, position, generation = rows[-1]
        token = Token.of(self.service, generation, {stream: position})
        return StreamSlice(stream, stream_version, payloads, tuple(org_units), token)

    async def taken(self, tx: Transaction, streams: Collection[str]) -> set[str]:
        """Which of these streams are there."""
        return {stream for (stream,) in await _TAKEN.rows(tx, {"streams": list(streams)})}

    async def who_did(
        self, tx: Transaction, streams: Collection[str], types: Collection[str]
    ) -> Sequence[tuple[str, str, UUID, UUID | None]]:
        """Of the events of these types in these streams: stream, type, who did it, and on whose behalf."""
        rows = await _WHO_DID.rows(tx, {"streams": list(streams), "types": list(types)})
        return [(stream, type, actor, on_behalf_of) for stream, type, actor, on_behalf_of in rows]

    async def read_stream(self, tx: Transaction, stream: str, after: int = 0) -> StreamSlice:
        """One stream's payloads, as `read_streams` has them."""
        return (await self.read_streams(tx, [stream], after))[stream]

    async def read_events(self, tx: AsyncConnection, stream: str) -> Sequence[Recorded]:
        """The stream's events with their envelopes, also those not sealed yet (`sealed_at` is then `recorded_at`)."""
        rows = await tx.execute(_STREAM_EVENTS, {"stream": stream})
        return [recorded(row, self.service, self.registry) for row in rows]
