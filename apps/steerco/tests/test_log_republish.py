"""What `steerco log republish` says while a log is published again, and when nobody publishes it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import httpx
import pytest
from typer.testing import CliRunner

from steerco.cli import app
from steerco.client import Address, Client
from steerco.commands import log

HERE = Address("http://127.0.0.1:1", "token")


@pytest.mark.parametrize(
    ("asked", "states", "code", "said"),
    [
        (httpx.Response(202, json={"position": 5}), [0, 3, 5], 0, "risk: published again up to position 5"),
        (httpx.Response(202, json={"position": 5}), [3, None], 1, "the log of risk is published no more"),
        (httpx.Response(409, json={"detail": "it is read from its store"}), [], 1, "it is read from its store"),
    ],
)
def test_it_ends_when_all_is_published_or_when_nobody_publishes(
    asked: httpx.Response,
    states: list[int | None],
    code: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    positions = iter(states)

    def relay() -> Mapping[str, int] | None:
        position = next(positions)
        return None if position is None else {"position": position}

    def answered(request: httpx.Request) -> httpx.Response:
        return asked if request.method == "POST" else httpx.Response(200, json={"relay": relay()})

    @contextmanager
    def connected() -> Iterator[Client]:
        with httpx.Client(base_url=HERE.url, transport=httpx.MockTransport(answered)) as http:
            yield Client(HERE, http)

    monkeypatch.setattr(log, "connected", connected)
    monkeypatch.setattr(log, "POLL_SECONDS", 0)
    done = CliRunner().invoke(app, ["log", "republish", "risk"], env={"COLUMNS": "140"})
    assert (done.exit_code, said in done.output) == (code, True)
    assert next(positions, "all were asked for") == "all were asked for"
