"""Leases: one holder at a time, by the database's clock alone, with an epoch that fences the last one."""

import asyncio
from contextlib import suppress
from datetime import timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from steerco_events.ids import new_id
from steerco_events.postgres.faults import DATABASE_FAULTS
from steerco_events.postgres.statements import Statement, Transaction
from steerco_events.postgres.wakeups import LEASES
from steerco_events.signals import Signal

LET_GO_SECONDS = 3.0

_ACQUIRE = text(
    "INSERT INTO log.leases AS l (name, holder, epoch, expires_at)"
    " VALUES (:name, :holder, 1, clock_timestamp() + CAST(:lasts AS interval))"
    " ON CONFLICT (name) DO UPDATE SET holder = :holder, expires_at = excluded.expires_at,"
    " epoch = l.epoch + CASE WHEN l.holder = :holder AND l.expires_at > clock_timestamp() THEN 0 ELSE 1 END"
    " WHERE l.holder = :holder OR l.expires_at <= clock_timestamp()"
    " RETURNING epoch"
)
_OURS = "name = :name AND holder = :holder AND epoch = :epoch AND expires_at > clock_timestamp()"
HOLD = f"SELECT 1 FROM log.leases WHERE {_OURS} FOR SHARE"
"""With a lease's `values`: holds it until the transaction ends if it is ours; else it gives no row."""

_HOLD = Statement(HOLD)
EXTEND = (
    f"UPDATE log.leases SET expires_at = clock_timestamp() + CAST(:lasts AS interval) WHERE {_OURS} RETURNING epoch"
)
"""With a lease's `values`: renews it if it is ours, and holds it until the transaction ends; else it gives no row."""

_RELEASE = text(
    "WITH released AS (UPDATE log.leases SET expires_at = clock_timestamp()"
    " WHERE name = :name AND holder = :holder AND expires_at > clock_timestamp() RETURNING name)"
    f" SELECT pg_notify('{LEASES}', '') FROM released"
)

_LEFT = text("SELECT extract(epoch FROM expires_at - clock_timestamp()) FROM log.leases WHERE name = :name")


class LeaseLost(Exception):
    """Somebody else holds the lease now, or it ran out."""


class Lease:
    """The right to do a thing alone. Renew it well before `lasts` is over."""

    def __init__(
        self,
        name: str,
        lasts: timedelta = timedelta(seconds=10),
        holder: UUID | None = None,
        leases: Signal | None = None,
    ) -> None:
        """`holder`: who it is for, if one holds several; else the lease is a holder of its own.

        `leases` is signaled when some lease may be free.
        """
        self.name = name
        self.lasts = lasts
        self.epoch = 0
        self._holder = holder or new_id()
        self._leases = (leases or Signal()).subscribe()

    async def acquire(self, tx: AsyncConnection) -> bool:
        """Take or renew the lease; false if another holds it. The epoch grows whenever it was not ours."""
        epoch = (await tx.execute(_ACQUIRE, {"name": self.name, "holder": self._holder, "lasts": self.lasts})).scalar()
        if epoch is None:
            return False
        self.epoch = epoch
        return True

    @property
    def values(self) -> dict[str, object]:
        """What a statement has to know of it."""
        return {"name": self.name, "holder": self._holder, "epoch": self.epoch, "lasts": self.lasts}

    async def hold(self, tx: Transaction) -> None:
        """Make the transaction valid only while the lease is ours: nobody takes it before we commit."""
        if not await _HOLD.rows(tx, self.values):
            raise LeaseLost(self.name)

    async def release(self, tx: AsyncConnection) -> None:
        """Let a successor begin at once, and tell those who wait for it; its epoch is the next one."""
        await tx.execute(_RELEASE, {"name": self.name, "holder": self._holder})

    async def rest(self, seconds: float) -> None:
        """Return when some lease may be free, and after so many seconds."""
        await self._leases.wait(seconds)


async def turn_of(lease: Lease, engine: AsyncEngine) -> None:
    """Return when a lease that another holds may be free.

    That is when somebody has left one, when it would run out if nobody renewed it, and after a third of its time.
    """
    async with engine.connect() as connection:
        left = (await connection.execute(_LEFT, {"name": lease.name})).scalar()
    await lease.rest(max(0.0, min(float(left or 0), lease.lasts.total_seconds() / 3)))


async def let_go(engine: AsyncEngine, *leases: Lease) -> None:
    """Release leases on the way out, also when cancelled meanwhile.

    If the database can't be told within three seconds, they run out by themselves.
    """

    async def told() -> None:
        with suppress(*DATABASE_FAULTS):
            async with asyncio.timeout(LET_GO_SECONDS), engine.begin() as tx:
                for lease in leases:
                    await lease.release(tx)

    telling = asyncio.create_task(told())
    try:
        await asyncio.shield(telling)
    except asyncio.CancelledError:
        await telling
        raise
