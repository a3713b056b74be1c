"""What `steerco audit` asks, and what it makes of the answers of all services."""

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from steerco.cli import app
from steerco.client import Address, Client
from steerco.commands import audit
from steerco_events.ids import derived_id

HERE = Address("http://127.0.0.1:1", "token")
PERSON, COMMAND, UNIT = (str(derived_id(name)) for name in ("person", "command", "unit"))


def event(service: str, at: str, **more: object) -> dict[str, Any]:
    return {
        "event_id": PERSON,
        "recorded_at": f"2026-04-01T{at}Z",
        "sealed_at": f"2026-04-01T{at}Z",
        "valid_at": None,
        "type": f"steerco.{service}.something-done",
        "subject": f"{service}-stream",
        "stream_version": 1,
        "actor_id": PERSON,
        "actor_title": "Auditor",
        "on_behalf_of": None,
        "client": "steerco",
        "reason": None,
        "units": [UNIT],
        "correlation_id": COMMAND,
        "causation_id": COMMAND,
        "traceparent": None,
    } | more


def access(at: str, **more: object) -> dict[str, Any]:
    return {
        "at": f"2026-04-01T{at}Z",
        "actor_id": PERSON,
        "client": "steerco",
        "address": "192.0.2.77",
        "method": "GET",
        "operation": "one_learner",
        "path": f"/learners/{PERSON}",
        "subject": PERSON,
        "status": 200,
        "is_sensitive": True,
        "traceparent": None,
    } | more


class Edition:
    """Services with some rows each, two on a page."""

    def __init__(self, **rows: Sequence[Mapping[str, Any]]) -> None:
        self.rows = rows
        self.asked: list[tuple[str, dict[str, str]]] = []

    def answer(self, request: httpx.Request) -> httpx.Response:
        path, params = request.url.path, dict(request.url.params)
        if path == "/portfolio/units":
            return httpx.Response(200, json=[{"unit_id": UNIT, "code": "COR-it"}])
        _, service, _ = path.split("/")
        first = int(params.pop("after", 0))
        params.pop("limit", None)
        self.asked.append((path, params))
        rows = self.rows.get(service, [])
        following = f'<{path}?after={first + 2}>; rel="next"'
        headers = {"Link": following} if len(rows) > first + 2 else {}
        return httpx.Response(200, json=rows[first : first + 2], headers=headers)


type Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command against an edition; its exit status and what it said."""

    def invoke(edition: Edition, *arguments: str) -> tuple[int, str]:
        @contextmanager
        def connected() -> Iterator[Client]:
            with httpx.Client(base_url=HERE.url, transport=httpx.MockTransport(edition.answer)) as http:
                yield Client(HERE, http)

        monkeypatch.setattr(audit, "connected", connected)
        done = CliRunner().invoke(app, ["audit", *arguments], env={"COLUMNS": "140"})
        return done.exit_code, done.output

    return invoke


def several() -> Edition:
    """Half a second stands between some, and one instant has no fraction."""
    return Edition(
        risk=[event("risk", f"10:00:0{n}") for n in (5, 3, 1)],
        finance=[event("finance", "10:00:03.500000"), event("finance", "10:00:02")],
    )


def test_what_was_done_anywhere_is_one_list_the_newest_first(run: Run) -> None:
    code, said = run(several(), "--csv", "-")
    assert code == 0
    assert [(row["service"], row["sealed_at"][17:19]) for row in csv.DictReader(said.splitlines())] == [
        ("risk", "05"),
        ("finance", "03"),
        ("risk", "03"),
        ("finance", "02"),
        ("risk", "01"),
    ]


def test_a_table_says_when_where_what_to_what_by_whom_and_why(run: Run) -> None:
    edition = Edition(risk=[event("risk", "10:00:05.123456", reason="[bold]as agreed")])
    code, said = run(edition)
    assert code == 0
    for each in ("2026-04-01 10:00:05", "something done", "risk-stream", "Auditor", PERSON, "[bold]as agreed"):
        assert each in said
    assert [path for path, _ in edition.asked] == [
        f"/{service}/audit" for service in ("intake", "portfolio", "finance", "risk", "training")
    ]


def test_of_many_a_table_shows_as_many_as_are_asked_for(run: Run) -> None:
    code, said = run(several(), "--limit", "2")
    assert (code, said.count("something done")) == (0, 2)


def test_what_is_asked_for_is_asked_of_the_services_it_can_be_of(run: Run) -> None:
    edition = several()
    kind = "steerco.risk.something-done"
    given = ("--type", kind, "--unit", "cor-IT", "--actor", PERSON, "--command", COMMAND, "--subject", "risk-stream")
    assert run(edition, *given, "--from", "2026-04-01", "--until", "2026-04-02")[0] == 0
    assert edition.asked[0] == (
        "/risk/audit",
        {
            "type": kind,
            "unit_id": UNIT,
            "actor": PERSON,
            "command": COMMAND,
            "subject": "risk-stream",
            "from": "2026-04-01T00:00:00+00:00",
            "until": "2026-04-02T23:59:59.999999+00:00",
        },
    )
    assert {path for path, _ in edition.asked} == {"/risk/audit"}


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--unit", "COR-ti"], "no unit has the code 'COR-ti'; there is COR-it"),
        (["--type", "steerco.reporting.read"], "'steerco.reporting.read' is no event type of"),
        (["--service", "reporting"], "there is no log of 'reporting'"),
        (["--from", "soon"], "--from 'soon' is no instant"),
        (["accesses", "--service", "vault"], "there is no service 'vault'"),
        (["--csv", "/nowhere/at/all.csv"], "/nowhere/at/all.csv can't be written: No such file or directory"),
    ],
)
def test_what_can_t_be_asked_is_said_in_a_line(run: Run, arguments: Sequence[str], why: str) -> None:
    code, said = run(several(), *arguments)
    assert code == 1
    assert said.startswith(f"steerco: {why}")
    assert said.count("\n") == 1


def test_a_file_has_everything_and_no_formula(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "audit.csv"
    edition = Edition(risk=[event("risk", f"10:00:{n:02}", reason="=1+1") for n in range(59, 0, -1)])
    assert run(edition, "--csv", str(file)) == (0, "")
    with file.open() as lines:
        rows = list(csv.DictReader(lines))
    assert (len(rows), rows[0]["service"], rows[0]["reason"], rows[0]["units"]) == (59, "risk", "'=1+1", UNIT)
    assert list(tmp_path.iterdir()) == [file]


def test_where_nothing_was_done_a_file_has_its_header_and_a_table_says_so(run: Run) -> None:
    assert run(Edition(), "--csv", "-")[1].startswith("service,event_id,recorded_at,")
    assert run(Edition()) == (0, "nothing is found\n")


def test_who_asked_for_what_is_listed_of_all_that_answer(run: Run) -> None:
    edition = Edition(
        training=[access("10:00:05")],
        reporting=[access("10:00:06", operation=None, path="/nothing", actor_id=None, subject=None, status=404)],
    )
    code, said = run(edition, "accesses", "--sensitive", "--actor", PERSON, "--operation", "one_learner")
    assert code == 0
    first, second = (line for line in said.splitlines() if "2026-04-01" in line)
    assert [each in first for each in ("reporting", "GET /nothing", "nobody", "192.0.2.77", "404")] == [True] * 5
    assert [each in second for each in ("training", "one_learner", "192.0.2.77", "200")] == [True] * 4
    paths = [path for path, _ in edition.asked]
    assert paths == [
        f"/{name}/accesses" for name in ("intake", "portfolio", "finance", "risk", "training", "reporting")
    ]
    assert edition.asked[0][1] == {"is_sensitive": "true", "actor": PERSON, "operation": "one_learner"}
    exported = run(edition, "accesses", "--csv", "-", "--service", "training")[1].splitlines()
    assert exported[0].startswith("service,at,actor_id,client,address,")
    assert len(exported) == 2
