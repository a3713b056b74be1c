"""What `steerco log parked` asks for, and what it makes of the answers."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from steerco.cli import app
from steerco.client import Address, Client
from steerco.commands import log_parked

HERE = Address("http://127.0.0.1:1", "token")

type Answer = Callable[[httpx.Request], httpx.Response]


def state(consumer: str = "risk_v1_b1", stream: str = "risk-1", **more: object) -> dict[str, Any]:
    return {
        "consumer": consumer,
        "service": "risk",
        "stream": stream,
        "error": "ValueError: it is wrong",
        "parked_at": "2026-03-31T12:00:00Z",
        "attempts": 1,
        "tried_at": "2026-03-31T12:00:00Z",
        "events": 2,
        "first": 7,
        "last": 9,
        "asked": None,
        "asked_by": None,
        "asked_reason": None,
    } | more


def skipped(position: int, reason: str = "sent by a test system") -> dict[str, Any]:
    return {
        "skipped_for": "risk_v1",
        "service": "risk",
        "stream": "risk-1",
        "position": position,
        "consumer": "risk_v1_b1",
        "error": "ValueError: it is wrong",
        "skipped_at": "2026-03-31T12:00:00Z",
        "skipped_by": "0198c1de-1a2b-7c3d-8e4f-5a6b7c8d9e0f",
        "reason": reason,
    }


class Services:
    """Two services that answer with what is parked; what is asked of them leads to `outcome`."""

    def __init__(self, *parked: dict[str, Any]) -> None:
        self.parked = {f"/risk/log/parked/{each['consumer']}/risk/{each['stream']}": each for each in parked}
        self.asked: list[tuple[str, Any]] = []
        self.outcome: dict[str, Any] | None = None
        self.skipped: list[dict[str, Any]] = []
        self.sought: list[dict[str, str]] = []

    def answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if path.endswith("/livez"):
            return httpx.Response(204 if path in ("/risk/livez", "/finance/livez") else 404)
        if path.endswith("/log/parked"):
            found = list(self.parked.values()) if path.startswith("/risk") else []
            return httpx.Response(200, json=found)
        if path.endswith("/log/parked/skipped"):
            self.sought.append(dict(request.url.params))
            return httpx.Response(200, json=self.skipped if path.startswith("/risk") else [])
        if request.method == "POST":
            path, _, what = path.rpartition("/")
            self.asked.append((what, json.loads(request.content)))
            self.parked[path] |= {"asked": what}
            return httpx.Response(202, json=self.parked[path])
        found_there = self.parked.get(path)
        if found_there is None:
            return httpx.Response(404, json={"detail": "it is not parked"})
        answer = httpx.Response(200, json=found_there | {"waiting": []})
        if found_there["asked"]:
            del self.parked[path]
            if self.outcome:
                self.parked[path] = found_there | {"asked": None} | self.outcome
        return answer


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str]]:
    """Run a command against services; its exit status and what it said."""
    monkeypatch.setattr(log_parked, "POLL_SECONDS", 0.0)

    def invoke(services: Services, *arguments: str) -> tuple[int, str]:
        @contextmanager
        def connected() -> Iterator[Client]:
            with httpx.Client(base_url=HERE.url, transport=httpx.MockTransport(services.answer)) as http:
                yield Client(HERE, http)

        monkeypatch.setattr(log_parked, "connected", connected)
        done = CliRunner().invoke(app, ["log", "parked", *arguments], env={"COLUMNS": "140"})
        return done.exit_code, done.output

    return invoke


type Run = Callable[..., tuple[int, str]]


def test_nothing_that_is_parked_is_said_to_be_so(run: Run) -> None:
    assert run(Services(), "list") == (0, "nothing is parked\n")
    assert run(Services(), "retry", "--all") == (0, "nothing is parked\n")


def test_as_json_the_list_has_what_the_services_answered_and_which_they_were(run: Run) -> None:
    code, said = run(Services(state()), "list", "--format", "json")
    assert (code, json.loads(said)) == (0, [{"of_service": "risk"} | state()])


def test_a_list_can_be_of_one_service_and_of_one_consumer(run: Run) -> None:
    services = Services(state(), state("mirror"))
    assert run(services, "list", "--service", "finance") == (0, "nothing is parked\n")
    assert len(json.loads(run(services, "list", "--consumer", "mirror", "--format", "json")[1])) == 1
    code, said = run(services, "list", "--service", "finances")
    assert (code, "there is no service 'finances'; there is finance, risk" in said) == (1, True)


def test_a_retry_that_goes_well_ends_well(run: Run) -> None:
    services = Services(state(), state("mirror"), state(stream="risk-2"))
    code, said = run(services, "retry", "risk-1")
    assert (code, services.asked) == (0, [("retry", {}), ("retry", {})])
    assert (
        said == "risk-1 of risk for risk_v1_b1: digested, it goes on\nrisk-1 of risk for mirror: digested, it goes on\n"
    )


def test_a_retry_that_fails_says_why_and_fails(run: Run) -> None:
    services = Services(state())
    services.outcome = {"first": 8, "error": "KeyError: 'unit'"}
    code, said = run(services, "retry", "--all")
    assert code == 1
    assert "risk-1 of risk for risk_v1_b1: still parked, at position 8: KeyError: 'unit'\n" in said
    assert "1 of 1 streams are still parked" in said


def test_what_no_worker_does_is_given_up(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_parked, "PATIENCE_SECONDS", 0.0)
    code, said = run(Services(state()), "retry", "risk-1")
    assert (code, "no worker has tried it in 0 s; it stays asked for" in said) == (1, True)


@pytest.mark.parametrize("arguments", [[], ["risk-1", "--all"]])
def test_a_retry_is_of_named_streams_or_of_all(run: Run, arguments: list[str]) -> None:
    code, said = run(Services(state()), "retry", *arguments)
    assert (code, "name the streams, or say --all" in said) == (2, True)


def test_a_skip_names_the_event_that_was_seen_and_why(run: Run) -> None:
    services = Services(state())
    code, said = run(services, "skip", "risk-1", "--reason", "sent by a test system")
    assert (code, services.asked) == (0, [("skip", {"reason": "sent by a test system", "first": 7})])
    assert said == (
        "risk-1 of risk for risk_v1_b1: the event at position 7 is left out\n"
        "risk-1 of risk for risk_v1_b1: digested, it goes on\n"
    )


def test_a_skip_is_for_one_consumer(run: Run) -> None:
    services = Services(state(), state("mirror"))
    code, said = run(services, "skip", "risk-1", "--reason", "x")
    assert (code, services.asked) == (1, [])
    assert "risk-1 is parked for risk_v1_b1, mirror; name one with --consumer" in said
    assert run(services, "skip", "risk-1", "--reason", "x", "--consumer", "mirror")[0] == 0


def test_what_was_left_out_is_listed_with_who_wanted_it_so_and_why(run: Run) -> None:
    services = Services()
    assert run(services, "skipped") == (0, "nothing was left out\n")
    services.skipped = [skipped(1200), skipped(7, "[red] it is wrong")]
    code, said = run(services, "skipped", "--service", "risk")
    assert code == 0
    for shown in ("risk_v1", "risk-1", "1,200", "2026-03-31 12:00:00", "0198c1de-1a2b", "[red] it is wrong"):
        assert shown in said
    code, said = run(services, "skipped", "--consumer", "risk_v1_b1", "--limit", "2", "--format", "json")
    assert (code, json.loads(said)) == (0, [{"of_service": "risk"} | each for each in services.skipped])
    assert services.sought[-1] == {"consumer": "risk_v1_b1", "limit": "2"}
    assert run(services, "skipped", "--service", "finances")[0] == 1


@pytest.mark.parametrize("arguments", [["show", "risk-9"], ["retry", "risk-9"], ["skip", "risk-9", "--reason", "x"]])
def test_what_is_not_parked_is_said_to_be_so(run: Run, arguments: list[str]) -> None:
    code, said = run(Services(state()), *arguments)
    assert (code, "risk-9 is not parked; `steerco log parked list` shows what is" in said) == (1, True)


def test_markup_in_what_others_wrote_stays_text(run: Run) -> None:
    services = Services(state(error="ValueError: [/bold] [red]"))
    assert "[/bold] [red]" in run(services, "list")[1]
    assert "[/bold] [red]" in run(services, "show", "risk-1")[1]
