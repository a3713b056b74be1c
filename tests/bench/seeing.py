"""From the answer of a command to its being visible in reporting, over Kafka; against a bare record's way through."""

import asyncio
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from statistics import quantiles
from typing import Any

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from steerco.edition.services import SERVICES
from steerco_events.clock import SystemClock
from steerco_events.ids import new_id
from steerco_events.kafka.broker import Broker
from steerco_events.kafka.publisher import MAX_BATCH_BYTES, KafkaPublisher
from steerco_events.kafka.topics import create_topics
from steerco_events.positions import PARTITIONS, START, Head, Token
from steerco_events.postgres.wakeups import asyncpg_dsn
from steerco_reporting.app import SERVICE as REPORTING
from steerco_servers.child import Child
from steerco_servers.postgres import ServiceDatabase
from steerco_service.headers import CONSISTENCY_TOKEN
from steerco_service.identity.issuer import Issuer
from steerco_service.migrations import migrate
from tests.bench.children import child
from tests.bench.commanding import BODY, OFFICER, intake_api, prepare
from tests.bench.figures import Figure, Servers, paired
from tests.bench.http_load import Connection, post

RATE = 200
SECONDS = 8.0
PATIENCE = 60.0
BARE_TOPIC = "steerco.bench.bare"
LOOK_SECONDS = 0.004


def p99(seconds: Sequence[float]) -> float:
    """The 99th percentile."""
    return quantiles(seconds, n=100)[98]


@dataclass(frozen=True, slots=True)
class Stage:
    """A place on a command's way: a query for the positions up to which intake's log has come there."""

    connection: Any
    query: str


VISIBLE = "SELECT positions FROM log.checkpoints WHERE service = 'intake' ORDER BY consumer DESC LIMIT 1"
"""In reporting's database."""

SEALED = f"SELECT array_fill(position, ARRAY[{PARTITIONS}]) FROM log.head"
PUBLISHED = "SELECT positions FROM log.checkpoints WHERE consumer = 'relay'"
"""In intake's; a publication is known a moment late, when its place is kept."""


class Watched:
    """Looks at how far intake's log has come at a stage, and knows when each command came there."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._expected: dict[int, list[tuple[int, float]]] = defaultdict(list)
        self.taken: list[float] = []

    def expect(self, token: Token) -> None:
        """The command was answered just now."""
        _, positions = token.target("intake")
        (partition,) = (n for n, position in enumerate(positions) if position)
        self._expected[partition].append((positions[partition], time.perf_counter()))

    async def look(self) -> None:
        """Once; then those that are there are known to be."""
        positions = await self._stage.connection.fetchval(self._stage.query)
        now = time.perf_counter()
        for partition, expected in self._expected.items():
            self.taken += [now - at for position, at in expected if position <= positions[partition]]
            self._expected[partition] = [each for each in expected if each[0] > positions[partition]]

    async def run(self, commands: int) -> None:
        """Look until so many are there."""
        async with asyncio.timeout(SECONDS + PATIENCE):
            while len(self.taken) < commands:
                await self.look()
                await asyncio.sleep(LOOK_SECONDS)


async def evenly_spaced(act: Any) -> None:
    """Begin an action 200 times a second, whether or not those before have ended; return when all have."""
    began = time.perf_counter()
    tasks = []
    for n in range(int(RATE * SECONDS)):
        await asyncio.sleep(max(0.0, began + n / RATE - time.perf_counter()))
        tasks.append(asyncio.create_task(act(n)))
    await asyncio.gather(*tasks)


class Commands:
    """Pitches, from their answers until they are in reporting's view; a round gives the 99th percentile."""

    def __init__(self, port: int, token: str, stages: Mapping[str, Stage]) -> None:
        self._port = port
        self._token = token
        self._stages = stages
        self._idle: list[Connection] = []

    async def __call__(self) -> float:
        return p99((await self.taken("visible"))["visible"])

    async def taken(self, *stages: str) -> Mapping[str, Sequence[float]]:
        """A round: how long after its answer each pitch came to these stages, in seconds."""
        watched, run = {name: Watched(self._stages[name]) for name in stages}, new_id()

        async def pitch(n: int) -> None:
            while self._idle and not self._idle[-1].is_open:
                self._idle.pop()
            connection = self._idle.pop() if self._idle else await Connection.open(self._port)
            request = post("/pitches", self._token, BODY, f"Idempotency-Key: {run}-{n}")
            status, head, body = await connection.send(request)
            assert status == 201, body
            for each in watched.values():
                each.expect(_token_of(head))
            self._idle.append(connection)

        await asyncio.gather(evenly_spaced(pitch), *(each.run(int(RATE * SECONDS)) for each in watched.values()))
        return {name: each.taken for name, each in watched.items()}

    def close(self) -> None:
        """Close the connections."""
        for connection in self._idle:
            connection.close()


def _token_of(head: bytes) -> Token:
    name = f"\r\n{CONSISTENCY_TOKEN.lower()}: ".encode()
    at = head.lower().index(name) + len(name)
    return Token.decode(head[at:].split(b"\r\n", 1)[0].decode())


class RoundTrips:
    """Bare records, from their being sent until they are consumed."""

    def __init__(self, producer: AIOKafkaProducer, consumer: AIOKafkaConsumer) -> None:
        self._producer = producer
        self._consumer = consumer

    async def __call__(self) -> float:
        taken: list[float] = []
        count = int(RATE * SECONDS)

        async def record(n: int) -> None:
            sent = str(time.perf_counter()).encode()
            headers = [(f"ce_header{number}", b"a value of an attribute") for number in range(17)] + [("sent", sent)]
            await self._producer.send_and_wait(BARE_TOPIC, BODY, partition=n % PARTITIONS, key=b"key", headers=headers)

        async def consume() -> None:
            async with asyncio.timeout(SECONDS + PATIENCE):
                while len(taken) < count:
                    for records in (await self._consumer.getmany(timeout_ms=1000)).values():
                        now = time.perf_counter()
                        taken.extend(now - float(dict(each.headers)["sent"]) for each in records)

        await asyncio.gather(evenly_spaced(record), consume())
        return p99(taken)


async def quiet_heads(bootstrap: str) -> None:
    """The logs of the services that don't run say that they are empty."""
    for service in SERVICES:
        if service.owns_log and service.name != "intake":
            publisher = KafkaPublisher(service.name, Broker(bootstrap), 1)
            await publisher.publish_head(Head((0,), START, SystemClock().now()))
            await publisher.close()


def worker(name: str, database: ServiceDatabase, bootstrap: str, directory: Path) -> AbstractAsyncContextManager[Child]:
    """A service's worker as a process."""
    return child(
        f"{name}-worker",
        directory,
        *(f"steerco_{name}", "worker"),
        STEERCO_DATABASE_URL=database.app_url,
        STEERCO_ISSUER_KEY=str(directory / "issuer.json"),
        STEERCO_KAFKA=bootstrap,
        STEERCO_OPERATIONS_PORT="0",
        STEERCO_KAFKA_REPLICATION="1",
    )


@asynccontextmanager
async def bare(bootstrap: str) -> AsyncIterator[RoundTrips]:
    """A producer with the settings of the relay's, and a consumer with those of the feeds."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(BARE_TOPIC, PARTITIONS, 1)])
    await admin.close()
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        enable_idempotence=True,
        acks="all",
        compression_type="lz4",
        linger_ms=0,
        max_batch_size=MAX_BATCH_BYTES,
    )
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=None, enable_auto_commit=False)
    async with producer:
        await consumer.start()
        try:
            consumer.assign([TopicPartition(BARE_TOPIC, n) for n in range(PARTITIONS)])
            await consumer.seek_to_end()
            yield RoundTrips(producer, consumer)
        finally:
            await consumer.stop()


async def is_live(reporting: Any) -> bool:
    """Whether reporting's view is ready."""
    return bool(await reporting.fetchval("SELECT count(*) FROM log.builds WHERE state = 'live'"))


async def measure(servers: Servers) -> Sequence[Figure]:
    """`visible_p99_vs_roundtrip`."""
    bootstrap = servers.kafka.bootstrap
    issuer = Issuer.generate()
    token = issuer.token(OFFICER, SystemClock().now(), timedelta(hours=1))
    async with AsyncExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="steerco-bench-")))
        databases = await stack.enter_async_context(servers.postgres.databases("intake", "portfolio", "reporting"))
        await prepare({name: databases[name] for name in ("intake", "portfolio")}, issuer)
        await migrate(REPORTING.migrations, databases["reporting"].owner_url)
        await create_topics(Broker(bootstrap), [each.name for each in SERVICES if each.owns_log], replication=1)
        await quiet_heads(bootstrap)
        reporting = await asyncpg.connect(asyncpg_dsn(databases["reporting"].app_url))
        stack.push_async_callback(reporting.close)
        port = await stack.enter_async_context(intake_api(databases["intake"], issuer, directory))
        for name in ("intake", "reporting"):
            await stack.enter_async_context(worker(name, databases[name], bootstrap, directory))
        async with asyncio.timeout(PATIENCE):
            while not await is_live(reporting):
                await asyncio.sleep(0.05)
        intake = [await asyncpg.connect(asyncpg_dsn(databases["intake"].owner_url)) for _ in range(2)]
        for connection in intake:
            stack.push_async_callback(connection.close)
        stages = {
            "sealed": Stage(intake[0], SEALED),
            "published": Stage(intake[1], PUBLISHED),
            "visible": Stage(reporting, VISIBLE),
        }
        commands = Commands(port, token, stages)
        stack.callback(commands.close)
        found = await paired(commands, await stack.enter_async_context(bare(bootstrap)), rounds=5)
        parts = {"visible": 1000 * found.ours, "round trip": 1000 * found.theirs}
        figure = Figure("visible_p99_vs_roundtrip", found.ratio, 4, "lower", parts, "ms, 99th percentile at 200/s")
        if not figure.is_met:
            taken = await commands.taken(*stages)
            lines = [_in_round_trips(name, taken[name], found.theirs) for name in stages]
            figure = replace(figure, profile=lines)
    return [figure]


def _in_round_trips(stage: str, taken: Sequence[float], round_trip: float) -> str:
    half, most = (quantiles(taken, n=100)[n] / round_trip for n in (49, 98))
    return f"{stage:<9} half of them after {half:5.1f} round trips, 99 % after {most:5.1f}"
