"""Whoever was erased is found by nobody: not in a log, a view, a parked event, a topic, a file of the server."""

import base64
import secrets
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from uuid import UUID

import httpx
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from steerco.edition.services import SERVICES
from steerco_events.clock import SystemClock
from steerco_events.envelope import Recorded
from steerco_events.ids import new_id
from steerco_events.kafka.broker import Broker
from steerco_events.kafka.publisher import KafkaPublisher
from steerco_events.kafka.topics import create_topics, events_topic
from steerco_events.ports import Cursor
from steerco_events.positions import PARTITIONS
from steerco_events.projections.model import Projection, View
from steerco_events.testkit.soundness import unsound
from steerco_portfolio.reactions.apply_erasures_on_start import apply_erasures_on_start
from steerco_servers.testing import TemporaryKafka, TemporaryPostgres
from steerco_service.access.placed import ACCESS
from steerco_service.runtime import Service
from steerco_service.testkit.serving import Served, serving

WHO = secrets.token_hex(6)
NAME, MARRIED = f"Zenobia Quill{WHO}", f"Zenobia Tarn{WHO}"
EMAIL = f"zenobia.{WHO}@commission.example"
PERSON = new_id()


def _key(event: Recorded) -> str | None:
    return event.stream if event.stream == f"person-{PERSON}" else None


@dataclass(frozen=True)
class Nothing:
    """No row ever comes of it."""

    person_id: UUID


def _upset(_: Nothing | None, event: Recorded) -> Nothing | None:
    raise ValueError(f"{event.stream} can't be digested")


UPSET = Service(
    "upset",
    "Upset",
    "Parks whatever comes of the person.",
    "steerco_service.testkit.migrations",
    (),
    View("upset", 1, ("portfolio",), (Projection("upset", Nothing, _key, _upset), *ACCESS)),
    owns_log=False,
)


@pytest.fixture(scope="module")
async def served(postgres: TemporaryPostgres) -> AsyncIterator[Served]:
    async with serving([*SERVICES, UPSET], postgres) as running:
        yield running


async def sent(client: httpx.AsyncClient, method: str, path: str, body: dict[str, str | None]) -> httpx.Response:
    answer = await client.request(method, path, json=body)
    assert answer.status_code in (201, 204), answer.text
    return answer


def engines(served: Served) -> Iterator[AsyncEngine]:
    """One for each database."""
    for runtime in served.host.runtimes.values():
        yield runtime.engine
        if runtime.key_database:
            yield runtime.key_database.engine


async def of_the_databases(served: Served) -> bytes:
    """Every row of every table, bytes as they are."""
    found = []
    for engine in engines(served):
        async with engine.connect() as connection:
            tables = await connection.execute(
                text(
                    "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables"
                    " WHERE schemaname NOT IN ('pg_catalog', 'information_schema') AND tablename <> 'alembic_version'"
                )
            )
            for table in tables.scalars().all():
                rows = await connection.execute(text(f"SELECT * FROM {table}"))
                found += [value if isinstance(value, bytes) else str(value).encode() for row in rows for value in row]
    return b"\n".join(found)


async def of_the_topic(served: Served, kafka: TemporaryKafka) -> bytes:
    """Every record of portfolio's topic, as its relay publishes the log."""
    feed, cursor = served.runtime("portfolio").open_feed("portfolio"), Cursor()
    publisher = KafkaPublisher("portfolio", Broker(kafka.bootstrap), replication=1)
    await create_topics(Broker(kafka.bootstrap), ["portfolio"], replication=1)
    try:
        while (batch := await feed.read(cursor, 1000)).events:
            await publisher.publish(batch.events)
            cursor = batch.cursor
    finally:
        await publisher.close()
        await feed.close()
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap, enable_auto_commit=False)
    await consumer.start()
    found = []
    try:
        partitions = [TopicPartition(events_topic("portfolio"), n) for n in range(PARTITIONS)]
        consumer.assign(partitions)
        await consumer.seek_to_beginning()
        ends = await consumer.end_offsets(partitions)
        while any([await consumer.position(each) < ends[each] for each in partitions]):
            for records in (await consumer.getmany(timeout_ms=1000)).values():
                found += [part for each in records for part in (each.key, each.value, *(v for _, v in each.headers))]
    finally:
        await consumer.stop()
    return b"\n".join(found)


def of_the_server(postgres: TemporaryPostgres) -> Iterator[bytes]:
    """The files of the server, with what it has written ahead; none of a server of one's own."""
    if postgres.server is None:
        return
    for file in postgres.server.files.rglob("*"):
        if file.is_file():
            yield file.read_bytes()


def written(said: str) -> set[bytes]:
    """The forms in which a text may be kept."""
    plain = said.encode()
    inner = {base64.b64encode(plain[shift:])[:-4] for shift in range(3)}
    return {plain, plain.upper(), plain.lower(), plain.hex().encode(), said.encode("utf-16-le"), *inner}


async def test_after_an_erasure_no_byte_of_the_person_is_left(
    served: Served, clients: dict[str, httpx.AsyncClient], postgres: TemporaryPostgres, kafka: TemporaryKafka
) -> None:
    portfolio, reporting = clients["portfolio"], clients["reporting"]
    root = {"unit_id": str(new_id()), "code": "COM", "name": "Commission", "kind": "enterprise"}
    await sent(portfolio, "POST", "/units", {**root})
    registered = {"person_id": str(PERSON), "unit_id": root["unit_id"], "name": NAME, "email": EMAIL}
    await sent(portfolio, "POST", "/people", {**registered})
    appointed = {"person_id": str(PERSON), "role": "sponsor", "from_on": "2026-01-01", "unit_id": root["unit_id"]}
    await sent(portfolio, "POST", "/appointments", {**appointed})
    corrected = await sent(portfolio, "PUT", f"/people/{PERSON}", {"name": MARRIED, "email": EMAIL})
    await served.settled()
    token = {"Consistency-Token": corrected.headers["Consistency-Token"]}
    (shown,) = (await reporting.get("/people", headers=token)).json()
    assert (shown["name"], shown["email"], shown["withheld"]) == (MARRIED, EMAIL, None)
    before = SystemClock().now().isoformat().replace("+00:00", "Z")
    (held,) = [each for each in (await reporting.get("/appointments")).json() if each["person_id"] == str(PERSON)]
    assert held["name"] == MARRIED

    erased = await sent(portfolio, "POST", f"/people/{PERSON}/erasure", {"reason": "Asked for it"})
    assert erased.headers["ETag"] == '"3"'
    await served.settled()

    for question in ("/people", f"/people?as_of={before}"):
        (gone,) = (await reporting.get(question)).json()
        assert (gone["name"], gone["email"], gone["withheld"]) == (None, None, "erased")
    (still,) = [each for each in (await reporting.get("/appointments")).json() if each["person_id"] == str(PERSON)]
    assert still == held | {"name": None}
    async with served.runtime("portfolio").engine.connect() as connection:
        assert await unsound(connection) == []

    places = {
        "the databases": await of_the_databases(served),
        "the topic": await of_the_topic(served, kafka),
        "the server's files": b"\n".join(of_the_server(postgres)),
    }
    for where, found in places.items():
        if found:
            assert str(PERSON).encode() in found or PERSON.bytes in found, where
        for said in (NAME, MARRIED, EMAIL, WHO):
            assert [form for form in written(said) if form in found] == [], where
    async with served.runtime("upset").engine.connect() as connection:
        parked = await connection.execute(text("SELECT count(*) FROM log.parked_events"))
        assert parked.scalar_one() == 3


async def test_the_key_is_gone_and_does_not_come_back(served: Served) -> None:
    keys = served.runtime("portfolio").key_database
    assert keys
    await apply_erasures_on_start(served.runtime("portfolio"))
    assert await keys.find([PERSON]) == {}
    assert set(await keys.erased()) == {UUID(str(PERSON))}
