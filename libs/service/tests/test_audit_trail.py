"""What was done, by whom and why: at the scope of who asks, filtered, page by page, and exported."""

import csv
import io
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from steerco_events.contracts.portfolio import Role
from steerco_events.contracts.risk import RiskClosed
from steerco_events.ids import derived_id, new_id
from steerco_events.positions import Token
from steerco_events.postgres import trail
from steerco_servers.testing import TemporaryPostgres
from steerco_service import consistency
from steerco_service.testkit.scopes import ENTERPRISE, HARBOR, NORTH, SOUTH, appointed, made, organized, somebody
from steerco_service.testkit.serving import TESTER, Served, log_only, serving

STAMPS: Sequence[tuple[UUID, ...]] = [(NORTH,), (SOUTH,), (), (HARBOR,), (SOUTH, HARBOR), (ENTERPRISE,), (NORTH, SOUTH)]
"""Of the events risk-0, risk-1 … that are there."""

ALL = [f"risk-{n}" for n in reversed(range(len(STAMPS)))]
NORTHERN = ["risk-6", "risk-4", "risk-3", "risk-0"]
CLOSED = "steerco.risk.risk-closed"


@pytest.fixture(scope="module")
async def served(postgres: TemporaryPostgres) -> AsyncIterator[Served]:
    async with serving([log_only("risk")], postgres) as served:
        await organized(served)
        for n, units in enumerate(STAMPS):
            risk_id = derived_id("risk", n)
            closed = RiskClosed(risk_id=risk_id, project_id=risk_id)
            await served.append("risk", f"risk-{n}", closed, reason=f"because of {n}", units=units)
            await served.settled()
        yield served


@pytest.fixture
async def whole(served: Served) -> httpx.AsyncClient:
    """An administrator of the whole enterprise."""
    return await served.client("risk")


async def asked(client: httpx.AsyncClient, /, **params: str) -> Sequence[Any]:
    answer = await client.get("/audit", params=params)
    assert answer.status_code == 200, answer.text
    found: Sequence[Any] = answer.json()
    return found


def subjects(found: Sequence[Any]) -> list[str]:
    return [each["subject"] for each in found]


async def test_it_says_who_did_what_why_and_what_it_came_of(whole: httpx.AsyncClient) -> None:
    (found,) = await asked(whole, subject="risk-4")
    assert found.pop("recorded_at") <= found.pop("sealed_at")
    assert UUID(found.pop("event_id")).version == 5
    assert found.pop("correlation_id") == found.pop("causation_id")
    assert found == {
        "valid_at": None,
        "type": CLOSED,
        "subject": "risk-4",
        "stream_version": 1,
        "actor_id": str(TESTER.actor.id),
        "actor_title": "PMO officer",
        "on_behalf_of": None,
        "client": "tests",
        "reason": "because of 4",
        "units": [str(SOUTH), str(HARBOR)],
        "traceparent": None,
    }


@dataclass(frozen=True)
class Grant:
    role: Role
    unit: UUID
    sees: Sequence[str]


@pytest.mark.parametrize(
    "grant",
    [
        Grant("auditor", ENTERPRISE, ALL),
        Grant("pmo_officer", NORTH, NORTHERN),
        Grant("pmo_admin", HARBOR, ["risk-4", "risk-3"]),
        Grant("auditor", SOUTH, ["risk-6", "risk-4", "risk-1"]),
    ],
    ids=lambda grant: f"{grant.role}-{len(grant.sees)}",
)
async def test_what_is_stamped_outside_of_a_scope_is_not_there(served: Served, grant: Grant) -> None:
    person = somebody()
    await appointed(served, made(person, grant.role, grant.unit))
    client = await served.client("risk", person)
    assert subjects(await asked(client)) == grant.sees
    for n, subject in enumerate(ALL):
        command = (await asked(await served.client("risk"), subject=subject))[0]["correlation_id"]
        for one in (await asked(client, subject=subject), await asked(client, command=command)):
            assert subjects(one) == ([subject] if subject in grant.sees else []), n
    exported = (await client.get("/audit", params={"format": "ndjson"})).text.splitlines()
    assert [json.loads(line)["subject"] for line in exported] == grant.sees


@pytest.mark.parametrize("role", ["viewer", "project_manager", "integration"])
async def test_who_does_not_look_after_it_is_refused(served: Served, role: Role) -> None:
    person = somebody()
    await appointed(served, made(person, role, ENTERPRISE))
    client = await served.client("risk", person)
    for path in ("/audit", "/accesses"):
        answer = await client.get(path)
        assert (answer.status_code, answer.json()["type"]) == (403, "urn:steerco:problem:forbidden")


async def test_addresses_are_for_who_looks_after_the_whole_enterprise_alone(served: Served) -> None:
    asking: Sequence[tuple[Role, UUID, int]] = (
        ("auditor", ENTERPRISE, 200),
        ("pmo_admin", ENTERPRISE, 200),
        ("pmo_officer", ENTERPRISE, 403),
        ("auditor", NORTH, 403),
        ("pmo_admin", NORTH, 403),
    )
    for role, unit, status in asking:
        person = somebody()
        await appointed(served, made(person, role, unit))
        assert (await (await served.client("risk", person)).get("/accesses")).status_code == status


@pytest.mark.parametrize(
    ("params", "found"),
    [
        ({"unit_id": str(NORTH)}, NORTHERN),
        ({"unit_id": str(SOUTH)}, ["risk-6", "risk-4", "risk-1"]),
        ({"unit_id": str(ENTERPRISE)}, [each for each in ALL if each != "risk-2"]),
        ({"unit_id": str(derived_id("nowhere"))}, []),
        ({"actor": str(TESTER.actor.id), "type": CLOSED}, ALL),
        ({"actor": str(derived_id("nobody"))}, []),
        ({"client": "importer"}, []),
        ({"client": "tests", "subject": "risk-1"}, ["risk-1"]),
        ({"command": str(derived_id("no command"))}, []),
    ],
)
async def test_a_filter_leaves_what_meets_it(
    whole: httpx.AsyncClient, params: dict[str, str], found: Sequence[str]
) -> None:
    assert subjects(await asked(whole, **params)) == found


async def test_from_and_until_are_instants_at_which_it_was_sealed(whole: httpx.AsyncClient) -> None:
    at = [each["sealed_at"] for each in await asked(whole)]
    assert subjects(await asked(whole, **{"from": at[4], "until": at[2]})) == ALL[2:5]
    after = (datetime.fromisoformat(at[0]) + timedelta(microseconds=1)).isoformat()
    assert await asked(whole, **{"from": after}) == []


async def test_a_list_goes_on_by_link_to_its_end(whole: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trail, "SCANNED_AT_MOST", 2)
    for params, expected in (({"limit": "3"}, ALL), ({"limit": "500", "unit_id": str(HARBOR)}, ["risk-4", "risk-3"])):
        found: list[str] = []
        url: str | None = str(httpx.URL("/audit", params=params))
        while url:
            answer = await whole.get(url)
            found += subjects(answer.json())
            url = answer.links.get("next", {}).get("url")
        assert found == expected


async def test_the_whole_is_exported_as_csv_in_which_nothing_is_a_formula(
    served: Served, whole: httpx.AsyncClient
) -> None:
    risk_id = new_id()
    closed = RiskClosed(risk_id=risk_id, project_id=risk_id)
    token = await served.append("risk", f"risk-{risk_id}", closed, reason='=HYPERLINK("x"), she said')
    headers = {"Accept": "text/csv, application/json;q=0.5", "Consistency-Token": token.encode()}
    answer = await whole.get("/audit", params={"limit": "1", "subject": f"risk-{risk_id}"}, headers=headers)
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    (row,) = csv.DictReader(io.StringIO(answer.text))
    assert (row["subject"], row["reason"]) == (f"risk-{risk_id}", '\'=HYPERLINK("x"), she said')
    assert (row["units"], row["valid_at"], row["stream_version"]) == ("", "", "1")
    rows = list(csv.DictReader(io.StringIO((await whole.get("/audit?format=csv&limit=1")).text)))
    assert [row["subject"] for row in rows if row["subject"] in ALL] == ALL


async def test_an_export_of_nothing_is_its_header(whole: httpx.AsyncClient) -> None:
    answer = await whole.get("/audit?format=csv&subject=nothing")
    assert answer.text.splitlines()[0].startswith("event_id,recorded_at,sealed_at")
    assert len(answer.text.splitlines()) == 1
    assert (await whole.get("/audit?format=ndjson&subject=nothing")).text == ""


async def test_it_waits_for_what_was_seen(whole: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consistency, "WAIT_SECONDS", 0.1)
    token = Token({"risk": (1, {3: 10**9})}).encode()
    answer = await whole.get("/audit", headers={"Consistency-Token": token})
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:steerco:problem:log-behind")


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("after=AA", 400),
        ("after=MS4x", 400),
        ("from=yesterday", 422),
        ("type=steerco.risk.risk-forgotten", 422),
        ("unit_id=NORTH", 422),
        ("subject=a%0ab", 422),
        ("limit=501", 422),
    ],
)
async def test_what_can_t_be_asked_is_refused(whole: httpx.AsyncClient, query: str, status: int) -> None:
    assert (await whole.get(f"/audit?{query}")).status_code == status


async def test_looking_is_recorded_too(whole: httpx.AsyncClient) -> None:
    await asked(whole, subject="risk-3")
    found = (await whole.get("/accesses", params={"operation": "audit", "limit": "1"})).json()
    assert [(each["actor_id"], each["is_sensitive"]) for each in found] == [(str(TESTER.actor.id), True)]
