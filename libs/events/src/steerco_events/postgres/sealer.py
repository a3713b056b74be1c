"""The sealer: decides, for everybody, up to which position a log is settled, and when it became so.

A position is drawn before its transaction commits and becomes visible after it, so a reader that goes by
positions alone skips late commits. Every append holds the shared advisory lock `(LOG_LOCK, 0)` from before
it draws until it ends. One scan, in this order and in three statements of READ COMMITTED:

1. `last_value` of the sequence: the high-water mark;
2. the present holders of the lock, in `pg_locks` of this database. A holder that an earlier scan did not
   see took the lock after that scan, so it drew above that scan's high-water mark: its *first seen*;
3. the rows above the last seal and at or below `min(high-water mark, first seen of every present holder)`.

Whoever drew at or below that is no longer a holder, so it has ended, and what it committed is visible.

What one transaction appended is sealed together: an instant never sees half of a command. So the seal ends before
the first append that reaches beyond that bound (its end was committed between two statements of the scan).

A seal keeps the hash of each of its events and that of the seal before, so that nothing in the log can be altered
without altering every seal after it; and every few seconds the newest of them is signed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from steerco_events.clock import Clock
from steerco_events.positions import SignedHead, advanced
from steerco_events.postgres.lease import Lease, let_go
from steerco_events.postgres.schema import LOG_LOCK

_HOLDERS = text(
    "SELECT DISTINCT virtualtransaction FROM pg_locks WHERE locktype = 'advisory'"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    f" AND classid = {LOG_LOCK} AND objid = 0 AND objsubid = 2"
)
_UNSEALED = text(
    "SELECT xmin::text::bigint AS append, partition, min(position) AS first, max(position) AS last, count(*) AS events"
    " FROM log.events WHERE position > :sealed GROUP BY xmin::text::bigint, partition"
)
TIMELINE = "('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::integer"
"""The timeline that is written to; `pg_control_checkpoint()` knows it only from the next checkpoint on."""

_HEAD = text(
    "SELECT h.position, h.positions, h.watermark, h.hash,"
    " (SELECT max(generation) FROM log.generations) AS generation,"
    " CASE WHEN s.is_called THEN s.last_value ELSE 0 END AS high_water,"
    " pg_postmaster_start_time() AS started_at, pg_stat_get_bgwriter_stat_reset_time() AS recovered_at,"
    f" {TIMELINE} AS timeline_id FROM log.head h, log.positions s"
)
_MOVE_HEAD = text(
    "UPDATE log.head SET position = :position, positions = :positions, watermark = :watermark, hash = :hash"
    " WHERE position = :seen AND watermark = :seen_watermark"
)
_SEAL = text(
    "INSERT INTO log.seals (last, first, sealed_at, epoch, generation, hashes, previous, hash)"
    " SELECT :last, :first, :sealed_at, :epoch, :generation, hashes, :previous,"
    " log.seal_hash(:previous, :generation, :first, :last, :sealed_at, hashes)"
    " FROM (SELECT string_agg(log.event_hash(e), ''::bytea ORDER BY position) AS hashes"
    " FROM log.events e WHERE position BETWEEN :first AND :last) sealed RETURNING hash"
)
SERVER = text(f"SELECT system_identifier, {TIMELINE} AS timeline_id FROM pg_control_system()")
_GENERATION = text(
    "SELECT generation, system_identifier, timeline_id FROM log.generations ORDER BY generation DESC LIMIT 1"
)
_OPEN_GENERATION = text(
    "INSERT INTO log.generations (generation, from_position, system_identifier, timeline_id)"
    " VALUES (:generation, :from_position, :system_identifier, :timeline_id)"
)

_SEALED_AT = text("SELECT hash FROM log.seals WHERE last <= :position ORDER BY last DESC LIMIT 1")

TICK = timedelta(microseconds=1)
MOST_AT_ONCE = 20_000
"""Events of one seal, unless one append has more."""


async def open_generation(tx: AsyncConnection, generation: int, from_position: int, server: Row[Any]) -> None:
    """From now on, what is drawn after `from_position` is of this generation."""
    await tx.execute(
        _OPEN_GENERATION,
        {
            "generation": generation,
            "from_position": from_position,
            "system_identifier": server.system_identifier,
            "timeline_id": server.timeline_id,
        },
    )


async def _has(tx: AsyncConnection, head: Row[Any], witness: SignedHead) -> bool:
    """Whether the log still is the one whose head was signed."""
    if witness.generation != head.generation:
        return bool(witness.generation < head.generation)
    sealed = (await tx.execute(_SEALED_AT, {"position": witness.position})).scalar()
    return bool(witness.position <= head.position and sealed == witness.hash)


class Superseded(Exception):
    """Another sealer moved the head; this one must start again from what it finds."""


class ServerChanged(Exception):
    """The server was started again, or another took its place; what the sealer has seen of it counts no more."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """What one scan did: how many events it sealed, and whether appends were still under way."""

    events: int
    pending: bool


def whole_appends(appends: Sequence[tuple[int, int, int, int]], sealed: int, safe: int) -> int:
    """The position up to which to seal: at most `safe`, and in the midst of no append.

    `appends`: what is not sealed, as (append, first position, last position, number of events), an append once per
    partition. The result is `sealed` when nothing whole lies below `safe`; it is cut short after `MOST_AT_ONCE`.
    """
    spans: dict[int, tuple[int, int, int]] = {}
    for append, first, last, events in appends:
        before = spans.get(append, (first, last, 0))
        spans[append] = min(first, before[0]), max(last, before[1]), before[2] + events
    end, reach, count = sealed, sealed, 0
    for first, last, events in sorted(spans.values()):
        if first > reach and reach <= safe:
            end = reach
            if count >= MOST_AT_ONCE:
                return end
        if first > safe:
            break
        reach, count = max(reach, last), count + events
    return safe if reach <= safe else end


class Sealer:
    """Seals one log. Only the holder of the lease `sealer` may run it; a zombie's seal fails on the head row."""

    def __init__(
        self, engine: AsyncEngine, clock: Clock, lease: Lease, witness: Callable[[], SignedHead | None] = lambda: None
    ) -> None:
        """`witness` knows the newest head that was signed and kept outside of the database."""
        self._engine = engine
        self._clock = clock
        self._lease = lease
        self._witness = witness
        self._high_water = 0
        self._first_seen: dict[str, int] = {}
        self._server: tuple[object, ...] | None = None

    async def start(self) -> bool:
        """Take or keep the lease and begin anew; false if another holds it. To be called again after any error.

        A server that was restored or failed over begins a new generation, also under a lease that goes on: it is
        another server or on another timeline, or it has not what the witness saw. And what earlier scans saw is
        forgotten: a server that crashed may draw positions again that they saw drawn.
        """
        async with self._engine.begin() as tx:
            held = await self._lease.acquire(tx)
            if held:
                self._server = None
                head = await self._head(tx)
                await self._open_generation_if_restored(tx, head)
                self._high_water, self._first_seen = head.position, {}
        return held

    async def renew(self) -> bool:
        """Keep the lease between two scans; false if it was not ours all the time: then start again."""
        epoch = self._lease.epoch
        async with self._engine.begin() as tx:
            return await self._lease.acquire(tx) and self._lease.epoch == epoch

    async def stop(self) -> None:
        """Let a successor begin at once, if the database can be told."""
        await let_go(self._engine, self._lease)

    async def _open_generation_if_restored(self, tx: AsyncConnection, head: Row[Any]) -> None:
        server = (await tx.execute(SERVER)).one()
        last = (await tx.execute(_GENERATION)).one()
        witness = self._witness()
        is_same = (server.system_identifier, server.timeline_id) == (last.system_identifier, last.timeline_id)
        if is_same and (witness is None or await _has(tx, head, witness)):
            return
        newest = max(last.generation, witness.generation if witness else 0) + 1
        for generation in range(last.generation + 1, newest + 1):
            await open_generation(tx, generation, head.position, server)

    async def scan(self) -> Sealed:
        """One scan; at most one seal.

        Raises `LeaseLost`, `Superseded` or `ServerChanged`, and then has changed nothing.
        """
        async with self._engine.begin() as tx:
            now = self._clock.now()
            head = await self._head(tx)
            high_water: int = head.high_water
            if high_water == head.position:
                self._high_water, self._first_seen = high_water, {}
                return Sealed(0, pending=False)
            holders = (await tx.execute(_HOLDERS)).scalars().all()
            safe = self._settled(high_water, holders)
            rows = (await tx.execute(_UNSEALED, {"sealed": head.position})).all()
            last = whole_appends([(row.append, row.first, row.last, row.events) for row in rows], head.position, safe)
            inside = [row for row in rows if row.last <= last]
            if last > head.position:
                await self._lease.hold(tx)
                sealed_at = max(now, head.watermark + TICK)
                digest = await self._seal(tx, head, last, sealed_at) if inside else head.hash
                positions = advanced(tuple(head.positions), [(row.partition, row.last) for row in inside])
                await self._move(tx, head, last, positions, sealed_at, digest)
        return Sealed(sum(row.events for row in inside), pending=last < high_water)

    async def _head(self, tx: AsyncConnection) -> Row[Any]:
        """The head of the log, on the server that the last one was read from.

        That it was started again need not show in an error: the pool makes new connections when somebody else met it.
        """
        head = (await tx.execute(_HEAD)).one()
        server = (head.started_at, head.recovered_at, head.timeline_id)
        if self._server not in (None, server):
            raise ServerChanged(f"the server was started at {head.started_at}, its timeline is {head.timeline_id}")
        self._server = server
        return head

    async def _seal(self, tx: AsyncConnection, head: Row[Any], last: int, sealed_at: datetime) -> bytes:
        values = {
            "first": head.position + 1,
            "last": last,
            "sealed_at": sealed_at,
            "epoch": self._lease.epoch,
            "generation": head.generation,
            "previous": head.hash,
        }
        digest: bytes = (await tx.execute(_SEAL, values)).scalar_one()
        return digest

    def _settled(self, high_water: int, holders: Sequence[str]) -> int:
        self._first_seen = {holder: self._first_seen.get(holder, self._high_water) for holder in holders}
        self._high_water = high_water
        return min([high_water, *self._first_seen.values()])

    async def beat(self) -> None:
        """Move the watermark of a quiet log up to now: everything so far is sealed, what comes is sealed later."""
        now = self._clock.now()
        async with self._engine.begin() as tx:
            head = await self._head(tx)
            if head.high_water == head.position and now > head.watermark:
                await self._lease.hold(tx)
                await self._move(tx, head, head.position, tuple(head.positions), now, head.hash)

    async def _move(
        self,
        tx: AsyncConnection,
        head: Row[Any],
        position: int,
        positions: tuple[int, ...],
        watermark: datetime,
        digest: bytes,
    ) -> None:
        values = {
            "position": position,
            "positions": list(positions),
            "watermark": watermark,
            "hash": digest,
            "seen": head.position,
            "seen_watermark": head.watermark,
        }
        if (await tx.execute(_MOVE_HEAD, values)).rowcount != 1:
            raise Superseded
