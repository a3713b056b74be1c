"""Taking over a log from an archive into an empty one: every position, seal and signature as it was.

In one transaction, verified on the way; while nothing else runs on the database. The log goes on in a new
generation, so whoever read further in the old place learns it.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from steerco_events.archive import hashing
from steerco_events.archive.lines import Beginning, End, Line, Seal, Signed
from steerco_events.archive.verifying import Verified, Verifier
from steerco_events.envelope import Recorded
from steerco_events.ports import Cursor
from steerco_events.positions import START, advanced
from steerco_events.postgres.checkpoints import Checkpoints
from steerco_events.postgres.generations import open_generation
from steerco_events.postgres.schema import LOG_LOCK

PIECE = 2000
"""Rows that are copied at once."""

_TAKE_OVER = (
    "SET LOCAL steerco.taking_over = 'on'",
    "SET LOCAL idle_in_transaction_session_timeout = 0",
    f"SELECT pg_advisory_xact_lock({LOG_LOCK}, 0)",
    "SELECT 1 FROM log.head FOR UPDATE",
)
_IS_EMPTY = text(
    "SELECT position = 0 AND NOT EXISTS (SELECT 1 FROM log.events) AND NOT EXISTS (SELECT 1 FROM log.commands)"
    " FROM log.head"
)
_STREAMS = text(
    "INSERT INTO log.streams (stream, version) SELECT stream, max(stream_version) FROM log.events GROUP BY stream"
)
_HEAD = text("UPDATE log.head SET position = :position, positions = :positions, watermark = :watermark, hash = :hash")
_SIGNED = text(
    "INSERT INTO log.signed_heads (position, generation, hash, watermark, key_id, signature)"
    " VALUES (:position, :generation, :hash, :watermark, :key_id, :signature)"
)
_DRAW_BEYOND = text("SELECT log.draw_beyond(:last)")

_EVENT_COLUMNS = (
    *("position", "id", "stream", "stream_version", "partition", "type", "schema_version", "recorded_at", "valid_at"),
    *("actor", "actor_title", "client", "reason", "correlation_id", "causation_id", "traceparent", "org_units"),
    *("data", "on_behalf_of"),
)
_SEAL_COLUMNS = ("first", "last", "sealed_at", "generation", "epoch", "hashes", "previous", "hash")


class CannotTakeOver(Exception):
    """The log is not empty, or the archive is no whole log of this service; the text says which."""


async def take_over(engine: AsyncEngine, service: str, lines: Iterable[Line], verifier: Verifier) -> Verified:
    """Fill an empty log. Raises `CannotTakeOver`, `Altered`, `ArchiveMalformed`; then nothing was taken."""
    async with engine.begin() as tx:
        for statement in _TAKE_OVER:
            await tx.execute(text(statement))
        if not (await tx.execute(_IS_EMPTY)).scalar_one():
            raise CannotTakeOver(f"the log of {service} is not empty")
        taking = _Taking(tx, service)
        for line in lines:
            verifier.take(line)
            await taking.take(line)
        verified = verifier.finish()
        await taking.finish()
    return verified


class _Taking:
    """One log on its way in."""

    def __init__(self, tx: AsyncConnection, service: str) -> None:
        self._tx = tx
        self._service = service
        self._began: Sequence[int] = ()
        self._events: list[tuple[Any, ...]] = []
        self._seals: list[tuple[Any, ...]] = []
        self._positions = START
        self._position, self._digest = 0, hashing.START
        self._watermark = datetime.min.replace(tzinfo=UTC)

    async def take(self, line: Line) -> None:
        match line:
            case Beginning():
                self._begin(line)
            case Signed(head):
                await self._tx.execute(_SIGNED, {name: getattr(head, name) for name in _SIGNED_COLUMNS})
            case Seal():
                self._seals.append(tuple(getattr(line, name) for name in _SEAL_COLUMNS))
            case Recorded():
                self._events.append(_columns(line))
                self._positions = advanced(self._positions, [(line.partition, line.position)])
            case End():
                await self._end(line)
        if len(self._events) >= PIECE:
            await self._copy()

    def _begin(self, beginning: Beginning) -> None:
        if beginning.service != self._service:
            raise CannotTakeOver(f"the archive is of the log of {beginning.service}, not of {self._service}")
        if beginning.after or beginning.until is not None or not beginning.whole:
            raise CannotTakeOver("the archive is a part of a log; only a whole one can be taken over")
        self._began = beginning.began

    async def _copy(self) -> None:
        raw = (await self._tx.get_raw_connection()).driver_connection
        assert raw is not None  # noqa: S101 tells the type
        events, self._events = self._events, []
        seals, self._seals = self._seals, []
        await raw.copy_records_to_table("events", schema_name="log", columns=_EVENT_COLUMNS, records=events)
        await raw.copy_records_to_table("seals", schema_name="log", columns=_SEAL_COLUMNS, records=seals)

    async def _end(self, end: End) -> None:
        await self._copy()
        self._watermark, self._position, self._digest = end.watermark, end.position, end.hash
        for each in end.reactions:
            if each.generation:
                cursor = Cursor(each.generation, each.positions)
                await Checkpoints(each.reaction).forget(self._tx)
                await Checkpoints(each.reaction).advance(self._tx, each.service, Cursor(), cursor)

    async def finish(self) -> None:
        for generation, began in enumerate((*self._began[1:], self._position), 2):
            await open_generation(self._tx, generation, began)
        await self._tx.execute(_STREAMS)
        if self._position:
            await self._tx.execute(_DRAW_BEYOND, {"last": self._position})
        values = {
            "position": self._position,
            "positions": list(self._positions),
            "watermark": self._watermark,
            "hash": self._digest,
        }
        await self._tx.execute(_HEAD, values)


_SIGNED_COLUMNS = ("position", "generation", "hash", "watermark", "key_id", "signature")


def _columns(event: Recorded) -> tuple[Any, ...]:
    return (
        event.position,
        event.id,
        event.stream,
        event.stream_version,
        event.partition,
        event.type,
        event.schema_version,
        event.recorded_at,
        event.valid_at,
        event.actor.id,
        event.actor.job_title,
        event.client,
        event.reason,
        event.correlation_id,
        event.causation_id,
        event.traceparent,
        list(event.org_units),
        event.data,
        event.on_behalf_of,
    )
