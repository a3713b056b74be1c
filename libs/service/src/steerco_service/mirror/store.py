"""What was received of the logs, in the deployment's own database: each event once, with numbers of its own.

Positions count what was received, and versions what was received of a stream: those of the source tell of others.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.expression import bindparam

from steerco_events.positions import START, Positions, advanced, partition_of
from steerco_service.mirror.source import Received

MIRROR_STATEMENTS = (
    "CREATE SCHEMA mirror",
    """CREATE TABLE mirror.logs (
        service text COLLATE "C" PRIMARY KEY,
        scope text NOT NULL,
        url text NOT NULL,
        after text NOT NULL,
        position bigint NOT NULL,
        positions bigint[] NOT NULL,
        complete_to timestamptz
    )""",
    """CREATE TABLE mirror.events (
        service text COLLATE "C" NOT NULL,
        position bigint NOT NULL,
        partition smallint NOT NULL,
        id uuid NOT NULL,
        stream text COLLATE "C" NOT NULL,
        stream_version integer NOT NULL,
        attributes jsonb NOT NULL,
        data text NOT NULL,
        PRIMARY KEY (service, position),
        UNIQUE (service, id),
        UNIQUE (service, stream, stream_version)
    )""",
    'GRANT USAGE ON SCHEMA mirror TO "{app}"',
    'GRANT SELECT, INSERT, UPDATE ON mirror.logs, mirror.events TO "{app}"',
)
"""What makes the tables, for the app role of a database."""

_STANDS = text("SELECT scope, url, after, position, positions, complete_to FROM mirror.logs WHERE service = :service")
_HELD = text("SELECT id FROM mirror.events WHERE service = :service AND id = ANY(CAST(:ids AS uuid[]))")
_VERSIONS = text(
    "SELECT stream, max(stream_version) AS version FROM mirror.events"
    " WHERE service = :service AND stream = ANY(CAST(:streams AS text[])) GROUP BY stream"
)
_KEEP = text(
    "INSERT INTO mirror.events (service, position, partition, id, stream, stream_version, attributes, data)"
    " VALUES (:service, :position, :partition, :id, :stream, :version, :attributes, :data)"
).bindparams(bindparam("attributes", type_=JSONB))
_BEGIN = text(
    "INSERT INTO mirror.logs (service, scope, url, after, position, positions, complete_to)"
    " VALUES (:service, :scope, :url, :after, :position, :positions, :complete_to) ON CONFLICT DO NOTHING"
)
_MOVE = text(
    "UPDATE mirror.logs SET after = :after, position = :position, positions = :positions,"
    " complete_to = coalesce(:complete_to, complete_to)"
    " WHERE service = :service AND after = :seen AND position = :since"
)


class MirrorMoved(Exception):
    """Another worker went on meanwhile."""


class OtherSource(Exception):
    """What is held came from somewhere else; a database is for one unit of one enterprise."""


@dataclass(frozen=True, slots=True)
class Reached:
    """How far one log was received: `None` before the first page."""

    after: str | None = None
    position: int = 0
    positions: Positions = START
    complete_to: datetime | None = None


class Mirror:
    """One service's log, as it is held for a unit."""

    def __init__(self, service: str, scope: str, url: str) -> None:
        self.service = service
        self._named = {"service": service}
        self._scope = scope
        self._url = url

    async def reached(self, connection: AsyncConnection) -> Reached:
        """How far it was received. Raises `OtherSource`."""
        row = (await connection.execute(_STANDS, self._named)).one_or_none()
        if row is None:
            return Reached()
        if (row.scope, row.url) != (self._scope, self._url):
            raise OtherSource(
                f"this database holds what was received of {self.service} for {row.scope} from {row.url},"
                f" not for {self._scope} from {self._url}: take a new one"
            )
        return Reached(row.after, row.position, tuple(row.positions), row.complete_to)

    async def take_history(self, tx: AsyncConnection, seen: Reached, events: Sequence[Received]) -> Reached:
        """Keep events that belong before the next page, as `take` does, and what is reached by that.

        There are none before the first page: nothing has entered since. Raises `MirrorMoved`.
        """
        return await self._take(tx, seen, events, seen.after, None)

    async def take(
        self, tx: AsyncConnection, seen: Reached, events: Sequence[Received], after: str, complete_to: datetime | None
    ) -> None:
        """Keep those of a page's events that are not held yet, in their order, and how far that is; all or nothing.

        Raises `MirrorMoved`.
        """
        await self._take(tx, seen, events, after, complete_to)

    async def _take(
        self,
        tx: AsyncConnection,
        seen: Reached,
        events: Sequence[Received],
        after: str | None,
        complete_to: datetime | None,
    ) -> Reached:
        new = await self._new(tx, events)
        position = seen.position + len(new)
        places = [(partition_of(each.stream), n) for n, each in enumerate(new, seen.position + 1)]
        reached = Reached(after, position, advanced(seen.positions, places), complete_to or seen.complete_to)
        values = self._named | {
            "scope": self._scope,
            "url": self._url,
            "after": after,
            "position": position,
            "positions": list(reached.positions),
            "complete_to": complete_to,
            "seen": seen.after,
            "since": seen.position,
        }
        moved = await tx.execute(_MOVE if seen.after else _BEGIN, values)
        if moved.rowcount != 1:
            raise MirrorMoved(self.service)
        if new:
            await tx.execute(_KEEP, await self._rows(tx, new, places))
        return reached

    async def _new(self, tx: AsyncConnection, events: Sequence[Received]) -> Sequence[Received]:
        first: dict[str, Received] = {}
        for each in events:
            first.setdefault(each.id, each)
        held = await tx.execute(_HELD, self._named | {"ids": list(first)})
        known = {str(id) for id in held.scalars()}
        return [each for id, each in first.items() if id not in known]

    async def _rows(
        self, tx: AsyncConnection, new: Sequence[Received], places: Sequence[tuple[int, int]]
    ) -> list[dict[str, Any]]:
        found = await tx.execute(_VERSIONS, self._named | {"streams": list({each.stream for each in new})})
        versions: defaultdict[str, int] = defaultdict(int, {row.stream: row.version for row in found})
        rows = []
        for each, (partition, position) in zip(new, places, strict=True):
            versions[each.stream] += 1
            rows.append(
                self._named
                | {
                    "position": position,
                    "partition": partition,
                    "id": each.id,
                    "stream": each.stream,
                    "version": versions[each.stream],
                    "attributes": dict(each.attributes),
                    "data": each.data.decode(),
                }
            )
        return rows
