"""A fresh log for a test, or for a module of tests that keep to streams of their own."""

from collections.abc import AsyncIterator, Iterator

import pytest

from steerco_events.testkit.logs import Log, fresh_log
from steerco_events.testkit.spans import Spans, recorded_spans
from steerco_servers.testing import TemporaryPostgres


@pytest.fixture
async def log(postgres: TemporaryPostgres) -> AsyncIterator[Log]:
    """A log that nothing was written to yet."""
    async with fresh_log(postgres) as log:
        yield log


@pytest.fixture(scope="module")
async def shared_log(postgres: TemporaryPostgres) -> AsyncIterator[Log]:
    """A log that the tests of a module share."""
    async with fresh_log(postgres) as log:
        yield log


@pytest.fixture
def spans() -> Iterator[Spans]:
    """What is recorded of traces meanwhile."""
    with recorded_spans() as spans:
        yield spans
