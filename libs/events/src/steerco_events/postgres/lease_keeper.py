"""All the leases that one process wants in one database, taken and renewed together by one statement.

Workers share what there is to do: whoever keeps leases is a worker, known to the others by a lease of its own. For
every claim all of them know which of them is its first choice; one that is left alone is taken by another.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from hashlib import blake2b
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from steerco_events.bounding import bounded
from steerco_events.ids import new_id
from steerco_events.ports import Shard
from steerco_events.postgres.lease import Lease, LeaseLost, let_go
from steerco_events.postgres.statements import driver_connection
from steerco_events.postgres.wakeups import LEASES, notify
from steerco_events.signals import AnyOf, Signal

LASTS = timedelta(seconds=10)

STEP_SECONDS = 60.0
"""After so long a step hangs; what is held has run out by then."""

GATHER_SECONDS = 0.02
"""Those who claim at the same time, such as at the start, share a statement."""

AT_ONCE = timedelta(0)

_WORKER = "worker "
_SHARD = ", shard "
_KEEP = text(
    "WITH wanted AS ("
    " SELECT w.name FROM unnest(CAST(:names AS text[]), CAST(:free AS interval[])) AS w (name, free)"
    " WHERE NOT EXISTS (SELECT 1 FROM log.leases l WHERE l.name = w.name AND l.holder <> :holder"
    " AND l.expires_at + w.free > clock_timestamp()) ORDER BY w.name),"
    " taken AS (INSERT INTO log.leases AS l (name, holder, epoch, expires_at)"
    " SELECT name, CAST(:holder AS uuid), 1, clock_timestamp() + CAST(:lasts AS interval) FROM wanted"
    " ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at, epoch = l.epoch"
    " + CASE WHEN l.holder = excluded.holder AND l.expires_at > clock_timestamp() THEN 0 ELSE 1 END"
    " WHERE l.holder = excluded.holder OR l.expires_at <= clock_timestamp() RETURNING name, epoch)"
    " SELECT name, epoch, NULL AS seconds FROM taken"
    " UNION ALL SELECT name, NULL, extract(epoch FROM expires_at - clock_timestamp())::float8 FROM log.leases"
    f" WHERE name LIKE '{_WORKER}%' AND holder <> :holder AND expires_at > clock_timestamp()"
)
_SWEEP = text(
    f"DELETE FROM log.leases WHERE (name LIKE '{_WORKER}%' OR name LIKE '%{_SHARD}%')"
    " AND expires_at < clock_timestamp() - interval '1 day'"
)


def _nothing() -> None:
    """Nobody wants to know."""


class Claim:
    """One thing that a process wants to do alone. Times are those of the event loop's clock."""

    def __init__(
        self, lease: Lease, group: str, shard: Shard, since: float, elsewhere: Callable[[], None] = _nothing
    ) -> None:
        self.lease = lease
        self.since = since
        self.is_held = False
        self.is_left = False
        self._group = group
        self._turn = shard.number
        self._elsewhere = elsewhere
        self._until = since
        self._taken = asyncio.Event()
        self._bound: asyncio.Timeout | None = None

    def first_choice(self, workers: Collection[UUID]) -> UUID:
        """Which of the workers is to have it: by turns in an order of the workers that each group has of its own."""
        order = sorted(workers, key=lambda worker: blake2b(worker.bytes + self._group.encode()).digest())
        return order[self._turn % len(order)]

    def extend(self, until: float) -> None:
        """It is ours until then."""
        self._until = until
        self.is_held = True
        self._taken.set()
        self._rebound()

    def lose(self, now: float) -> None:
        """It is not ours, or not any more: who works under it is cut off."""
        self._elsewhere()
        if self.is_held:
            self.since = self._until = now
            self.is_held = False
            self._taken.clear()
            self._rebound()

    def _rebound(self) -> None:
        if self._bound and not self._bound.expired():
            self._bound.reschedule(self._until)

    @asynccontextmanager
    async def held(self) -> AsyncIterator[Lease]:
        """Wait until it is ours; the body is cut off by `LeaseLost` when it no longer is."""
        await self._taken.wait()
        bound = asyncio.timeout_at(self._until)
        try:
            async with bound:
                self._bound = bound
                yield self.lease
        except TimeoutError as error:
            if bound.expired():
                raise LeaseLost(self.lease.name) from error
            raise
        finally:
            self._bound = None


class LeaseKeeper:
    """Keeps the leases of one process in one database, while `run` runs; they run out by the database's clock.

    `leases` is signaled when a worker has come, or has left leases to others.
    """

    def __init__(self, engine: AsyncEngine, lasts: timedelta = LASTS, leases: Signal | None = None) -> None:
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._lasts = lasts
        self.holder = new_id()
        self._presence = self._lease(f"{_WORKER}{self.holder}")
        self._claims: dict[str, Claim] = {}
        self._workers = frozenset({self.holder})
        self._claimed = Signal()
        self._changed = AnyOf(self._claimed, leases or Signal()).subscribe()

    def _lease(self, name: str) -> Lease:
        return Lease(name, self._lasts, self.holder)

    @property
    def held(self) -> int:
        """How many leases are ours now."""
        return sum(claim.is_held for claim in self._claims.values())

    @asynccontextmanager
    async def hold(self, group: str, shard: Shard, elsewhere: Callable[[], None] = _nothing) -> AsyncIterator[Lease]:
        """Wait for the lease of one shard of something; inside, it is ours.

        The body is cut off by `LeaseLost` when it no longer is. Once left, it goes to whoever wants it. `elsewhere` is
        called whenever it shows that another has it, or is to have it.
        """
        name = f"{group}{_SHARD}{shard.number}"
        claim = Claim(self._lease(name), group, shard, asyncio.get_running_loop().time(), elsewhere)
        self._claims[name] = claim
        self._claimed.notify()
        try:
            async with claim.held() as lease:
                yield lease
        finally:
            claim.is_left = True

    async def run(self) -> None:
        """Take and renew until cancelled; then leave all to others. After an error, what is held runs out by itself.

        Raises `Hangs`, and what the database raises.
        """
        loop = asyncio.get_running_loop()
        try:
            async with self._bounded():
                await self._sweep()
                await self._introduce()
            while True:
                async with self._bounded():
                    rest = await self._keep(loop)
                if await self._changed.wait(rest):
                    await asyncio.sleep(GATHER_SECONDS)
        except asyncio.CancelledError:
            # All of them: one may be ours in the database already, though we were cut off before we learned it.
            await let_go(self._engine, self._presence, *(claim.lease for claim in self._claims.values()))
            raise

    def _bounded(self) -> AbstractAsyncContextManager[None]:
        return bounded(STEP_SECONDS, f"the keeper of leases {self.holder}")

    async def _sweep(self) -> None:
        async with self._engine.connect() as connection:
            await connection.execute(_SWEEP)

    async def _introduce(self) -> None:
        """Be known to the others and know them before anything is taken; those who come at the same time, too."""
        await self._ask({self._presence.name: AT_ONCE})
        async with driver_connection(self._engine) as driver:
            await notify(driver, LEASES)
        await asyncio.sleep(GATHER_SECONDS)
        _, others = await self._ask({self._presence.name: AT_ONCE})
        self._workers = frozenset({self.holder, *others})

    async def _keep(self, loop: asyncio.AbstractEventLoop) -> float:
        """Ask once for all that is wanted; how many seconds to rest until the next time."""
        await self._release_what_was_left()
        began, lasts = loop.time(), self._lasts.total_seconds()
        wanted = {name: self._free_for(claim, began) for name, claim in self._claims.items()}
        asked = {name: free for name, free in wanted.items() if free is not None}
        epochs, others = await self._ask({self._presence.name: AT_ONCE} | asked)
        self._presence.epoch = epochs[self._presence.name]
        for name in asked:
            claim = self._claims[name]
            if name in epochs:
                claim.lease.epoch = epochs[name]
                claim.extend(began + lasts)
            else:
                claim.lose(loop.time())
        workers = frozenset({self.holder, *others})
        if workers != self._workers:
            self._workers = workers
            await self._leave_to_others(loop.time())
            return 0.0
        soonest_gone = min(others.values(), default=lasts) + GATHER_SECONDS
        is_waiting = any(not claim.is_held and self._is_ours(claim) for claim in self._claims.values())
        return min(lasts / (10 if is_waiting else 3), soonest_gone)

    def _is_ours(self, claim: Claim) -> bool:
        return claim.first_choice(self._workers) == self.holder

    def _free_for(self, claim: Claim, now: float) -> timedelta | None:
        """How long it must have been free for us to take it; `None`: its first choice may take it for now."""
        if claim.is_held or self._is_ours(claim):
            return AT_ONCE
        return self._lasts if now - claim.since > self._lasts.total_seconds() else None

    async def _leave_to_others(self, now: float) -> None:
        theirs = [claim for claim in self._claims.values() if claim.is_held and not self._is_ours(claim)]
        for claim in theirs:
            claim.lose(now)
        await self._release(theirs)

    async def _release_what_was_left(self) -> None:
        left = {name: claim for name, claim in self._claims.items() if claim.is_left}
        await self._release([claim for claim in left.values() if claim.is_held])
        for name, claim in left.items():
            if self._claims.get(name) is claim:
                del self._claims[name]

    async def _release(self, claims: Sequence[Claim]) -> None:
        if claims:
            async with self._engine.connect() as connection:
                for claim in claims:
                    await claim.lease.release(connection)

    async def _ask(self, wanted: dict[str, timedelta]) -> tuple[dict[str, int], dict[UUID, float]]:
        """The epochs of what we got; the other workers, each with the seconds after which it is gone if it is dead."""
        values = {"names": list(wanted), "free": list(wanted.values()), "holder": self.holder, "lasts": self._lasts}
        async with self._engine.connect() as connection:
            rows = (await connection.execute(_KEEP, values)).all()
        epochs = {row.name: row.epoch for row in rows if row.epoch is not None}
        others = {UUID(row.name.removeprefix(_WORKER)): row.seconds for row in rows if row.epoch is None}
        return epochs, others
