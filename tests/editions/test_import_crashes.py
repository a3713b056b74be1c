"""A register comes into an edition in spite of crashes."""

import signal
from pathlib import Path
from typing import Any

import pytest

from tests.editions.registers import figures_of, load, loading, made_up, wait_for_some
from tests.editions.running import running_edition, start


@pytest.fixture(scope="module")
def register(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A made-up register with the columns of the map."""
    return made_up(tmp_path_factory.mktemp("register") / "made-up.csv")


@pytest.fixture(scope="module")
def whole(register: Path) -> Any:
    """What an edition shows into which the register came without any trouble."""
    with running_edition("--empty") as running:
        load(running, register)
        return figures_of(running)


def test_an_import_that_was_killed_is_completed_by_the_next(register: Path, whole: Any) -> None:
    with running_edition("--empty") as running:
        killed = loading(running, register)
        wait_for_some(running)
        killed.kill()
        killed.communicate()
        assert "0 refused" in load(running, register)
        assert figures_of(running) == whole
        assert "0 changes made" in load(running, register)


def test_an_edition_that_was_killed_goes_on_and_the_import_is_completed(register: Path, whole: Any) -> None:
    with running_edition("--empty") as running:
        cut_off = loading(running, register)
        wait_for_some(running)
        running.stop(signal.SIGKILL)
        said = cut_off.communicate(timeout=120)[0]
        assert cut_off.returncode == 1, said
        assert "cut off between the services: row" in said or "not begun: " in said
        assert "run the same import again to finish it" in said
        again = start(running.data_dir, "--empty")
        try:
            assert "0 refused" in load(again, register)
            assert figures_of(again) == whole
        finally:
            again.stop()
