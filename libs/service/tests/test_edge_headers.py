"""Every answer tells browsers to keep to what it says it is, and scripts of other sites to stay away."""

from base64 import b64encode
from hashlib import sha256

import httpx
import pytest

from steerco_service.edge.front import Edge
from steerco_service.edge.security_headers import POLICY
from steerco_service.edge.sizes import Sizes
from steerco_service.testkit.answering import OWN, answering, asking
from steerco_service.testkit.listening import listening
from steerco_service.testkit.serving import Served

EVERYWHERE = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def said(answer: httpx.Response) -> dict[str, str | None]:
    return {name: answer.headers.get(name) for name in EVERYWHERE}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/thing", 200),
        ("GET", "/nothing", 404),
        ("DELETE", "/thing", 405),
        ("POST", "/things", 413),
        ("GET", "/fault", 500),
    ],
)
async def test_every_answer_has_them_errors_and_faults_too(method: str, path: str, status: int) -> None:
    async with asking(Edge(sizes=Sizes(body=3)).before(answering())) as client:
        answer = await client.request(method, path, content=b"body" if method == "POST" else None)
        assert (answer.status_code, said(answer)) == (status, EVERYWHERE)
        assert "Strict-Transport-Security" not in answer.headers


async def test_a_stream_has_them_and_no_answer_names_the_server() -> None:
    async with (
        listening(Edge().before(answering())) as server,
        httpx.AsyncClient(base_url=server.url) as client,
        client.stream("GET", "/events") as answer,
    ):
        assert (answer.status_code, said(answer)) == (200, EVERYWHERE)
        assert "Server" not in answer.headers


async def test_what_a_route_says_itself_stays() -> None:
    async with asking(Edge().before(answering())) as client:
        assert said(await client.get("/own")) == EVERYWHERE | OWN


async def test_only_what_was_asked_for_by_https_is_to_be_asked_for_by_it_again() -> None:
    app = Edge(hsts_seconds=600).before(answering())
    async with asking(app, "https://risk") as client:
        for path in ("/thing", "/nothing", "/fault"):
            assert (await client.get(path)).headers["Strict-Transport-Security"] == "max-age=600"
    async with asking(Edge(hsts_seconds=0).before(answering()), "https://risk") as client:
        assert "Strict-Transport-Security" not in (await client.get("/thing")).headers


@pytest.mark.parametrize("page", ["/docs", "/redoc"])
async def test_a_page_loads_what_the_service_has_and_runs_its_own_script_alone(page: str) -> None:
    async with asking(Edge().before(answering())) as client:
        answer = await client.get(page)
        policy = dict(rule.split(" ", 1) for rule in answer.headers["Content-Security-Policy"].split("; "))
        for source in answer.text.split('src="')[1:] + answer.text.split('href="')[1:]:
            assert (await client.get(source.partition('"')[0])).status_code == 200
    scripts = [each.partition("</script>")[0] for each in answer.text.split("<script>")[1:]]
    hashes = [f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'" for script in scripts]
    assert policy["script-src"] == " ".join(["'self'", *hashes])
    assert (policy["default-src"], policy["connect-src"], policy["frame-ancestors"]) == ("'none'", "'self'", "'none'")
    assert (answer.headers["X-Content-Type-Options"], answer.headers["Cache-Control"]) == ("nosniff", "no-store")
    assert "https://" not in answer.text


async def test_a_service_has_its_pages(served: Served) -> None:
    async with asking(Edge().before(served.apps["risk"])) as client:
        for page in ("/docs", "/redoc", "/openapi.json"):
            assert (await client.get(page)).status_code == 200
