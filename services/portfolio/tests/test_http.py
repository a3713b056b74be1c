"""The organization and its projects over HTTP, against a real database."""

import httpx
import pytest

from steerco_events.ids import derived_id, new_id

ROOT, MARKETS, LICENSING = (derived_id("unit", code) for code in ("COM", "MKT", "LIC"))
NOBODY = derived_id("nobody")


def project(**changes: object) -> dict[str, object]:
    return {
        "code": f"P-{new_id().hex[-8:]}",
        "title": "Renewal of the call center",
        "unit_id": str(LICENSING),
        "currency": "EUR",
        "source": "register",
        "reference": "7",
    } | changes


async def registered(portfolio: httpx.AsyncClient, **changes: object) -> str:
    answer = await portfolio.post("/projects", json=project(**changes))
    assert answer.status_code == 201, answer.text
    location: str = answer.headers["Location"]
    return location


async def test_a_project_is_registered_and_read(portfolio: httpx.AsyncClient) -> None:
    location = await registered(portfolio, start={"on": "2026-02-01"}, end={"on": "2026-01-01"})
    answer = (await portfolio.get(location)).json()
    assert (answer["state"], answer["contradictory_dates"], answer["source"]) == ("executing", True, "register")


async def test_what_happens_to_a_project_is_in_its_answer_and_in_the_list(portfolio: httpx.AsyncClient) -> None:
    location = await registered(portfolio, code="ALL-1")
    steps = [
        ("PUT", "title", {"title": "Contact center"}),
        ("PUT", "dates", {"start": {"on": "2026-04-01"}, "end": {"said": "After the election"}}),
        ("POST", "assessments", {"assessor": "sponsor", "rating": "green"}),
        ("POST", "assessments", {"assessor": "independent review", "rating": "red", "evidence": "Two gates missed."}),
        ("POST", "manager", {"person_id": str(new_id()), "job_title": "Project manager", "from_on": "2026-05-01"}),
        ("POST", "move", {"unit_id": str(MARKETS), "reason": "They will run it"}),
        ("POST", "transition", {"to": "on_hold", "reason": "No staff"}),
        ("POST", "transition", {"to": "resumed"}),
        ("POST", "transition", {"to": "closing"}),
    ]
    token = ""
    for method, what, body in steps:
        answer = await portfolio.request(method, f"{location}/{what}", json=body)
        assert answer.status_code == 204, answer.text
        token = answer.headers["Consistency-Token"]
    one = await portfolio.get(location)
    listed = await portfolio.get("/projects", params={"code": "ALL-1"}, headers={"Consistency-Token": token})
    (row,) = listed.json()
    assert one.json().items() >= row.items()
    assert one.headers["ETag"] == '"10"'
    assert {
        "title": "Contact center",
        "unit_id": str(MARKETS),
        "state": "closing",
        "end": {"kind": "undisclosed", "on": None, "said": "After the election"},
    }.items() <= one.json().items()
    assert [each["rating"] for each in one.json()["assessments"]] == ["red", "green"]


async def test_a_code_is_used_once_in_the_enterprise_whatever_its_case(portfolio: httpx.AsyncClient) -> None:
    await registered(portfolio, code="ONE-1")
    refused = await portfolio.post("/projects", json=project(code="one-1", unit_id=str(MARKETS)))
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:steerco:problem:project-code-in-use")
    assert refused.json()["errors"][0]["pointer"] == "/code"


async def test_units_are_listed_with_the_model_in_force(portfolio: httpx.AsyncClient) -> None:
    chosen = {"pmo_model": "coach", "effective_on": "2020-01-01"}
    answer = await portfolio.post(f"/units/{LICENSING}/pmo-model", json=chosen)
    below = {"code": "LIC-ops", "name": "Operations", "kind": "department", "parent_id": str(LICENSING)}
    opened = await portfolio.post("/units", json=below)
    later = await portfolio.post(
        f"/units/{opened.json()['id']}/pmo-model", json={"pmo_model": "enterprise", "effective_on": "2999-01-01"}
    )
    headers = {"Consistency-Token": later.headers["Consistency-Token"]}
    listed = {unit["code"]: unit["pmo_model"] for unit in (await portfolio.get("/units", headers=headers)).json()}
    assert {"COM": "repository", "LIC": "coach", "LIC-ops": "coach"}.items() <= listed.items()
    one = await portfolio.get(opened.headers["Location"])
    assert (one.json()["code"], one.json()["parent_id"]) == ("LIC-ops", str(LICENSING))
    assert int(one.headers["ETag"].strip('"')) > int(answer.headers["ETag"].strip('"'))


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("POST", "/projects", project(unit_id=str(NOBODY)), 422, "no-such-unit"),
        ("POST", "/projects", project(code="white space"), 422, "invalid-request"),
        ("POST", "/projects", project(code="x" * 61), 422, "invalid-request"),
        ("POST", "/projects", project(title="x" * 201), 422, "invalid-request"),
        ("POST", "/projects", project(title="a\u0007b"), 422, "invalid-request"),
        ("POST", "/projects", project(currency="EURO"), 422, "invalid-request"),
        ("POST", "/projects", project(currency="ZZZ"), 422, "invalid-request"),
        ("POST", "/projects", project(state="waiting"), 422, "invalid-request"),
        ("POST", "/projects", project(start={"on": "2026-02-30"}), 422, "invalid-request"),
        ("POST", "/projects", project(start={"on": "2026-02-01", "said": "soon"}), 422, "invalid-request"),
        ("POST", "/projects", project(colour="red"), 422, "invalid-request"),
        ("PUT", f"/projects/{derived_id('nobody')}/title", {"title": "x"}, 404, "unknown-project"),
        ("PUT", "/projects/7/title", {"title": "x"}, 422, "invalid-request"),
        (
            "POST",
            f"/projects/{derived_id('nobody')}/assessments",
            {"assessor": "x", "rating": "blue"},
            422,
            "invalid-request",
        ),
        (
            "POST",
            f"/projects/{derived_id('nobody')}/assessments",
            {"assessor": "x", "rating": "undisclosed"},
            422,
            "invalid-request",
        ),
        (
            "POST",
            f"/projects/{derived_id('nobody')}/assessments",
            {"assessor": "x", "rating": "red", "said": "Exempt"},
            422,
            "invalid-request",
        ),
        (
            "POST",
            f"/projects/{derived_id('nobody')}/assessments",
            {"assessor": "x", "rating": "red", "evidence": "x" * 10_001},
            422,
            "invalid-request",
        ),
        ("POST", "/units", {"code": "X", "name": "X", "kind": "team"}, 422, "invalid-request"),
        ("POST", "/units", {"code": "X", "name": "X", "kind": "enterprise"}, 409, "second-enterprise"),
        ("POST", "/units", {"code": "X", "name": "X", "kind": "department"}, 422, "unknown-parent"),
        ("POST", f"/units/{derived_id('nobody')}/closure", {"reason": "none"}, 404, "unknown-unit"),
        ("POST", f"/units/{ROOT}/move", {"parent_id": str(MARKETS), "reason": "none"}, 409, "enterprise-stays"),
    ],
)
async def test_bad_input_has_its_own_refusal(
    portfolio: httpx.AsyncClient, method: str, path: str, body: object, status: int, code: str
) -> None:
    answer = await portfolio.request(method, path, json=body)
    assert (answer.status_code, answer.json()["type"]) == (status, f"urn:steerco:problem:{code}"), answer.text
