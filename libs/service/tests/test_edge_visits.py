"""How much a client may ask: requests over time and streams at once, of an address until it is known who asks."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from steerco_events.ids import derived_id, new_id
from steerco_service.edge.buckets import Rate
from steerco_service.edge.front import Edge
from steerco_service.edge.visits import LimitedVisits, Streams, Visits, visit_of
from steerco_service.testkit.answering import answering, asking
from steerco_service.testkit.listening import listening
from steerco_service.testkit.serving import TESTER, Served

ANN, BOB = ({"Authorization": str(derived_id("person", name))} for name in ("Ann", "Bob"))
NOBODY = {"Authorization": "nobody"}
THREE = Rate(per_second=0.5, at_once=3)
NO_TOKEN = "each address without a valid token may send 3 requests at once and 0.5 a second over time"
TOO_MUCH = "each person or machine may send 3 requests at once and 0.5 a second over time"


class Time:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def limited(rate: Rate, time: Time | None = None, streams: Streams | None = None) -> LimitedVisits:
    return LimitedVisits(answering(), Visits(rate, streams or Streams(), time or Time()))


def refusal(answer: httpx.Response) -> tuple[int, str, str, str]:
    """Status, code, words, and when to ask again."""
    problem = answer.json()
    code = problem["type"].removeprefix("urn:steerco:problem:")
    return answer.status_code, code, problem["detail"], answer.headers["Retry-After"]


async def statuses(client: httpx.AsyncClient, headers: dict[str, str], number: int, path: str = "/thing") -> list[int]:
    return [(await client.get(path, headers=headers)).status_code for _ in range(number)]


async def test_who_asks_too_much_is_told_the_limit_and_when_to_ask_again() -> None:
    time = Time()
    async with asking(limited(THREE, time)) as client:
        assert await statuses(client, ANN, 3) == [200] * 3
        assert refusal(await client.get("/thing", headers=ANN)) == (429, "too-many-requests", TOO_MUCH, "2")
        time.seconds += 2
        assert await statuses(client, ANN, 2) == [200, 429]


async def test_others_do_not_wait_for_them_not_even_at_the_same_address() -> None:
    async with asking(limited(THREE)) as client:
        assert await statuses(client, ANN, 9) == [200] * 3 + [429] * 6
        assert await statuses(client, BOB, 3) == [200] * 3
        assert await statuses(client, {}, 3) == [200] * 3


async def test_many_clients_each_have_their_own() -> None:
    async with asking(limited(THREE)) as client:
        for _ in range(300):
            assert await statuses(client, {"Authorization": str(new_id())}, 3) == [200] * 3


async def test_another_address_is_no_other_client() -> None:
    app = limited(THREE)
    for address in ("192.0.2.1", "192.0.2.2", "192.0.2.3"):
        async with asking(app, client=address) as client:
            assert await statuses(client, ANN, 1) == [200]
    async with asking(app, client="192.0.2.4") as client:
        assert await statuses(client, ANN, 1) == [429]


@pytest.mark.parametrize(("headers", "status"), [({}, 200), (NOBODY, 401)])
async def test_an_address_without_a_valid_token_asks_no_more_either(headers: dict[str, str], status: int) -> None:
    app = limited(THREE)
    async with asking(app) as client:
        assert await statuses(client, headers, 3) == [status] * 3
        assert refusal(await client.get("/thing", headers=headers)) == (429, "too-many-requests", NO_TOKEN, "2")
    async with asking(app, client="192.0.2.8") as other:
        assert await statuses(other, headers, 1) == [status]


@pytest.mark.parametrize(
    ("other", "status"), [("2001:db8::2", 429), ("2001:db8:0:1::1", 200), ("192.0.2.7", 200), ("::ffff:192.0.2.7", 200)]
)
async def test_the_addresses_of_an_ipv6_network_are_one_client(other: str, status: int) -> None:
    app = limited(THREE)
    async with asking(app, client="2001:db8::1") as client:
        assert await statuses(client, {}, 3) == [200] * 3
    async with asking(app, client=other) as client:
        assert await statuses(client, {}, 1) == [status]


async def test_one_address_may_be_written_in_two_ways() -> None:
    app = limited(THREE)
    for address, status in (("192.0.2.7", 200), ("::ffff:192.0.2.7", 429)):
        async with asking(app, client=address) as client:
            assert await statuses(client, {}, 3) == [status] * 3


async def test_by_default_an_import_is_not_hindered() -> None:
    async with asking(Edge().before(answering())) as client:
        assert set(await statuses(client, ANN, 2000)) == {200}


async def test_a_batch_counts_once_however_many_commands_it_holds(served: Served, shelf: httpx.AsyncClient) -> None:
    commands = [{"path": "/things", "body": {"name": "Lamp"}}] * 50
    async with asking(Edge(rate=replace(THREE, per_second=0.001)).before(served.apps["risk"])) as client:
        client.headers = shelf.headers
        for _ in range(3):
            answer = await client.post("/batch", json={"commands": commands})
            assert [each["status"] for each in answer.json()["answers"]] == [201] * 50
        answer = await client.post("/batch", json={"commands": commands})
        assert refusal(answer)[:2] == (429, "too-many-requests")


async def until_there_is_room(client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    async with asyncio.timeout(30):
        while True:
            async with client.stream("GET", "/events", headers=headers) as answer:
                if answer.status_code == 200:
                    return


async def test_streams_are_counted_for_each_and_for_all_until_they_are_cut_off() -> None:
    app = limited(Rate(), streams=Streams(each=2, all=3))
    too_many = "each person or machine may read 2 event streams at once"
    far_too_many = "all clients of this process together may read 3 event streams at once"
    async with (
        listening(app) as server,
        httpx.AsyncClient(base_url=server.url) as client,
        AsyncExitStack() as standing,
    ):

        async def begins(headers: dict[str, str]) -> httpx.Response:
            answer = await standing.enter_async_context(client.stream("GET", "/events", headers=headers))
            if answer.status_code != 200:
                await answer.aread()
            return answer

        for _ in range(2):
            assert (await begins(ANN)).status_code == 200
        assert refusal(await begins(ANN)) == (429, "too-many-streams", too_many, "10")
        first = await begins(BOB)
        assert first.status_code == 200
        assert refusal(await begins(BOB)) == (429, "too-many-streams", far_too_many, "10")
        assert await statuses(client, ANN, 5) == [200] * 5
        await first.aclose()
        await until_there_is_room(client, BOB)


async def test_a_stream_that_fails_at_once_is_over() -> None:
    async def failing(scope: Scope, receive: Receive, send: Send) -> None:
        visit = visit_of(scope)
        assert visit
        visit.is_of(TESTER)
        visit.begin_stream()
        raise RuntimeError("a fault of ours")

    async with asking(LimitedVisits(failing, Visits(Rate(), Streams(each=1, all=1), Time()))) as client:
        assert await statuses(client, {}, 3) == [500] * 3
