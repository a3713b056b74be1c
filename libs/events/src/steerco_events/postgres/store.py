"""The event store on PostgreSQL: appends, all or nothing over several streams, and stream reads."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from steerco_events.envelope import Context, Recorded, StreamSlice
from steerco_events.positions import Token, partition_of
from steerco_events.postgres.rows import recorded
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


@dataclass(frozen=True, slots=True)
class Write:
    """Events to put at the end of a stream whose version must be `expected` (0: it must not exist)."""

    stream: str
    expected: int
    events: Sequence[Payload]


@dataclass(frozen=True, slots=True)
class Append:
    """Writes to several streams that are one, with what surrounds them, encoded and found small enough."""

    writes: Sequence[Write]
    context: Context
    encoded: Sequence[tuple[EventType, bytes]]


_LOCK_STREAMS = text(
    "INSERT INTO log.streams AS s (stream, version)"
    " SELECT stream, version FROM unnest(CAST(:streams AS text[]), CAST(:versions AS integer[])) AS w (stream, version)"
    " ON CONFLICT (stream) DO UPDATE SET version = excluded.version"
    " WHERE s.version = (CAST(:expected AS integer[]))[array_position(CAST(:streams AS text[]), s.stream)]"
    " RETURNING stream, xmax = 0 AS is_new"
)
_INSERT_EVENTS = text(
    "INSERT INTO log.events (id, stream, stream_version, partition, type, schema_version,"
    " recorded_at, valid_at, actor, actor_title, client, reason, correlation_id, causation_id,"
    " traceparent, org_units, data)"
    " SELECT id, stream, version, partition, type, schema_version,"
    " recorded_at, valid_at, actor, actor_title, client, reason, correlation_id, causation_id,"
    " traceparent, CAST(string_to_array(org_units, ',') AS uuid[]), data"
    " FROM unnest(CAST(:ids AS uuid[]), CAST(:streams AS text[]), CAST(:versions AS integer[]),"
    " CAST(:partitions AS smallint[]), CAST(:types AS text[]), CAST(:schema_versions AS smallint[]),"
    " CAST(:recorded AS timestamptz[]), CAST(:valid AS timestamptz[]), CAST(:actors AS uuid[]),"
    " CAST(:titles AS text[]), CAST(:clients AS text[]), CAST(:reasons AS text[]),"
    " CAST(:correlations AS uuid[]), CAST(:causations AS uuid[]), CAST(:traces AS text[]),"
    " CAST(:units AS text[]), CAST(:data AS bytea[]))"
    " WITH ORDINALITY AS e (id, stream, version, partition, type, schema_version, recorded_at, valid_at, actor,"
    " actor_title, client, reason, correlation_id, causation_id, traceparent, org_units, data, n) ORDER BY n"
    " RETURNING position, (SELECT max(generation) FROM log.generations) AS generation"
)
_READ_STREAMS = text(
    "SELECT stream, stream_version, type, schema_version, org_units, data, position,"
    " (SELECT max(generation) FROM log.generations) AS generation"
    " FROM log.events WHERE stream = ANY(:streams) ORDER BY stream, stream_version"
)
_TAKEN = text("SELECT stream FROM log.streams WHERE stream = ANY(:streams)")
_STREAM_EVENTS = text(
    "SELECT *, recorded_at AS sealed_at, (SELECT max(generation) FROM log.generations) AS generation"
    " FROM log.events WHERE stream = :stream ORDER BY stream_version"
)
_COLUMNS = (
    *("ids", "streams", "versions", "partitions", "types", "schema_versions", "recorded", "valid", "actors"),
    *("titles", "clients", "reasons", "correlations", "causations", "traces", "units", "data"),
)


class EventStore:
    """One service's event store. Every method works inside the caller's transaction."""

    def __init__(self, service: str, registry: Registry) -> None:
        self.service = service
        self.registry = registry

    def prepare(self, writes: Sequence[Write], context: Context) -> Append:
        """Encode what is to be appended. Raises `EventTooLarge`."""
        encoded = []
        for event in (event for write in writes for event in write.events):
            event_type, data = self.registry.type_of(event), self.registry.encode(event)
            if len(data) > MAX_EVENT_BYTES:
                raise EventTooLarge(f"{event_type.name} has {len(data)} bytes; the limit is {MAX_EVENT_BYTES}")
            encoded.append((event_type, data))
        return Append(writes, context, encoded)

    async def append(self, tx: AsyncConnection, writes: Sequence[Write], context: Context) -> Token:
        """Append to all the streams, or raise `VersionConflict` or `EventTooLarge` (the caller rolls back)."""
        (token,) = await self.append_all(tx, [self.prepare(writes, context)])
        return token

    async def append_all(self, tx: AsyncConnection, appends: Sequence[Append]) -> Sequence[Token]:
        """Append them all, in their order, or raise `VersionConflict` (the caller rolls back).

        Rows are locked in the order of the stream ids, so that two appends never wait for each other in a ring.
        A stream may come in several appends, each at the version that the one before leaves. Each token covers
        the events of its append.
        """
        await self._lock(tx, [write for append in appends for write in append.writes])
        rows = (await tx.execute(_INSERT_EVENTS, self._columns(appends))).all()
        tokens, n = [], 0
        for append in appends:
            seen: dict[str, int] = {}
            for write in append.writes:
                n += len(write.events)
                seen[write.stream] = rows[n - 1].position
            tokens.append(Token.of(self.service, rows[0].generation, seen))
        return tokens

    @staticmethod
    async def _lock(tx: AsyncConnection, writes: Sequence[Write]) -> None:
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
        locked = {row.stream: row.is_new for row in await tx.execute(_LOCK_STREAMS, values)}
        for stream in streams:
            if locked.get(stream) is not (expected[stream] == 0):
                raise VersionConflict(stream, expected[stream])

    @staticmethod
    def _columns(appends: Sequence[Append]) -> dict[str, Any]:
        rows: list[tuple[Any, ...]] = []
        for append in appends:
            about, units = append.context, ",".join(map(str, append.context.org_units))
            encoded = iter(append.encoded)
            first = len(rows)
            for write in append.writes:
                partition = partition_of(write.stream)
                for version, _ in enumerate(write.events, write.expected + 1):
                    event_type, data = next(encoded)
                    rows.append(
                        (
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
                            units,
                            data,
                        )
                    )
        return dict(zip(_COLUMNS, map(list, zip(*rows, strict=True)), strict=True))

    async def read_streams(self, tx: AsyncConnection, streams: Collection[str]) -> dict[str, StreamSlice]:
        """The payloads of streams, also those not sealed yet; a stream that is not there has version 0."""
        rows: dict[str, list[Any]] = {stream: [] for stream in streams}
        for row in await tx.execute(_READ_STREAMS, {"streams": list(streams)}):
            rows[row.stream].append(row)
        return {stream: self._slice(stream, found) for stream, found in rows.items()}

    def _slice(self, stream: str, rows: Sequence[Any]) -> StreamSlice:
        if not rows:
            return StreamSlice(stream, 0, [])
        payloads = [self.registry.decode(row.type, row.schema_version, row.data) for row in rows]
        last = rows[-1]
        token = Token.of(self.service, last.generation, {stream: last.position})
        return StreamSlice(stream, last.stream_version, payloads, tuple(last.org_units), token)

    async def taken(self, tx: AsyncConnection, streams: Collection[str]) -> set[str]:
        """Which of these streams are there."""
        return set((await tx.execute(_TAKEN, {"streams": list(streams)})).scalars())

    async def read_stream(self, tx: AsyncConnection, stream: str) -> StreamSlice:
        """One stream's payloads, as `read_streams` has them."""
        return (await self.read_streams(tx, [stream]))[stream]

    async def read_events(self, tx: AsyncConnection, stream: str) -> Sequence[Recorded]:
        """The stream's events with their envelopes, also those not sealed yet (`sealed_at` is then `recorded_at`)."""
        rows = await tx.execute(_STREAM_EVENTS, {"stream": stream})
        return [recorded(row, self.service, self.registry) for row in rows]
