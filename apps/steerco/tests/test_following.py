"""Following streams: whatever breaks in between, each event is told once and in order."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steerco.client import CommandFailed
from steerco.edition.mounting import parent_app
from steerco.edition.services import SERVICES
from steerco.following import Block, Blocks, Following, Question
from steerco_events.clock import ShiftedClock, SystemClock
from steerco_events.contracts.catalog import LOGS
from steerco_events.contracts.risk import RiskClosed
from steerco_events.ids import derived_id
from steerco_servers.testing import TemporaryPostgres
from steerco_service.access.access import STALE_AFTER
from steerco_service.edge.front import Edge
from steerco_service.edge.visits import Streams
from steerco_service.factory import create_app
from steerco_service.identity.authenticator import LEEWAY
from steerco_service.testkit.listening import listening
from steerco_service.testkit.serving import TESTER, Served, log_only, serving

RISK = derived_id("risk", 1)
CLOSED = "steerco.risk.risk-closed"
PATIENCE = 60

STREAM = (
    "retry: 1000\nid: 1.0\n\n: alive\n\nid: 1.7\n\n"
    "id: 1.8\nevent: a.b\ndata: {\ndata:  «\u2028»}\n\ndata\n\nid: 1.9\ndata: cut"
)
BLOCKS = [
    Block("1.0", "message", None),
    Block(None, "message", None),
    Block("1.7", "message", None),
    Block("1.8", "a.b", "{\n «\u2028»}"),
    Block(None, "message", ""),
]


@given(st.sampled_from(["\n", "\r\n", "\r"]), st.lists(st.integers(0, 200)))
def test_a_stream_is_taken_apart_however_its_lines_end_and_its_chunks_fall(end: str, cuts: Sequence[int]) -> None:
    stream = STREAM.replace("\n", end).encode()
    places = [0, *sorted(cuts), len(stream)]
    blocks = Blocks()
    assert [block for a, b in pairwise(places) for block in blocks.of(stream[a:b])] == BLOCKS


def test_every_log_that_there_is_can_be_watched() -> None:
    assert [service.name for service in SERVICES if service.owns_log] == list(LOGS)


@dataclass
class Cutter:
    """A TCP proxy that cuts each connection after some bytes of the answer, anywhere."""

    target: int
    chance: random.Random
    cuts: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind, to_behind = await asyncio.open_connection("127.0.0.1", self.target)
        upward = asyncio.create_task(self._carry(reader, to_behind, None))
        downward = asyncio.create_task(self._carry(behind, writer, self.chance.randint(50, 6000)))
        await asyncio.wait((upward, downward), return_when=asyncio.FIRST_COMPLETED)
        self.cuts += downward.done()
        for carrying, end in ((upward, to_behind), (downward, writer)):
            carrying.cancel()
            end.transport.abort()
        await asyncio.gather(upward, downward, return_exceptions=True)

    @staticmethod
    async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, left: int | None) -> None:
        while left is None or left > 0:
            chunk = (await reader.read(1000))[:left]
            if not chunk:
                return
            writer.write(chunk)
            left = None if left is None else left - len(chunk)
            await writer.drain()


@asynccontextmanager
async def cutting(target: int, seed: int) -> AsyncIterator[tuple[str, Cutter]]:
    cutter = Cutter(target, random.Random(seed))
    async with await asyncio.start_server(cutter.serve, "127.0.0.1") as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", cutter


@pytest.fixture(scope="module")
async def served(postgres: TemporaryPostgres) -> AsyncIterator[Served]:
    async with serving([log_only("risk"), log_only("training")], postgres) as services:
        yield services


@dataclass
class Told:
    """What was told, by service, and how often the connection was said to be broken."""

    events: dict[str, list[Any]]
    broken: int = 0

    def tell(self, text: str) -> None:
        event = json.loads(text)
        self.events.setdefault(event["source"].removeprefix("urn:steerco:"), []).append(event)

    def say_broken(self) -> None:
        self.broken += 1

    async def until(self, service: str, count: int) -> None:
        async with asyncio.timeout(PATIENCE):
            while len(self.events.get(service, [])) < count:
                await asyncio.sleep(0.01)

    async def until_broken(self) -> None:
        async with asyncio.timeout(PATIENCE):
            while not self.broken:
                await asyncio.sleep(0.01)


def bearer(served: Served, lasts: timedelta = timedelta(hours=1)) -> Mapping[str, str]:
    return {"Authorization": f"Bearer {served.issuer.token(TESTER, SystemClock().now(), lasts)}"}


@asynccontextmanager
async def following(
    url: str, headers: Mapping[str, str], *questions: Question, then: Mapping[str, str] | None = None
) -> AsyncIterator[Told]:
    """`then`: what else says who follows, once a token has ended."""
    told = Told({})
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=PATIENCE) as http:
        task = asyncio.create_task(Following(http, told.tell, told.say_broken, lambda: then or headers).run(questions))
        try:
            yield told
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def write(served: Served, service: str, count: int) -> None:
    for n in range(count):
        await served.append(service, f"risk-{n % 5}", RiskClosed(risk_id=RISK, project_id=RISK), reason="Ü" * 40)


async def log_of(served: Served, service: str, after: str = "0") -> Sequence[Any]:
    await served.settled()
    client = await served.client(service)
    events: Sequence[Any] = (await client.get("/events", params={"limit": "1000", "after": after})).json()
    return events


@pytest.mark.parametrize("seed", range(2))
async def test_connections_that_are_cut_anywhere_lose_and_repeat_nothing(served: Served, seed: int) -> None:
    before = {service: await log_of(served, service) for service in ("risk", "training")}
    async with (
        listening(parent_app(served.apps)) as server,
        cutting(int(server.url.rsplit(":", 1)[1]), seed) as (url, cutter),
        following(url, bearer(served), Question("risk", "end", {}), Question("training", "0", {})) as told,
    ):
        await told.until("training", len(before["training"]))
        while not served.apps["risk"].state.feed.head._waiting:
            await asyncio.sleep(0.01)
        await asyncio.gather(write(served, "risk", 40), write(served, "training", 20))
        logs = {service: await log_of(served, service) for service in ("risk", "training")}
        for service, begin in (("risk", len(before["risk"])), ("training", 0)):
            await told.until(service, len(logs[service]) - begin)
            assert told.events[service] == logs[service][begin:]
    assert cutter.cuts > 5
    assert told.broken >= 1


async def test_a_server_that_is_started_again_is_taken_up_where_it_stopped(served: Served) -> None:
    app = parent_app(served.apps)
    async with listening(app) as first, following(first.url, bearer(served), Question("risk", "0", {})) as told:
        await told.until("risk", len(await log_of(served, "risk")))
        await first.stop()
        await write(served, "risk", 5)
        async with listening(app, int(first.url.rsplit(":", 1)[1])):
            await write(served, "risk", 5)
            log = await log_of(served, "risk")
            await told.until("risk", len(log))
            assert told.events["risk"] == log
            assert told.broken == 1


async def test_what_the_filters_let_through_is_all_that_is_told(served: Served) -> None:
    await write(served, "risk", 3)
    async with listening(parent_app(served.apps)) as server:
        filters = {"type": [CLOSED], "unit": [str(derived_id("unit", 1)), str(derived_id("unit", 2))]}
        async with following(server.url, bearer(served), Question("risk", "end", filters)) as told:
            while not served.apps["risk"].state.feed.head._waiting:
                await asyncio.sleep(0.01)
            await write(served, "risk", 3)
            stamped = RiskClosed(risk_id=RISK, project_id=RISK)
            await served.append("risk", "risk-stamped", stamped, units=(derived_id("unit", 2),))
            await told.until("risk", 1)
    assert [event["subject"] for event in told.events["risk"]] == ["risk-stamped"]


@pytest.mark.parametrize(
    ("question", "lasts", "said"),
    [
        (Question("risk", "nonsense", {}), timedelta(hours=1), "after: a cursor is"),
        (Question("risk", "0", {"type": ["steerco.risk.none"]}), timedelta(hours=1), "has no event type"),
        (Question("risk", "0", {}), timedelta(hours=-1), "the bearer token is not valid"),
        (Question("nothing", "0", {}), timedelta(hours=1), "Not Found"),
    ],
)
async def test_a_service_that_will_not_answer_is_not_asked_again(
    served: Served, question: Question, lasts: timedelta, said: str
) -> None:
    async with (
        listening(parent_app(served.apps)) as server,
        httpx.AsyncClient(base_url=server.url, headers=bearer(served, lasts)) as http,
    ):
        told, again = Told({}), bearer(served, lasts)
        following = Following(http, told.tell, told.say_broken, lambda: again)
        with pytest.raises(CommandFailed, match=said):
            await following.run([Question("training", "end", {}), question])
    assert told.broken == 0


async def test_when_the_token_ends_the_next_one_goes_on_where_it_ended(served: Served) -> None:
    ending = bearer(served, timedelta(seconds=3) - LEEWAY)
    async with listening(parent_app(served.apps)) as server, httpx.AsyncClient(base_url=server.url) as http:
        questions = [Question("risk", "0", {}), Question("training", "end", {})]
        async with following(server.url, ending, *questions, then=bearer(served)) as told:
            async with asyncio.timeout(PATIENCE):
                while (await http.get("/risk/events?limit=1", headers=ending)).status_code != httpx.codes.UNAUTHORIZED:
                    await asyncio.sleep(0.05)
            await write(served, "risk", 5)
            log = await log_of(served, "risk")
            await told.until("risk", len(log))
            assert (told.events["risk"], told.broken) == (log, 0)


async def test_a_stream_that_ends_since_too_little_is_known_is_taken_up_again(served: Served) -> None:
    clock = ShiftedClock(SystemClock())
    apps = {**served.apps, "risk": create_app(replace(served.runtime("risk"), clock=clock, stale_after=STALE_AFTER))}
    async with (
        listening(parent_app(apps)) as server,
        following(server.url, bearer(served), Question("risk", "0", {})) as told,
    ):
        before = len(await log_of(served, "risk"))
        await told.until("risk", before)
        clock.set(SystemClock().now() + 2 * STALE_AFTER)
        await told.until_broken()
        clock.set(SystemClock().now())
        await write(served, "risk", 3)
        await told.until("risk", before + 3)


async def test_who_reads_too_many_streams_goes_on_once_there_are_fewer(served: Served) -> None:
    app = Edge(streams=Streams(each=1)).before(parent_app(served.apps))
    async with listening(app) as server, AsyncExitStack() as first:
        told = await first.enter_async_context(following(server.url, bearer(served), Question("risk", "0", {})))
        await told.until("risk", len(await log_of(served, "risk")))
        async with following(server.url, bearer(served), Question("training", "0", {})) as second:
            await second.until_broken()
            await first.aclose()
            await second.until("training", len(await log_of(served, "training")))
