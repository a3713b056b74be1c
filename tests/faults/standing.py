"""How far a service and those who work for it have come, as its database tells."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text

from tests.faults.cluster import Cluster

_PUBLISHED = text("SELECT min(position) FROM log.checkpoints, unnest(positions) position WHERE consumer = 'relay'")
_EVENTS_UP_TO = text("SELECT count(*) FROM log.events WHERE position <= :position")
_SEALED = text("SELECT position FROM log.head")
_PRESENT = text("SELECT name FROM log.leases WHERE name LIKE 'worker %' AND expires_at > clock_timestamp()")
_WORK = text(
    "SELECT name, holder, epoch, CASE name WHEN 'sealer' THEN (SELECT max(last) FROM log.seals s"
    " WHERE s.epoch = l.epoch) ELSE (SELECT max(position) FROM log.checkpoints c, unnest(c.positions) position"
    " WHERE l.name IN (c.consumer, 'consumer ' || c.consumer || ' in the log of ' || c.service || ', shard 0')) END"
    " AS reached FROM log.leases l WHERE expires_at > clock_timestamp()"
    " AND (name IN ('sealer', 'relay') OR name LIKE 'consumer %')"
)


@dataclass(frozen=True, slots=True)
class Work:
    """What one holder of a lease does alone, and up to which position it is done; a sealer: by this holder."""

    holder: UUID
    epoch: int
    reached: int

    def continues(self, before: "Work", *, further: bool) -> bool:
        """Whether somebody else does it than before; and, if asked for, has come further."""
        is_another = self.holder != before.holder and self.epoch > before.epoch
        return is_another and (self.reached > before.reached or not further)


async def sealed(cluster: Cluster, service: str) -> int:
    """The position up to which a log is sealed."""
    async with cluster.engine(service).connect() as connection:
        return int((await connection.execute(_SEALED)).scalar_one())


async def published(cluster: Cluster, service: str) -> int:
    """The position up to which its relay has sent a log and been told so."""
    async with cluster.engine(service).connect() as connection:
        return int((await connection.execute(_PUBLISHED)).scalar() or 0)


async def events_up_to(cluster: Cluster, service: str, position: int) -> int:
    """How many events a log has up to a position."""
    async with cluster.engine(service).connect() as connection:
        return int((await connection.execute(_EVENTS_UP_TO, {"position": position})).scalar_one())


async def workers_of(cluster: Cluster, service: str) -> frozenset[str]:
    """What a service's workers are known as to each other."""
    async with cluster.engine(service).connect() as connection:
        return frozenset((await connection.execute(_PRESENT)).scalars())


async def work_of(cluster: Cluster, service: str) -> dict[str, Work]:
    """What is held at this moment, by the name of the lease."""
    async with cluster.engine(service).connect() as connection:
        rows = await connection.execute(_WORK)
        return {row.name: Work(row.holder, row.epoch, row.reached or 0) for row in rows}
