"""The trace of the last command is remembered."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from steerco.cli import app
from steerco.client import Address, Client
from steerco.traces.last import new_trace, remembered, trace_id_of


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("STEERCO_DATA_DIR", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path


@pytest.fixture
def client() -> Iterator[tuple[Client, str]]:
    trace = new_trace()
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json={}))
    with httpx.Client(base_url="http://edition", transport=transport) as http:
        yield Client(Address("http://edition", "token"), http, trace_id_of(trace)), trace


@pytest.mark.usefixtures("home")
def test_the_last_command_is_remembered_and_no_question(client: tuple[Client, str]) -> None:
    asking, trace = client
    asking.get("/portfolio/units")
    assert remembered() is None
    asking.command("POST", "/portfolio/units", {})
    assert remembered() == trace_id_of(trace)


def test_where_nothing_can_be_kept_a_command_goes_on(home: Path, client: tuple[Client, str]) -> None:
    (home / "state").write_text("in the way")
    client[0].command("POST", "/portfolio/units", {})
    assert remembered() is None


@pytest.mark.usefixtures("home")
def test_before_the_first_command_there_is_no_last_trace() -> None:
    done = CliRunner().invoke(app, ["trace"])
    assert (done.exit_code, done.stderr) == (
        1,
        "steerco: no command was sent from here yet; name a trace by its id\n",
    )
