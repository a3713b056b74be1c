"""Scripts of other sites may ask only where their origin is named, and read what front ends need."""

import httpx
import pytest

from steerco_service.edge.buckets import Rate
from steerco_service.edge.front import Edge
from steerco_service.edge.origins import ALLOWED, EXPOSED, is_origin
from steerco_service.testkit.answering import answering, asking

PMO = "https://pmo.example"


def preflight(client: httpx.AsyncClient, origin: str, method: str = "POST", headers: str = "") -> httpx.Request:
    asked = {"Origin": origin, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": headers}
    return client.build_request("OPTIONS", "/things", headers=asked)


def told(answer: httpx.Response) -> list[str]:
    return [name for name in answer.headers if name.startswith("access-control-")]


async def test_by_default_no_site_is_told_anything() -> None:
    async with asking(Edge().before(answering())) as client:
        assert not told(await client.get("/thing", headers={"Origin": PMO}))
        answer = await client.send(preflight(client, PMO))
        assert (answer.status_code, told(answer)) == (405, [])


async def test_a_named_origin_may_send_and_read_what_front_ends_need() -> None:
    async with asking(Edge(origins=(PMO, "http://localhost:3000")).before(answering())) as client:
        for origin in (PMO, "http://localhost:3000"):
            for method in ("DELETE", "GET", "POST", "PUT"):
                answer = await client.send(preflight(client, origin, method, ", ".join(ALLOWED)))
                assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (200, origin)
                assert "Access-Control-Allow-Credentials" not in answer.headers
            answer = await client.get("/thing", headers={"Origin": origin})
            assert answer.headers["Access-Control-Allow-Origin"] == origin
            assert answer.headers["Access-Control-Expose-Headers"].split(", ") == list(EXPOSED)
            assert "Origin" in answer.headers["Vary"]


@pytest.mark.parametrize("origin", ["https://pmo.example:8443", "http://pmo.example", "https://evil.example", "null"])
async def test_another_origin_is_refused(origin: str) -> None:
    async with asking(Edge(origins=(PMO,)).before(answering())) as client:
        for answer in (
            await client.send(preflight(client, origin)),
            await client.get("/thing", headers={"Origin": origin}),
        ):
            assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize(("method", "headers"), [("PATCH", ""), ("POST", "Cookie"), ("POST", "X-Else")])
async def test_a_named_origin_may_send_nothing_else(method: str, headers: str) -> None:
    async with asking(Edge(origins=(PMO,)).before(answering())) as client:
        assert (await client.send(preflight(client, PMO, method, headers))).status_code == 400


async def test_a_script_can_read_why_it_was_refused() -> None:
    edge = Edge(origins=(PMO,), rate=Rate(1, 3))
    async with asking(edge.before(answering())) as client:
        answers = [
            await client.get(path, headers={"Origin": PMO}) for path in ("/nothing", "/fault", "/thing", "/thing")
        ]
    assert [answer.status_code for answer in answers] == [404, 500, 200, 429]
    assert {answer.headers["Access-Control-Allow-Origin"] for answer in answers} == {PMO}
    assert "Retry-After" in answers[-1].headers["Access-Control-Expose-Headers"]


async def test_who_sends_no_origin_is_answered_as_ever() -> None:
    async with asking(Edge(origins=(PMO,)).before(answering())) as client:
        answer = await client.get("/thing")
        assert (answer.status_code, told(answer)) == (200, [])


@pytest.mark.parametrize("text", [PMO, "http://localhost:3000", "http://127.0.0.1", "https://[2001:db8::1]:8443"])
def test_an_origin_is_taken_as_browsers_say_it(text: str) -> None:
    assert is_origin(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", "*", "null", "pmo.example", "https://", "https://*.example", "ftp://pmo.example"),
        *(f"{PMO}/", f"{PMO}/a", f"{PMO}:443", f"{PMO}:x", f"{PMO}?", "https://a@pmo.example", "HTTPS://pmo.example"),
        *("https://PMO.example", "https://pmö.example", "http://pmo.example:80", " https://pmo.example"),
    ],
)
def test_anything_else_is_no_origin(text: str) -> None:
    assert not is_origin(text)
