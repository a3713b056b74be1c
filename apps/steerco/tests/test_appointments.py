"""What `steerco appoint` and `steerco appointments` send, and what they make of the answers."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from steerco.cli import app
from steerco.client import Address, Client
from steerco.commands import appointments
from steerco_events.clock import SystemClock
from steerco_events.ids import derived_id
from steerco_events.positions import Token

HERE = Address("http://127.0.0.1:1", "token")
PERSON, DEPUTY, ID, NEW = (str(derived_id(name)) for name in ("person", "deputy", "appointment", "new appointment"))
UNIT = {"unit_id": str(derived_id("unit")), "code": "COR-it"}
PROJECT = {"project_id": str(derived_id("project")), "code": "COR-01"}
TOKEN = {"Consistency-Token": Token().encode()}


def held(**more: object) -> dict[str, Any]:
    return {
        "appointment_id": ID,
        "person_id": PERSON,
        "name": None,
        "role": "pmo_officer",
        "unit_code": "COR-it",
        "project_code": None,
        "from_on": "2026-04-01",
        "until_on": None,
        "delegated_from": None,
        "in_force": True,
        "ended_on": None,
        "reason": None,
    } | more


class Edition:
    """Portfolio with one unit and one project, and reporting with some appointments."""

    def __init__(self, *listed: dict[str, Any]) -> None:
        self.listed = listed
        self.sent: list[tuple[str, Any]] = []
        self.asked: list[dict[str, str]] = []

    def answer(self, request: httpx.Request) -> httpx.Response:
        path, params = request.url.path, dict(request.url.params)
        if request.method == "POST":
            self.sent.append((path, json.loads(request.content)))
            if path.startswith(f"/portfolio/appointments/{PERSON}"):
                return httpx.Response(404, json={"detail": "no appointment has this id"})
            return httpx.Response(201, json={"id": NEW}, headers=TOKEN)
        match path:
            case "/portfolio/units":
                return httpx.Response(200, json=[UNIT])
            case "/portfolio/projects":
                return httpx.Response(200, json=[PROJECT] if params["code"] == PROJECT["code"] else [])
            case "/reporting/appointments":
                self.asked.append(params)
                return httpx.Response(200, json=self.listed)
            case _:
                return httpx.Response(200, json=held(appointment_id=NEW, role="sponsor"))


type Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command against an edition; its exit status and what it said."""

    def invoke(edition: Edition, *arguments: str) -> tuple[int, str]:
        @contextmanager
        def connected() -> Iterator[Client]:
            with httpx.Client(base_url=HERE.url, transport=httpx.MockTransport(edition.answer)) as http:
                yield Client(HERE, http)

        monkeypatch.setattr(appointments, "connected", connected)
        done = CliRunner().invoke(app, arguments, env={"COLUMNS": "140"})
        return done.exit_code, done.output

    return invoke


@pytest.mark.parametrize(
    ("at", "place"),
    [
        ("cor-IT", {"unit_id": UNIT["unit_id"]}),
        ("COR-01", {"project_id": PROJECT["project_id"]}),
        ("Enterprise", {}),
    ],
)
def test_a_person_is_appointed_at_a_unit_at_a_project_or_in_the_enterprise(
    run: Run, at: str, place: dict[str, str]
) -> None:
    edition = Edition()
    days = ("--from", "2026-04-01", "--until", "2026-09-30")
    assert run(edition, "appoint", PERSON, "PMO-officer", "--at", at, *days) == (
        0,
        f"{PERSON} is PMO officer at {at} from 2026-04-01 until 2026-09-30: appointment {NEW}\n",
    )
    term = {"from_on": "2026-04-01", "until_on": "2026-09-30"}
    body = {"person_id": PERSON, "role": "pmo_officer"} | term | place
    assert edition.sent == [("/portfolio/appointments", body)]


def test_without_days_an_appointment_holds_from_today_without_an_end(run: Run) -> None:
    edition, today = Edition(), SystemClock().now().date()
    code, said = run(edition, "appoint", PERSON, "auditor", "--at", "enterprise")
    (_, body) = edition.sent[0]
    assert body["from_on"] in {str(today), str(today + timedelta(days=1))}
    assert (code, body["until_on"], "until" in said) == (0, None, False)


def test_a_place_that_is_not_there_is_named(run: Run) -> None:
    edition = Edition()
    code, said = run(edition, "appoint", PERSON, "auditor", "--at", "COR-ti")
    assert (code, said, edition.sent) == (1, "steerco: no unit has the code 'COR-ti'; there is COR-it\n", [])


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["Ms. Weber", "auditor", "--at", "LIC"], "UUID"),
        ([PERSON, "boss", "--at", "LIC"], "there is pmo_admin, pmo_officer"),
        ([PERSON, "auditor"], "--at"),
        ([PERSON, "auditor", "--at", "LIC", "--from", "soon"], "write 2026-03-31"),
        ([PERSON, "auditor", "--at", "LIC", "--until", "2026-02-30"], "write 2026-03-31"),
    ],
)
def test_what_can_not_be_read_is_refused_before_anything_is_sent(run: Run, arguments: list[str], expected: str) -> None:
    edition = Edition()
    code, said = run(edition, "appoint", *arguments)
    assert (code, expected in said, edition.sent) == (2, True, [])


def test_a_list_shows_who_where_until_when(run: Run) -> None:
    everybody = [
        held(),
        held(project_code="COR-01", role="sponsor", until_on="2026-09-30"),
        held(unit_code=None, role="auditor", delegated_from=ID, ended_on="2026-05-04", until_on="2026-05-31"),
    ]
    code, said = run(Edition(*everybody), "appointments", "list", "--all")
    assert code == 0
    for shown in ("PMO officer", "COR-it", "COR-01", "2026-09-30", "enterprise", "stands in, ended", "2026-05-04"):
        assert shown in said
    assert "2026-05-31" not in said
    assert (said.count(PERSON), said.count(ID)) == (3, 3)


def test_a_list_is_of_what_is_asked_for(run: Run) -> None:
    edition = Edition()
    assert run(edition, "appointments", "list") == (0, "nobody is appointed\n")
    more = ("--at", "SUP", "--person", PERSON, "--all", "--as-of", "2026-01-31T12:00:00Z")
    assert run(edition, "appointments", "list", *more)[0] == 0
    everything = {"scope": "SUP", "person_id": PERSON, "ever": "true", "as_of": "2026-01-31T12:00:00+00:00"}
    assert edition.asked == [{"scope": "enterprise", "limit": "500"}, everything | {"limit": "500"}]


def test_as_json_a_list_has_what_reporting_answered(run: Run) -> None:
    code, said = run(Edition(held()), "appointments", "list", "--format", "json")
    assert (code, json.loads(said)) == (0, [held()])


def test_an_instant_that_is_none_is_one_clear_line(run: Run) -> None:
    code, said = run(Edition(), "appointments", "list", "--as-of", "soon")
    assert (code, said.startswith("steerco: --as-of 'soon' is no instant")) == (1, True)


def test_another_person_stands_in_until_a_day(run: Run) -> None:
    edition = Edition()
    days = ("--from", "2026-08-03", "--until", "2026-08-21")
    assert run(edition, "appointments", "delegate", ID, DEPUTY, *days) == (
        0,
        f"{DEPUTY} stands in as sponsor from 2026-08-03 until 2026-08-21: appointment {NEW}\n",
    )
    body = {"person_id": DEPUTY, "from_on": "2026-08-03", "until_on": "2026-08-21"}
    assert edition.sent == [(f"/portfolio/appointments/{ID}/delegations", body)]
    code, said = run(edition, "appointments", "delegate", ID, DEPUTY)
    assert (code, "--until" in said) == (2, True)


def test_an_appointment_is_ended_with_a_reason(run: Run) -> None:
    edition = Edition()
    ended = run(edition, "appointments", "end", ID, "--reason", "Moves on")
    assert ended == (0, f"appointment {ID} is ended\n")
    assert edition.sent == [(f"/portfolio/appointments/{ID}/end", {"reason": "Moves on"})]
    code, said = run(edition, "appointments", "end", ID)
    assert (code, "--reason" in said) == (2, True)


@pytest.mark.parametrize(
    "arguments", [["end", PERSON, "--reason", "x"], ["delegate", PERSON, DEPUTY, "--until", "2026-08-21"]]
)
def test_an_appointment_that_is_not_there_is_one_clear_line(run: Run, arguments: list[str]) -> None:
    assert run(Edition(), "appointments", *arguments) == (1, "steerco: no appointment has this id\n")
