"""What the checks of several pages share."""

from collections.abc import AsyncIterator

import pytest

from steerco_servers.testing import TemporaryKafka, TemporaryPostgres
from tests.docs.published import Published, published_log


@pytest.fixture
async def published(postgres: TemporaryPostgres, kafka: TemporaryKafka) -> AsyncIterator[Published]:
    """A log whose topic the relay has filled."""
    async with published_log(postgres, kafka) as topic:
        yield topic
