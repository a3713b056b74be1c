"""What `steerco people` and `steerco privacy` send, and what they make of the answers."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from steerco.cli import app
from steerco.client import Address, Client
from steerco.commands import people
from steerco_events.ids import derived_id
from steerco_events.positions import Token

HERE = Address("http://127.0.0.1:1", "token")
PERSON = str(derived_id("person"))
UNIT = {"unit_id": str(derived_id("unit")), "code": "COR-it"}
TOKEN = {"Consistency-Token": Token().encode()}
SHOWN = {"person_id": PERSON, "unit_code": "COR-it", "name": "Ava Roos", "email": "a@b", "withheld": None}

type Run = Callable[..., tuple[int, str]]


class Edition:
    """Knows one person, and keeps what it is sent."""

    def __init__(self, *people: dict[str, Any], is_erased: bool = False) -> None:
        self.people = people
        self.is_erased = is_erased
        self.sent: list[tuple[str, str, Any]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if request.method != "GET":
            self.sent.append((request.method, path, json.loads(request.content)))
            is_new = path == "/portfolio/people"
            return httpx.Response(201 if is_new else 204, json={"id": PERSON} if is_new else None, headers=TOKEN)
        answers = {
            "/portfolio/units": [UNIT],
            "/reporting/people": list(self.people),
            f"/portfolio/people/{PERSON}": {"is_erased": self.is_erased},
        }
        return httpx.Response(200, json=answers.get(path, {}))


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command against an edition; its exit code and what it said."""

    def running(edition: Edition, *arguments: str, answer: str = "") -> tuple[int, str]:
        @contextmanager
        def connected() -> Iterator[Client]:
            http = httpx.Client(transport=httpx.MockTransport(edition), base_url=HERE.url)
            yield Client(HERE, http)

        monkeypatch.setattr(people, "connected", connected)
        done = CliRunner().invoke(app, list(arguments), input=answer, env={"COLUMNS": "140"})
        return done.exit_code, done.output

    return running


def test_people_are_listed_with_name_unit_and_address_or_why_not(run: Run) -> None:
    erased = SHOWN | {"name": None, "email": None, "withheld": "erased"}
    code, said = run(Edition(SHOWN, erased), "people", "list", "--at", "COR")
    assert code == 0
    for shown in ("Ava Roos", "COR-it", "a@b", PERSON, "erased"):
        assert shown in said
    assert run(Edition(), "people", "list") == (0, "nobody is registered\n")
    code, said = run(Edition(SHOWN), "people", "list", "--format", "json")
    assert json.loads(said) == [SHOWN]


def test_a_person_is_registered_corrected_and_moved(run: Run) -> None:
    edition = Edition()
    registered = run(edition, "people", "register", "Ava Roos", "--unit", "cor-it", "--email", "a@b", "--id", PERSON)
    assert registered == (0, f"{PERSON} is Ava Roos of cor-it\n")
    assert run(edition, "people", "correct", PERSON, "Ava") == (0, f"{PERSON} is Ava\n")
    assert run(edition, "people", "move", PERSON, "--unit", "COR-it") == (0, f"{PERSON} is of COR-it\n")
    body = {"name": "Ava Roos", "email": "a@b", "unit_id": UNIT["unit_id"], "person_id": PERSON}
    assert edition.sent == [
        ("POST", "/portfolio/people", body),
        ("PUT", f"/portfolio/people/{PERSON}", {"name": "Ava", "email": None}),
        ("PUT", f"/portfolio/people/{PERSON}/unit", {"unit_id": UNIT["unit_id"]}),
    ]


def test_nobody_is_forgotten_by_mistake(run: Run) -> None:
    edition = Edition()
    code, said = run(edition, "privacy", "erase", PERSON, "--reason", "Asked for it", answer="n\n")
    assert (code, edition.sent) == (1, [])
    assert "nothing was erased" in said
    code, said = run(edition, "privacy", "erase", PERSON, "--reason", "Asked for it", answer="y\n")
    assert (code, f"{PERSON} is erased" in said) == (0, True)
    assert edition.sent == [("POST", f"/portfolio/people/{PERSON}/erasure", {"reason": "Asked for it"})]
    again = run(Edition(is_erased=True), "privacy", "erase", PERSON, "--reason", "Asked for it")
    assert again == (0, f"{PERSON} is erased already\n")
    assert run(edition, "privacy", "erase", PERSON)[0] == 2
