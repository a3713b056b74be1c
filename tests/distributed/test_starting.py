"""What services as processes do not begin with."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from steerco.cli import app
from steerco.edition.directory import Content, DataDirectory
from tests.editions.running import free_port


@pytest.mark.parametrize("content", ["example", "seeding"])
def test_an_example_is_not_served_by_processes(content: Content, tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path)
    directory.mark(content)
    done = CliRunner().invoke(app, ["run-distributed", "--data-dir", str(tmp_path), "--port", str(free_port())])
    assert (done.exit_code, done.output.count("\n")) == (1, 1)
    assert "holds the example" in done.output
    assert directory.content() == content
