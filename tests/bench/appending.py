"""Durable appends: group commit against one bare INSERT per commit, and against the library `eventsourcing`."""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg

from steerco_events.clock import Clock
from steerco_events.commands.batching import Batcher
from steerco_events.commands.handling import Handled
from steerco_events.commands.planning import Handling
from steerco_events.envelope import Actor, Context
from steerco_events.ids import derived_id, new_id
from steerco_events.postgres.wakeups import APPENDED, announce, asyncpg_dsn
from steerco_events.testkit.logs import Log, fresh_log, running
from tests.bench.children import child
from tests.bench.entries import BENCH, ENTRIES_PER_LEDGER, PostEntry, entry, ledger
from tests.bench.eventsourced import append_rate, open_ledgers
from tests.bench.figures import Figure, Servers, paired
from tests.bench.profiling import explained

CALLERS = 32
SECONDS = 3.0
ACTOR = Actor(derived_id("person", "clerk"), "finance clerk")

_RAW_TABLE = (
    "CREATE TABLE bench_raw (position bigserial PRIMARY KEY, id uuid NOT NULL UNIQUE, stream text NOT NULL,"
    " version integer NOT NULL, recorded_at timestamptz NOT NULL, actor uuid NOT NULL, data bytea NOT NULL,"
    " UNIQUE (stream, version))"
)
_RAW_INSERT = "INSERT INTO bench_raw (id, stream, version, recorded_at, actor, data) VALUES ($1, $2, $3, $4, $5, $6)"


async def rate(caller: Callable[[int, float], Awaitable[int]]) -> float:
    """Appends a second of all callers together; each appends until the given instant and says how often it did."""
    began = time.perf_counter()
    done = await asyncio.gather(*(caller(n, began + SECONDS) for n in range(CALLERS)))
    return sum(done) / (time.perf_counter() - began)


class Ours:
    """Commands through the group commit of one process; it wakes the sealer, which is another."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._batcher = Batcher(log.engine, log.store, log.appended)

    async def __call__(self) -> float:
        async with running(lambda: announce(self._log.engine, APPENDED, self._log.appended)):
            return await rate(self._caller)

    async def _caller(self, _: int, until: float) -> int:
        done = 0
        while time.perf_counter() < until:
            if done % ENTRIES_PER_LEDGER == 0:
                ledger_id = new_id()
                stream = f"ledger-{ledger_id}"
            command = PostEntry(ledger_id, done + 1)
            is_new = done % ENTRIES_PER_LEDGER == 0
            await self._batcher.submit(
                Handling(ledger, stream, command, context(self._log.clock), is_new=is_new), None, _version
            )
            done += 1
        return done


def context(clock: Clock) -> Context:
    """The context of a new command."""
    command_id = new_id()
    return Context(
        command_id=command_id,
        actor=ACTOR,
        client="bench",
        recorded_at=clock.now(),
        correlation_id=command_id,
        causation_id=command_id,
    )


def _version(handled: Handled) -> bytes:
    return b"%d" % handled.version


class RawInsert:
    """One bare INSERT of the same payload per commit, a connection for each caller."""

    def __init__(self, connections: Sequence[Any], log: Log) -> None:
        self._connections = connections
        self._log = log

    async def __call__(self) -> float:
        return await rate(self._caller)

    async def _caller(self, n: int, until: float) -> int:
        connection = self._connections[n]
        insert = await connection.prepare(_RAW_INSERT)
        done = 0
        while time.perf_counter() < until:
            number = done % ENTRIES_PER_LEDGER + 1
            if number == 1:
                ledger_id: UUID = new_id()
                stream = f"ledger-{ledger_id}"
            data = self._log.registry.encode(entry(ledger_id, number, done + 1))
            await insert.fetch(new_id(), stream, number, self._log.clock.now(), ACTOR.id, data)
            done += 1
        return done


async def measure(servers: Servers) -> Sequence[Figure]:
    """`append_vs_raw_insert` and `append_vs_eventsourcing`."""
    async with AsyncExitStack() as stack:
        log = await stack.enter_async_context(fresh_log(servers.postgres, BENCH))
        dsn = asyncpg_dsn(log.urls.owner_url)
        connections = [await asyncpg.connect(dsn) for _ in range(CALLERS)]
        for connection in connections:
            stack.push_async_callback(connection.close)
        await connections[0].execute(_RAW_TABLE)
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="steerco-bench-")))
        await stack.enter_async_context(child("sealer", directory, "tests.bench.sealer", BENCH_URL=log.urls.app_url))
        ours = Ours(log)
        raw = await paired(ours, RawInsert(connections, log))
        ledgers = open_ledgers(log.urls.owner_url, CALLERS)
        stack.callback(ledgers.close)

        async def eventsourced() -> float:
            return await asyncio.to_thread(append_rate, ledgers, CALLERS, SECONDS)

        library = await paired(ours, eventsourced)
        parts = {"ours": raw.ours, "raw": raw.theirs}
        against_raw = Figure("append_vs_raw_insert", raw.ratio, 2, "higher", parts, "appends/s")
        parts = {"ours": library.ours, "eventsourcing": library.theirs}
        against_library = Figure("append_vs_eventsourcing", library.ratio, 5, "higher", parts, "appends/s")
        return [await explained(each, ours) for each in (against_raw, against_library)]
