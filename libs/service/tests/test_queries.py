"""What every query of every service does at the edge."""

import json
from base64 import urlsafe_b64encode
from datetime import timedelta

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, OKPKey

from steerco_events.clock import SystemClock
from steerco_events.ids import new_id
from steerco_events.positions import Token
from steerco_service import consistency
from steerco_service.identity.issuer import ISSUER, Issuer
from steerco_service.testkit.serving import TESTER, Served


async def test_a_list_is_paged_by_link(shelf: httpx.AsyncClient) -> None:
    token = ""
    for n in range(5):
        token = (await shelf.post("/things", json={"name": f"Page {n}"})).headers["Consistency-Token"]
    whole = (await shelf.get("/things?limit=500", headers={"Consistency-Token": token})).json()
    paged: list[object] = []
    url = "/things?limit=2"
    while url:
        answer = await shelf.get(url)
        assert len(answer.json()) <= 2
        paged += answer.json()
        url = answer.links.get("next", {}).get("url", "")
    assert paged == whole


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=501", "limit=x", "after=%21", "after=", "after=AA", "after=YR9i", "is_open=perhaps"]
)
async def test_a_bad_page_or_filter_is_refused(shelf: httpx.AsyncClient, query: str) -> None:
    assert (await shelf.get(f"/things?{query}")).status_code in (400, 422)


async def test_a_token_of_the_future_is_answered_by_projection_behind(
    shelf: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consistency, "WAIT_SECONDS", 0.1)
    token = Token({"risk": (1, {3: 10**9})}).encode()
    for answer in (
        await shelf.get("/things", headers={"Consistency-Token": token}),
        await shelf.post("/things", json={"name": "Lamp"}, headers={"Consistency-Token": token}),
    ):
        assert (answer.status_code, answer.json()["type"]) == (503, "urn:steerco:problem:projection-behind")
        assert answer.headers["Retry-After"] == "1"


async def test_an_unknown_id_is_404(shelf: httpx.AsyncClient) -> None:
    assert (await shelf.get(f"/things/{new_id()}")).json()["type"] == "urn:steerco:problem:thing-unknown"


def _claims(**changes: object) -> dict[str, object]:
    now = int(SystemClock().now().timestamp())
    return {
        "iss": ISSUER,
        "aud": "steerco",
        "sub": str(TESTER.actor.id),
        "job_title": "PMO officer",
        "groups": ["testers"],
        "iat": now,
        "exp": now + 60,
    } | changes


def _unsigned() -> str:
    parts = ({"alg": "none"}, _claims())
    return ".".join(urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts) + "."


async def test_only_a_token_of_the_issuer_is_let_in(served: Served, shelf: httpx.AsyncClient) -> None:
    key = OKPKey.import_key(served.issuer.private())
    now = SystemClock().now()

    def signed(**changes: object) -> str:
        return jwt.encode({"alg": "Ed25519"}, _claims(**changes), key, algorithms=["Ed25519"])

    public = json.dumps(served.issuer.public()).encode()
    bad = {
        "none": "",
        "another scheme": f"Basic {signed()}",
        "garbage": "Bearer x.y.z",
        "expired": f"Bearer {served.issuer.token(TESTER, now - timedelta(days=2), timedelta(days=1))}",
        "another issuer": f"Bearer {Issuer.generate().token(TESTER, now, timedelta(hours=1))}",
        "wrong issuer": f"Bearer {signed(iss='urn:else')}",
        "wrong audience": f"Bearer {signed(aud='else')}",
        "no subject": f"Bearer {signed(sub='')}",
        "unsigned": f"Bearer {_unsigned()}",
        "signed with the public key": f"Bearer {jwt.encode({'alg': 'HS256'}, _claims(), OctKey.import_key(public))}",
    }
    assert (await shelf.get("/things", headers={"Authorization": f"Bearer {signed()}"})).status_code == 200
    for what, header in bad.items():
        answer = await shelf.get("/things", headers={"Authorization": header})
        assert (what, answer.status_code) == (what, 401)
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert ('error="invalid_token"' in answer.headers["WWW-Authenticate"]) is header.startswith("Bearer ")


async def test_health_and_docs_need_no_token(served: Served) -> None:
    transport = httpx.ASGITransport(served.apps["risk"])
    async with httpx.AsyncClient(transport=transport, base_url="http://risk") as anyone:
        assert (await anyone.get("/livez")).status_code == 204
        assert (await anyone.get("/readyz")).json()["ready"] is True
        assert (await anyone.get("/startupz")).status_code == 200
        docs = (await anyone.get("/docs")).text
        assert "https://" not in docs
        assert (await anyone.get("/openapi.json")).json()["info"]["title"] == "Shelf"


@pytest.mark.parametrize(
    ("query", "code", "said"),
    [
        ("is_opne=true", "unknown-parameter", "there is no parameter 'is_opne'; there is after, is_open, limit"),
        ("limit=1&limit=2", "repeated-parameter", "limit is given 2 times; once is the most"),
        ("a~/b=1", "unknown-parameter", "there is no parameter 'a~/b'"),
    ],
)
async def test_a_parameter_that_nobody_knows_is_refused_and_not_ignored(
    shelf: httpx.AsyncClient, query: str, code: str, said: str
) -> None:
    answer = await shelf.get(f"/things?{query}")
    assert (answer.status_code, answer.json()["type"]) == (422, f"urn:steerco:problem:{code}")
    assert answer.json()["detail"].startswith(said)


async def test_a_command_and_a_probe_have_no_parameters(shelf: httpx.AsyncClient) -> None:
    for answer in (await shelf.post("/things?x=1", json={"name": "Chair"}), await shelf.get("/livez?x=1")):
        assert answer.json()["detail"] == "there is no parameter 'x'; there is none"


async def test_head_is_answered_where_get_is(shelf: httpx.AsyncClient) -> None:
    for path in ("/things?limit=1", "/livez", f"/things/{new_id()}", "/things?limit=0"):
        assert (await shelf.head(path)).status_code == (await shelf.get(path)).status_code
    assert (await shelf.head("/things/x/closure")).status_code == 405


async def test_a_method_that_an_address_does_not_take_is_refused_by_those_that_it_does(
    shelf: httpx.AsyncClient,
) -> None:
    for method in ("PATCH", "OPTIONS", "TRACE"):
        answer = await shelf.request(method, "/things")
        assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, HEAD, POST")
        assert answer.json()["type"] == "urn:steerco:problem:method-not-allowed"
