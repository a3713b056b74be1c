"""Work that runs on whatever goes wrong, until somebody ends it."""

import asyncio

import pytest

from steerco_events.ids import new_id
from steerco_events.retrying import failing_now, retrying
from steerco_events.testkit.logs import PATIENCE

SERVICE = "risk"


class Flaky:
    """Work that meets these errors, one each time it starts, and then goes on for good."""

    def __init__(self, *errors: BaseException) -> None:
        self._errors = list(errors)
        self.goes_on = asyncio.Event()

    async def run(self) -> None:
        if self._errors:
            raise self._errors.pop(0)
        self.goes_on.set()
        await asyncio.Event().wait()


async def outlived(*errors: BaseException) -> str:
    """What is said of the last error by the time that the work goes on; it ends when it is cancelled."""
    work, name = Flaky(*errors), f"work {new_id()}"
    task = asyncio.create_task(retrying(work.run, name, SERVICE))
    async with asyncio.timeout(PATIENCE):
        await work.goes_on.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert name not in failing_now("another")
    return failing_now(SERVICE)[name]


async def test_an_error_is_said_and_the_work_starts_again() -> None:
    assert await outlived(ValueError("first"), ValueError("second")) == "ValueError: second"


async def test_a_future_that_was_cancelled_elsewhere_does_not_end_the_work() -> None:
    assert await outlived(asyncio.CancelledError()) == "CancelledError: "


async def test_of_an_error_only_the_first_line_is_shown() -> None:
    assert await outlived(ValueError("no row\n[parameters: ('a secret',)]")) == "ValueError: no row"


async def test_what_fails_of_the_whole_process_is_said_of_each_service_in_it() -> None:
    name = f"work {new_id()}"
    task = asyncio.create_task(retrying(Flaky(ValueError("broken")).run, name))
    async with asyncio.timeout(PATIENCE):
        while name not in failing_now():
            await asyncio.sleep(0)
    task.cancel()
    assert failing_now(SERVICE)[name] == failing_now("another")[name] == "ValueError: broken"
