"""What specs of editions share."""

from collections.abc import Iterator

import pytest

from tests.editions.running import RunningEdition, running_edition


@pytest.fixture(scope="session")
def example() -> Iterator[RunningEdition]:
    """An edition with the example, for who changes nothing in it."""
    with running_edition("--example") as edition:
        yield edition
