"""People over HTTP: shown with their keys to those who may see it, and to nobody once they were erased."""

import base64
from collections.abc import Sequence
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from steerco_events.envelope import Actor
from steerco_events.ids import derived_id, new_id
from steerco_service.identity.principal import Principal
from steerco_service.testkit.serving import Served

LIC, MKT = derived_id("unit", "LIC"), derived_id("unit", "MKT")
ADA = {"name": "Ada Byron-Lovelace", "email": "ada.byron@commission.example"}


@pytest.fixture
async def ada(portfolio: httpx.AsyncClient) -> str:
    """Somebody of LIC."""
    answer = await portfolio.post("/people", json=ADA | {"unit_id": str(LIC)})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def somebody(served: Served, portfolio: httpx.AsyncClient, role: str, unit_id: UUID) -> httpx.AsyncClient:
    """A client of a person with a role at a unit."""
    person_id = new_id()
    body = {"person_id": str(person_id), "role": role, "unit_id": str(unit_id), "from_on": "2026-01-01"}
    answer = await portfolio.post("/appointments", json=body)
    assert answer.status_code == 201, answer.text
    client = await served.client("portfolio", Principal(Actor(person_id, role), "tests"))
    client.headers["Consistency-Token"] = answer.headers["Consistency-Token"]
    return client


async def stored(served: Served) -> bytes:
    """All that portfolio's databases have of people."""
    runtime = served.runtime("portfolio")
    assert runtime.key_database
    found = b""
    for engine in (runtime.engine, runtime.key_database.engine):
        async with engine.connect() as connection:
            tables = await connection.execute(
                text(
                    "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables"
                    " WHERE schemaname IN ('log', 'views', 'privacy')"
                )
            )
            for table in tables.scalars().all():
                rows = await connection.execute(text(f"SELECT t::text FROM {table} t"))
                found += "\n".join(rows.scalars().all()).encode()
                data = await connection.execute(
                    text("SELECT data FROM log.events UNION ALL SELECT data FROM log.parked_events")
                    if "events" in table
                    else text("SELECT ''::bytea")
                )
                found += b"".join(map(bytes, data.scalars().all()))
    return found


async def test_a_person_is_shown_with_name_and_address(portfolio: httpx.AsyncClient, ada: str) -> None:
    answer = await portfolio.get(f"/people/{ada}")
    assert answer.headers["ETag"] == '"1"'
    person = {"person_id": ada, "unit_id": str(LIC), "withheld": None, "is_erased": False}
    shown = answer.json()
    assert shown.pop("actions")
    assert shown == person | ADA


async def test_registering_twice_says_nothing_new(portfolio: httpx.AsyncClient, ada: str) -> None:
    body = ADA | {"unit_id": str(LIC), "person_id": ada}
    again = await portfolio.post("/people", json=body)
    assert (again.status_code, again.headers["ETag"]) == (201, '"1"')
    other = await portfolio.post("/people", json=body | {"name": "Somebody else"})
    assert (other.status_code, other.json()["type"]) == (409, "urn:steerco:problem:person-already-registered")


@pytest.mark.parametrize(
    ("field", "value"), [("name", ""), ("name", "\u0000"), ("email", "no address"), ("email", "a@b@c"), ("unit", "x")]
)
async def test_what_is_no_person_is_refused_by_field(portfolio: httpx.AsyncClient, field: str, value: str) -> None:
    answer = await portfolio.post("/people", json=ADA | {"unit_id": str(LIC)} | {field: value})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, f"/{field}")


async def test_an_address_that_is_left_out_is_no_more(portfolio: httpx.AsyncClient, ada: str) -> None:
    answer = await portfolio.put(f"/people/{ada}", json={"name": "Ada King"})
    assert answer.status_code == 204
    shown = (await portfolio.get(f"/people/{ada}")).json()
    assert (shown["name"], shown["email"]) == ("Ada King", None)


async def test_a_person_who_moves_is_there_for_the_new_unit(
    served: Served, portfolio: httpx.AsyncClient, ada: str
) -> None:
    officer = await somebody(served, portfolio, "pmo_officer", MKT)
    assert (await officer.get(f"/people/{ada}")).status_code == 404
    assert (await officer.put(f"/people/{ada}", json=ADA)).status_code == 404
    moved = await portfolio.put(f"/people/{ada}/unit", json={"unit_id": str(MKT)})
    officer.headers["Consistency-Token"] = moved.headers["Consistency-Token"]
    assert (await officer.get(f"/people/{ada}")).json()["name"] == ADA["name"]
    found = await listed(officer)
    assert ada in [each["person_id"] for each in found]
    assert {each["unit_id"] for each in found if each["name"]} == {str(MKT)}


async def listed(client: httpx.AsyncClient) -> Sequence[dict[str, str]]:
    answer = await client.get("/people?limit=500")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, str]] = answer.json()
    return found


@pytest.mark.parametrize("role", ["viewer", "contributor", "integration"])
async def test_who_may_not_see_personal_fields_gets_the_record_without(
    served: Served, portfolio: httpx.AsyncClient, ada: str, role: str
) -> None:
    reader = await somebody(served, portfolio, role, LIC)
    token = (await portfolio.put(f"/people/{ada}", json={"name": "Ada King"})).headers["Consistency-Token"]
    reader.headers["Consistency-Token"] = token
    for shown in (
        (await reader.get(f"/people/{ada}")).json(),
        *[p for p in await listed(reader) if p["person_id"] == ada],
    ):
        assert (shown["name"], shown["email"], shown["withheld"]) == (None, None, "not permitted")


async def test_everybody_sees_who_they_are(served: Served, portfolio: httpx.AsyncClient, ada: str) -> None:
    body = {"person_id": ada, "role": "viewer", "unit_id": str(MKT), "from_on": "2026-01-01"}
    token = (await portfolio.post("/appointments", json=body)).headers["Consistency-Token"]
    herself = await served.client("portfolio", Principal(Actor(UUID(ada), "analyst"), "tests"))
    herself.headers["Consistency-Token"] = token
    assert (await herself.get(f"/people/{ada}")).json()["name"] == ADA["name"]


async def test_only_who_administers_the_whole_erases(served: Served, portfolio: httpx.AsyncClient, ada: str) -> None:
    for role in ("pmo_officer", "pmo_admin"):
        officer = await somebody(served, portfolio, role, LIC)
        answer = await officer.post(f"/people/{ada}/erasure", json={"reason": "Asked for it"})
        assert answer.status_code == 403
    assert (await portfolio.get(f"/people/{ada}")).json()["name"] == ADA["name"]


async def test_who_was_erased_is_nowhere(served: Served, portfolio: httpx.AsyncClient, ada: str) -> None:
    await portfolio.put(f"/people/{ada}", json=ADA | {"name": "Ada King"})
    await served.settled()
    for _ in range(2):
        answer = await portfolio.post(f"/people/{ada}/erasure", json={"reason": "Asked for it"})
        assert (answer.status_code, answer.headers["ETag"]) == (204, '"3"')
    await served.settled()
    gone = {"name": None, "email": None, "withheld": "erased", "is_erased": True}
    shown = (await portfolio.get(f"/people/{ada}")).json()
    assert not any(each["is_allowed"] for each in shown.pop("actions"))
    assert shown == gone | {"person_id": ada, "unit_id": str(LIC)}
    keys = served.runtime("portfolio").key_database
    assert keys
    assert await keys.find([UUID(ada)]) == {}
    everything = await stored(served)
    assert ada.encode() in everything
    for said in ("Ada Byron-Lovelace", "Ada King", "ada.byron"):
        assert said.encode() not in everything
        assert base64.b64encode(said.encode()).rstrip(b"=")[:-1] not in everything
    for command, path in (("POST", "/people"), ("PUT", f"/people/{ada}")):
        body = ADA | ({"unit_id": str(LIC), "person_id": ada} if command == "POST" else {})
        refused = await portfolio.request(command, path, json=body)
        assert (refused.status_code, refused.json()["type"]) == (409, "urn:steerco:problem:person-is-erased")


async def test_keys_are_for_the_other_services_alone(served: Served, portfolio: httpx.AsyncClient, ada: str) -> None:
    question = f"/keys?subject={ada}&subject={new_id()}"
    assert (await portfolio.get(question)).status_code == 403
    of_the_client = Principal(Actor(new_id(), "reporting"), "steerco-services")
    assert (await (await served.client("portfolio", of_the_client)).get(question)).status_code == 403
    machine = Principal(Actor(new_id(), "reporting"), "steerco-services", is_machine=True)
    answer = await (await served.client("portfolio", machine)).get(question)
    assert [each["subject"] for each in answer.json()["keys"]] == [ada]
    assert answer.headers["Cache-Control"] == "no-store"
