"""Long-running work that survives its errors: logged, listed, tried again with a growing pause."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from time import monotonic

from steerco_events.saying import said

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 10.0
LISTED_SECONDS = 60.0

_failures: dict[tuple[str, str], tuple[float, str]] = {}
"""By the service and the name of the work."""

_logger = logging.getLogger("steerco.workers")


def failing_now(service: str = "") -> dict[str, str]:
    """What failed lately and may fail again of a service's work, and of the whole process', by name: its last error."""
    since = monotonic() - LISTED_SECONDS
    return {name: error for (of, name), (at, error) in _failures.items() if at > since and of in (service, "")}


def failed(error: BaseException, name: str, service: str = "") -> None:
    """List that this work failed, of that service or of the whole process; whoever does it sees to it."""
    _failures[service, name] = (monotonic(), said(error))


async def retrying(run: Callable[[], Awaitable[None]], name: str, service: str = "") -> None:
    """Run `run` until cancelled or done. Whenever it raises, say so and start it again after a pause.

    It is the work of that service, of which a process may host several; of the whole process, if none is named. A
    `CancelledError` of something that `run` awaited, when nobody cancelled us, is an error like any other.
    """
    pause = FIRST_PAUSE
    while True:
        began = monotonic()
        try:
            await run()
            return
        except (Exception, asyncio.CancelledError) as error:
            if isinstance(error, asyncio.CancelledError) and _is_cancelled():
                raise
            if monotonic() - began > LONGEST_PAUSE:
                pause = FIRST_PAUSE
            failed(error, name, service)
            _logger.warning("%s failed and starts again in %.1f s", name, pause, exc_info=error)
        await asyncio.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE)


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
