"""The options of the editions' commands, before anything is started."""

import subprocess
import sys
from ast import literal_eval
from pathlib import Path

import pytest
from typer.testing import CliRunner

from steerco.cli import app
from steerco.edition import starting

EDITIONS = pytest.mark.parametrize("command", ["up", "run-distributed"])


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Path, int]]:
    """What would have been started: directory and port."""
    found: list[tuple[Path, int]] = []
    monkeypatch.setattr(starting, "run_embedded", lambda _, path, port: found.append((path, port)))
    monkeypatch.setattr(starting, "run_every_service", lambda path, port: found.append((path, port)))
    return found


def run(*arguments: str, **environment: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, arguments, env={"COLUMNS": "140"} | environment)
    return done.exit_code, done.output


@EDITIONS
def test_the_help_says_what_the_options_are_for(command: str) -> None:
    code, said = run(command, "--help")
    assert code == 0
    for expected in ("Where the data is kept", "STEERCO_DATA_DIR", "Where it answers", "PORT", "65535"):
        assert expected in said


@EDITIONS
def test_options_come_from_the_environment_too(command: str, started: list[tuple[Path, int]], tmp_path: Path) -> None:
    assert run(command, STEERCO_DATA_DIR=str(tmp_path), PORT="9001")[0] == 0
    assert run(command, "--data-dir", "here", "--port", "9002", STEERCO_DATA_DIR=str(tmp_path), PORT="9001")[0] == 0
    assert started == [(tmp_path, 9001), (Path("here"), 9002)]


@EDITIONS
def test_a_port_that_cannot_be_and_an_empty_directory_are_refused(
    command: str, started: list[tuple[Path, int]]
) -> None:
    for arguments, environment, expected in (
        (["--port", "99999"], {}, "less than or equal to 65535"),
        (["--port", "0"], {}, "greater than or equal to 1"),
        ([], {"PORT": "70000"}, "less than or equal to 65535"),
        (["--data-dir", ""], {}, "name a directory"),
    ):
        code, said = run(command, *arguments, **environment)
        assert (code, expected in said) == (2, True), said
    assert started == []


def test_a_move_needs_a_reason() -> None:
    code, said = run("move", "INV-27", "--to", "COR-it")
    assert (code, "--reason" in said) == (2, True)


def test_a_command_waits_for_no_part_of_a_server_to_load() -> None:
    loaded = "import sys, steerco.cli; print(sorted({name.partition('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)
    servers = {"alembic", "asyncpg", "fastapi", "pydantic", "sqlalchemy", "starlette", "uvicorn"}
    assert not servers.intersection(literal_eval(done.stdout))
