"""What blocks is waited for so long, beside the event loop, and is not begun again while it goes on."""

import asyncio
import threading
from collections.abc import Iterator

import pytest

from steerco_events.bounding import Hangs
from steerco_events.off_loop import OffLoop

PATIENCE = 60


class Gate:
    """Is passed once it is open, and counts who came to it."""

    def __init__(self) -> None:
        self.came = 0
        self.opened = threading.Event()

    def pass_through(self, what: str) -> str:
        """What was brought, once it is open."""
        self.came += 1
        assert self.opened.wait(PATIENCE)
        return what


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.opened.set()


async def test_what_a_call_returns_or_raises_is_had(gate: Gate) -> None:
    gate.opened.set()
    off_loop = OffLoop(PATIENCE, "the gate")
    assert [await off_loop.call(gate.pass_through, each) for each in ("a", "b")] == ["a", "b"]
    with pytest.raises(ValueError, match="invalid literal"):
        await off_loop.call(int, "c")


async def test_a_call_that_comes_to_no_end_is_given_up_and_the_loop_goes_on_meanwhile(gate: Gate) -> None:
    waiting = asyncio.create_task(OffLoop(0.1, "the gate").call(gate.pass_through, "a"))
    turns = 0
    while not waiting.done():
        turns += 1
        await asyncio.sleep(0)
    with pytest.raises(Hangs, match="the gate came to no end"):
        await waiting
    assert turns > 1


async def test_no_other_is_begun_until_it_has_ended(gate: Gate) -> None:
    off_loop = OffLoop(0.1, "the gate")
    with pytest.raises(Hangs):
        await off_loop.call(gate.pass_through, "a")
    with pytest.raises(Hangs, match="has not come to its end since it was last begun"):
        await off_loop.call(gate.pass_through, "b")
    assert gate.came == 1
    gate.opened.set()
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                assert await off_loop.call(gate.pass_through, "c") == "c"
                break
            except Hangs:
                await asyncio.sleep(0.01)
