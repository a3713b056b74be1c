"""The sealer: decides, for everybody, up to which position a log is settled, and when it became so.

A position is drawn before its transaction commits and becomes visible after it, so a reader that goes by
positions alone skips late commits. Every append holds the shared advisory lock `(LOG_LOCK, 0)` from before
it draws until it ends. One scan, in this order and in three statements of READ COMMITTED:

1. `last_value` of the sequence: the high-water mark;
2. the present holders of the lock, in `pg_locks` of this database. A holder that an earlier scan did not
   see took the lock after that scan, so it drew above that scan's high-water mark: its *first seen*;
3. the rows above the last seal and at or below `min(high-water mark, first seen of every present holder)`.

Whoever drew at or below that is no longer a holder, so it has ended, and what it committed is visible.

What one append wrote is sealed together: an instant never sees half of a command. So the seal ends before
the first append that reaches beyond that bound (its end was committed between two statements of the scan).

A seal keeps the hash of each of its events and that of the seal before, so that nothing in the log can be altered
without altering every seal after it; and every few seconds the newest of them is signed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncEngine

from steerco_events import tracing
from steerco_events.clock import Clock
from steerco_events.off_loop import OffLoop
from steerco_events.positions import SignedHead, advanced
from steerco_events.postgres.generations import TIMELINE, open_generation_if_restored
from steerco_events.postgres.lease import EXTEND, HOLD, Lease, LeaseLost, let_go, turn_of
from steerco_events.postgres.schema import HOLDS_LOG_LOCK
from steerco_events.postgres.statements import Driver, Statement, Transaction, driver_connection
from steerco_events.postgres.whole_appends import whole_appends

_HOLDERS = Statement(f"SELECT DISTINCT virtualtransaction FROM pg_locks WHERE {HOLDS_LOG_LOCK}")
_UNSEALED = Statement(
    "SELECT xmin::text::bigint AS append, partition, min(position) AS first, max(position) AS last, count(*) AS events"
    " FROM log.events WHERE position > :sealed GROUP BY xmin::text::bigint, partition"
)
_TRACES = Statement(
    "SELECT DISTINCT traceparent FROM log.events WHERE position > :after AND position <= :last"
    " AND right(traceparent, 1) IN ('1', '3', '5', '7', '9', 'b', 'd', 'f') LIMIT :most"
)
_HIGH_WATER = "(SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM log.positions)"
_SERVER = f"pg_postmaster_start_time(), pg_stat_get_bgwriter_stat_reset_time(), {TIMELINE}"
_HEAD = Statement(
    "SELECT h.position, h.positions, h.watermark, h.hash, (SELECT max(generation) FROM log.generations),"
    f" {_HIGH_WATER}, {_SERVER} FROM log.head h"
)
_BEAT = Statement(
    f"WITH ours AS ({EXTEND}), moved AS (UPDATE log.head h SET watermark = :now FROM ours"
    f" WHERE h.position = {_HIGH_WATER} AND h.watermark < :now AND ({_SERVER}) IS NOT DISTINCT FROM"
    " (CAST(:started_at AS timestamptz), CAST(:recovered_at AS timestamptz), CAST(:timeline_id AS integer)))"
    f" SELECT EXISTS (SELECT FROM ours), h.position = {_HIGH_WATER}, {_SERVER} FROM log.head h"
)
_SEAL = Statement(
    f"WITH ours AS ({HOLD}), seal AS ("
    "SELECT hashes, log.seal_hash(:previous, :generation, :first, :last, :sealed_at, hashes) AS digest"
    " FROM (SELECT string_agg(log.event_hash(e), ''::bytea ORDER BY position) AS hashes"
    " FROM log.events e WHERE position BETWEEN :first AND :last) events"
    "), moved AS ("
    "UPDATE log.head h SET position = :last, positions = :positions, watermark = :sealed_at,"
    " hash = coalesce(digest, h.hash) FROM ours, seal"
    " WHERE h.position = :seen AND h.watermark = :seen_watermark RETURNING h.position"
    "), sealed AS ("
    "INSERT INTO log.seals (last, first, sealed_at, epoch, generation, hashes, previous, hash)"
    " SELECT :last, :first, :sealed_at, :epoch, :generation, hashes, :previous, digest"
    " FROM seal, moved WHERE digest IS NOT NULL"
    ") SELECT EXISTS (SELECT FROM ours), EXISTS (SELECT FROM moved)"
)
"""The head moves if the lease is ours and nobody moved it, and then the seal is kept, if anything is sealed by it.

What was rolled back alone moves the head only.
"""

TICK = timedelta(microseconds=1)
WITNESS_SECONDS = 5.0
"""So long the witness is waited for: the lease lasts longer."""

MOST_TRACED = 2000
"""So many of a seal's events are looked at for the traces that they are of."""


class LogHead(NamedTuple):
    """How far the log is sealed, and how far its positions are drawn."""

    position: int
    positions: Sequence[int]
    watermark: datetime
    hash: bytes
    generation: int
    high_water: int


class Server(NamedTuple):
    """What tells a server from itself after it was started again, and from one that took its place."""

    started_at: datetime
    recovered_at: datetime | None
    timeline_id: int


class Superseded(Exception):
    """Another sealer moved the head; this one must start again from what it finds."""


class ServerChanged(Exception):
    """The server was started again, or another took its place; what the sealer has seen of it counts no more."""


class Unsealed(NamedTuple):
    """Those events of one append in one partition that are not sealed; `events` is their number."""

    append: int
    partition: int
    first: int
    last: int
    events: int


@dataclass(frozen=True, slots=True)
class Sealed:
    """What one scan did: how many events it sealed, and whether appends were still under way.

    What it sealed comes `after` a position, up to the `last`.
    """

    events: int
    pending: bool
    after: int = field(default=0, compare=False)
    last: int = field(default=0, compare=False)


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
        self._witnessing = OffLoop(WITNESS_SECONDS, "what witnesses the log outside of its database")
        self._high_water = 0
        self._first_seen: dict[str, int] = {}
        self._server: Server | None = None

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
                witness = await self._witnessing.call(self._witness)
                await open_generation_if_restored(tx, head.position, witness)
                self._high_water, self._first_seen = head.position, {}
        return held

    async def turn(self) -> None:
        """Return when it is worth while to try `start` again, after it was refused."""
        await turn_of(self._lease, self._engine)

    async def renew(self) -> bool:
        """Keep the lease between two scans; false if it was not ours all the time: then start again."""
        epoch = self._lease.epoch
        async with self._engine.begin() as tx:
            return await self._lease.acquire(tx) and self._lease.epoch == epoch

    async def stop(self) -> None:
        """Let a successor begin at once, if the database can be told."""
        await let_go(self._engine, self._lease)

    async def scan(self) -> Sealed:
        """One scan; at most one seal.

        Raises `LeaseLost`, `Superseded` or `ServerChanged`, and then has changed nothing.
        """
        now = self._clock.now()
        async with driver_connection(self._engine) as driver:
            head = await self._head(driver)
            if head.high_water == head.position:
                self._high_water, self._first_seen = head.high_water, {}
                return Sealed(0, pending=False)
            return await self._scan(driver, head, now)

    async def _scan(self, driver: Driver, head: LogHead, now: datetime) -> Sealed:
        """What comes after the high-water mark; on its connection, so on the same server."""
        holders = [holder for (holder,) in await _HOLDERS.rows(driver, {})]
        safe = self._settled(head.high_water, holders)
        if safe <= head.position:
            return Sealed(0, pending=True)
        rows = [Unsealed(*row) for row in await _UNSEALED.rows(driver, {"sealed": head.position})]
        last = whole_appends([(row.append, row.first, row.last, row.events) for row in rows], head.position, safe)
        inside = [row for row in rows if row.last <= last]
        if last > head.position:
            positions = advanced(tuple(head.positions), [(row.partition, row.last) for row in inside])
            await self._seal(driver, head, last, positions, max(now, head.watermark + TICK))
        events, pending = sum(row.events for row in inside), last < head.high_water
        return Sealed(events, pending, head.position, last)

    async def contexts(self, sealed: Sealed) -> Sequence[str]:
        """Those that are recorded, in which what a scan sealed came to be: some of the last of many."""
        after = max(sealed.after, sealed.last - MOST_TRACED)
        values = {"after": after, "last": sealed.last, "most": tracing.MOST_LINKS}
        async with driver_connection(self._engine) as driver:
            return [traceparent for (traceparent,) in await _TRACES.rows(driver, values)]

    async def _head(self, tx: Transaction) -> LogHead:
        """The head of the log, on the server that the last one was read from. Raises `ServerChanged`."""
        ((*head, started_at, recovered_at, timeline_id),) = await _HEAD.rows(tx, {})
        self._check_same(Server(started_at, recovered_at, timeline_id))
        return LogHead(*head)

    def _check_same(self, server: Server) -> None:
        """That it was started again need not show in an error: another may have met it, and the pool connects anew."""
        if self._server not in (None, server):
            raise ServerChanged(f"the server was started at {server.started_at}, its timeline is {server.timeline_id}")
        self._server = server

    async def _seal(
        self, driver: Driver, head: LogHead, last: int, positions: Sequence[int], sealed_at: datetime
    ) -> None:
        values = self._lease.values | {
            "first": head.position + 1,
            "last": last,
            "positions": list(positions),
            "sealed_at": sealed_at,
            "generation": head.generation,
            "previous": head.hash,
            "seen": head.position,
            "seen_watermark": head.watermark,
        }
        ((is_ours, is_moved),) = await _SEAL.rows(driver, values)
        if not is_ours:
            raise LeaseLost(self._lease.name)
        if not is_moved:
            raise Superseded

    def _settled(self, high_water: int, holders: Sequence[str]) -> int:
        self._first_seen = {holder: self._first_seen.get(holder, self._high_water) for holder in holders}
        self._high_water = high_water
        return min([high_water, *self._first_seen.values()])

    async def beat(self) -> bool:
        """Keep the lease of a quiet log and move its watermark up to now: what comes is sealed later.

        False, and nothing is claimed, if something is not sealed yet. Raises `LeaseLost` or `ServerChanged`.
        """
        server = self._server._asdict() if self._server else dict.fromkeys(Server._fields)
        values = self._lease.values | server | {"now": self._clock.now()}
        async with driver_connection(self._engine) as driver:
            ((is_ours, is_quiet, *found),) = await _BEAT.rows(driver, values)
        self._check_same(Server(*found))
        if not is_ours:
            raise LeaseLost(self._lease.name)
        return bool(is_quiet)
