"""What `steerco log restored` and `steerco log accept-loss` ask for, and what they say."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest
from typer.testing import CliRunner

from steerco.cli import app
from steerco.client import Address, Client
from steerco.commands import log

HERE = Address("http://127.0.0.1:1", "token")
REACTION = "charter_project_on_pitch_approved"

type Run = Callable[..., tuple[int, str]]


@pytest.fixture
def asked() -> list[tuple[str, str, object]]:
    """What was asked of the services: method, path and body."""
    return []


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, asked: list[tuple[str, str, object]]) -> Run:
    """Run a command against services that give an answer; its exit status and what it said."""

    def invoke(answer: httpx.Response, *arguments: str) -> tuple[int, str]:
        def answered(request: httpx.Request) -> httpx.Response:
            asked.append((request.method, request.url.raw_path.decode(), json.loads(request.content)))
            return answer

        @contextmanager
        def connected() -> Iterator[Client]:
            with httpx.Client(base_url=HERE.url, transport=httpx.MockTransport(answered)) as http:
                yield Client(HERE, http)

        monkeypatch.setattr(log, "connected", connected)
        done = CliRunner().invoke(app, ["log", *arguments], env={"COLUMNS": "140"})
        return done.exit_code, done.output

    return invoke


def test_a_restore_is_said_to_the_service_whose_database_it_was(run: Run, asked: list[tuple[str, str, object]]) -> None:
    generations = [{"generation": 1, "from_position": 0}, {"generation": 2, "from_position": 2400}]
    done = run(httpx.Response(200, json={"generations": generations}), "restored", "risk")
    assert done == (0, "risk: generation 2 begins after position 2,400; who read further stops and says so\n")
    assert asked == [("POST", "/risk/log/restored", {})]


def test_a_loss_is_accepted_with_its_reason(run: Run, asked: list[tuple[str, str, object]]) -> None:
    loss = {"reaction": REACTION, "service": "intake", "kept": 2400, "generation": 2}
    done = run(httpx.Response(200, json=loss), "accept-loss", "portfolio", REACTION, "--reason", "The disk was lost")
    assert done == (
        0,
        f"{REACTION} goes on after position 2,400 of intake in generation 2; what it did because of what is lost"
        " stays done\n",
    )
    assert asked == [
        ("POST", f"/portfolio/log/reactions/{REACTION}/accept-loss", {"reason": "The disk was lost"}),
    ]


def test_that_nothing_was_lost_is_said_and_fails(run: Run) -> None:
    refused = httpx.Response(409, json={"detail": f"{REACTION} did not stop for a restore of intake"})
    code, said = run(refused, "accept-loss", "portfolio", REACTION, "--reason", "x")
    assert (code, f"{REACTION} did not stop for a restore of intake" in said) == (1, True)


def test_a_reaction_of_any_name_stays_one_part_of_the_path(run: Run, asked: list[tuple[str, str, object]]) -> None:
    run(httpx.Response(404, json={"detail": "there is none"}), "accept-loss", "portfolio", "a/../b", "--reason", "x")
    assert asked[0][1] == "/portfolio/log/reactions/a%2F%2E%2E%2Fb/accept-loss"


@pytest.mark.parametrize("arguments", [["restored"], ["accept-loss"]])
def test_a_service_without_a_log_is_not_asked(
    run: Run, asked: list[tuple[str, str, object]], arguments: list[str]
) -> None:
    more = [REACTION, "--reason", "x"] if arguments == ["accept-loss"] else []
    code, said = run(httpx.Response(200), *arguments, "reporting", *more)
    assert (code, "there is no log of 'reporting'" in said, asked) == (1, True, [])
