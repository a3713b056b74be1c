"""Services in one process come to rest, or it is said what does not."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from steerco_events.positions import Positions
from steerco_servers.testing import TemporaryPostgres
from steerco_service.hosting import NotSettled
from steerco_service.testkit.indigestible import CLOSURES, ILL, closed
from steerco_service.testkit.serving import Served, serving


@pytest.fixture
async def served(postgres: TemporaryPostgres) -> AsyncIterator[Served]:
    async with serving([CLOSURES], postgres, parked_limit=0) as running:
        yield running


async def test_what_has_stopped_is_said_and_what_is_there_can_be_read(served: Served) -> None:
    ILL.add("risk-1")
    try:
        await served.append("risk", "risk-1", closed("1"))
        with pytest.raises(NotSettled, match="risk: closures_v1_b1 is behind in the log of risk, at 0"):
            await served.host.settled(patience=3.0)
        assert await served.host.serves()
    finally:
        ILL.clear()


async def test_rest_is_waited_for_as_long_as_something_moves(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []

    async def comes_slowly() -> tuple[dict[str, Positions], str]:
        await asyncio.sleep(0.5)
        looked.append(f"the view is being made, of {len(looked)} positions so far")
        return {}, looked[-1] if len(looked) < 5 else ""

    monkeypatch.setattr(served.host, "_unsettled", comes_slowly)
    await served.host.settled(patience=1.5)
    assert len(looked) > 5
