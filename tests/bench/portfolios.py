"""The load: the lives of many projects at once, as five services write them, in logs that are really sealed."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any
from uuid import UUID

from steerco_events.contracts.catalog import CATALOG
from steerco_events.positions import partition_of
from steerco_events.postgres.feed import StoreFeed
from steerco_events.projections.writing import raw_connection
from steerco_events.registry import Payload
from steerco_events.testkit.logs import Log, Server, fresh_log
from tests.bench.enterprise import ACTORS, UNITS, enterprise, unit_id

SERVICES = ("intake", "portfolio", "finance", "risk", "training")

APPEND = 250
"""Events of one append, sealed together: a busy second."""

LEASED_SECONDS = 2.0

BEGIN = datetime(2024, 1, 1, 8, tzinfo=UTC)

TITLES = ("PMO officer", "Project manager", "Finance controller", "Portfolio manager")
COLUMNS = (
    *("id", "stream", "stream_version", "partition", "type", "schema_version", "recorded_at", "actor"),
    *("actor_title", "client", "reason", "correlation_id", "causation_id", "org_units", "data"),
)


class Teller:
    """Appends to one log what it is told, `APPEND` events at a time, each append sealed by itself."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._versions: dict[str, int] = {}
        self._rows: list[tuple[Any, ...]] = []
        self._leased_at = -LEASED_SECONDS
        self._appending: asyncio.Task[None] | None = None

    async def tell(self, n: int, stream: str, payload: Payload) -> None:
        """The n-th event of all."""
        version = self._versions[stream] = self._versions.get(stream, 0) + 1
        event_type = CATALOG.type_of(payload)
        command_id = UUID(int=n)
        row = (
            *(UUID(int=n | 1 << 127), stream, version, partition_of(stream)),
            *(event_type.name, event_type.version, BEGIN + timedelta(seconds=n), ACTORS[n % len(ACTORS)]),
            *(TITLES[n % len(TITLES)], "steerco", "As the board decided" if n % 7 == 0 else None),
            *(command_id, command_id, [unit_id(n % UNITS)], CATALOG.encode(payload)),
        )
        self._rows.append(row)
        if len(self._rows) == APPEND:
            await self.flush()

    async def flush(self) -> None:
        """Append what is left, once what came before is sealed."""
        await self.close()
        rows, self._rows = self._rows, []
        self._appending = asyncio.create_task(self._append(rows))

    async def close(self) -> None:
        """Return when all that was flushed is sealed."""
        if self._appending:
            await self._appending

    async def _append(self, rows: Sequence[tuple[Any, ...]]) -> None:
        log = self._log
        async with log.engine.begin() as tx:
            connection = await raw_connection(tx)
            await connection.copy_records_to_table("events", schema_name="log", columns=COLUMNS, records=rows)
        now = asyncio.get_running_loop().time()
        if now > self._leased_at + LEASED_SECONDS:
            assert await log.sealer.start()
            self._leased_at = now
        while (await log.sealer.scan()).pending:
            await asyncio.sleep(0.001)


@dataclass(frozen=True, slots=True)
class Portfolios:
    """The logs of five services, by what each is called in the contracts, sealed to their ends."""

    logs: Mapping[str, Log]
    events: int

    def feed(self, service: str) -> StoreFeed:
        """A feed on one of the logs."""
        log = self.logs[service]
        return StoreFeed(log.service, log.reader, CATALOG, log.sealed)

    async def tell(self) -> None:
        """Append the events."""
        tellers = {service: Teller(log) for service, log in self.logs.items()}
        for n, (service, stream, payload) in enumerate(islice(enterprise(), self.events)):
            await tellers[service].tell(n, stream, payload)
        for teller in tellers.values():
            await teller.flush()
            await teller.close()


@asynccontextmanager
async def told_portfolios(server: Server, events: int) -> AsyncIterator[Portfolios]:
    """Portfolios of so many events; dropped on leaving."""
    async with AsyncExitStack() as stack:
        logs = {name: await stack.enter_async_context(fresh_log(server, CATALOG, writers=1)) for name in SERVICES}
        portfolios = Portfolios(logs, events)
        await portfolios.tell()
        yield portfolios
