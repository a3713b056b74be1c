"""What commands print is as wide as for a pipe, whatever terminal the tests run in."""

import pytest

from steerco.commands.said import PIPE_WIDTH, console


@pytest.fixture(autouse=True)
def as_wide_as_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    """The width of the terminal does not matter."""
    monkeypatch.setattr(console, "width", PIPE_WIDTH)
