"""A request that is too large is refused as soon as that is known, with the limit; one that is not is taken whole."""

from collections.abc import AsyncIterator, Mapping

import httpx
import pytest
from starlette.types import Message, Receive, Scope, Send

from steerco_service.edge.front import Edge
from steerco_service.edge.sizes import Sizes
from steerco_service.testkit.answering import answering, asking
from steerco_service.testkit.serving import Served

SMALL = Edge(sizes=Sizes(head=2000, headers=20, body=1000, batch=5000))


def refusal(answer: httpx.Response) -> tuple[int, str, str]:
    """Status, code and words."""
    problem = answer.json()
    assert answer.headers["Content-Type"] == "application/problem+json"
    return answer.status_code, problem["type"].removeprefix("urn:steerco:problem:"), problem["detail"]


async def in_pieces(size: int) -> AsyncIterator[bytes]:
    """A body that does not say its length."""
    for _ in range(size // 100):
        yield b" " * 100


@pytest.mark.parametrize(("path", "limit", "what"), [("/things", 1000, "a body"), ("/batch", 5000, "a batch")])
async def test_a_body_has_a_limit_and_a_batch_another(path: str, limit: int, what: str) -> None:
    expected = (413, "body-too-large", f"{what} has at most {limit} bytes")
    async with asking(SMALL.before(answering())) as client:
        for body in (b" " * limit, in_pieces(limit)):
            assert (await client.post(path, content=body)).json() == {"size": limit}
        for body in (b" " * (limit + 1), in_pieces(limit + 100)):
            assert refusal(await client.post(path, content=body)) == expected


async def test_a_body_without_an_end_is_refused_before_it_comes_to_one() -> None:
    pieces = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal pieces
        while True:
            pieces += 1
            yield b" " * 100

    async with asking(SMALL.before(answering())) as client:
        assert refusal(await client.post("/things", content=endless()))[0] == 413
    assert pieces <= 12


@pytest.mark.parametrize("said", ["10", "0", "-1", "ten", ""])
async def test_what_a_body_says_of_its_length_does_not_count(said: str) -> None:
    async with asking(SMALL.before(answering())) as client:
        answer = await client.post("/things", content=in_pieces(1100), headers={"Content-Length": said})
        assert refusal(answer)[:2] == (413, "body-too-large")


async def test_a_body_that_says_it_is_too_large_is_not_waited_for() -> None:
    pieces = 0

    async def noted() -> AsyncIterator[bytes]:
        nonlocal pieces
        pieces += 1
        yield b" " * 1001

    async with asking(SMALL.before(answering())) as client:
        answer = await client.post("/things", content=noted(), headers={"Content-Length": "1001"})
        assert refusal(answer)[:2] == (413, "body-too-large")
    assert pieces == 0


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer nobody"}])
@pytest.mark.parametrize("path", ["/things", "/batch"])
async def test_nothing_is_read_of_the_body_of_who_has_no_valid_token(
    served: Served, path: str, headers: Mapping[str, str]
) -> None:
    pieces = 0

    async def noted() -> AsyncIterator[bytes]:
        nonlocal pieces
        pieces += 1
        yield b" " * 100

    async with asking(SMALL.before(served.apps["risk"])) as client:
        answer = await client.post(path, content=noted(), headers=headers)
    assert refusal(answer)[:2] == (401, "unauthorized")
    assert "WWW-Authenticate" in answer.headers
    assert pieces == 0


@pytest.mark.parametrize(("length", "expected"), [(100, 201), (1000, 413)])
async def test_a_command_of_a_batch_has_the_limit_of_one_alone(
    served: Served, shelf: httpx.AsyncClient, length: int, expected: int
) -> None:
    commands = [{"path": "/things", "body": {"name": "x" * length}}, {"path": "/things", "body": {"name": "Lamp"}}]
    async with asking(SMALL.before(served.apps["risk"])) as client:
        answer = await client.post("/batch", json={"commands": commands}, headers=shelf.headers)
    first, second = answer.json()["answers"]
    assert (first["status"], second["status"]) == (expected, 201)
    if expected == 413:
        assert first["body"]["type"] == "urn:steerco:problem:body-too-large"
        assert first["body"]["detail"] == "a body has at most 1000 bytes"


HEAD = (431, "head-too-large", "the address and the headers of a request have at most 2000 bytes")


@pytest.mark.parametrize(
    ("path", "headers"), [("/thing", {"Reason": "x" * 2000}), (f"/thing?unit={'x' * 2000}", {}), (f"/{'x' * 2000}", {})]
)
async def test_a_head_has_a_limit_wherever_it_is_long(path: str, headers: Mapping[str, str]) -> None:
    async with asking(SMALL.before(answering())) as client:
        assert refusal(await client.get(path, headers=headers)) == HEAD
        assert (await client.get(f"/thing?unit={'x' * 800}", headers={"Reason": "x" * 800})).status_code == 200


async def test_headers_are_numbered() -> None:
    async with asking(SMALL.before(answering())) as client:
        usual = len(client.headers) + 1
        fits = {f"X-{number}": "" for number in range(20 - usual)}
        assert (await client.get("/thing", headers=fits)).status_code == 200
        answer = await client.get("/thing", headers=fits | {"X-Else": ""})
        assert refusal(answer) == (431, "too-many-headers", "a request has at most 20 headers")


async def test_by_default_a_thousand_units_can_be_filtered_by() -> None:
    units = "&".join(f"unit={'0' * 36}" for _ in range(1000))
    async with asking(Edge().before(answering())) as client:
        assert (await client.get(f"/thing?{units}", headers={"Authorization": "0" * 32})).status_code == 200


async def test_what_is_no_request_passes() -> None:
    passed: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        passed.append(scope)

    async def receive() -> Message:
        return {"type": "lifespan.startup"}

    async def send(message: Message) -> None:
        passed.append(message)

    await SMALL.before(app)({"type": "lifespan"}, receive, send)
    assert passed == [{"type": "lifespan"}]
