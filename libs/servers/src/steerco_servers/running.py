"""What running servers have alike: a child process over a directory that nobody else may use meanwhile."""

import signal
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from steerco_servers.child import Child
from steerco_servers.directory import DirectoryLock


class RunningServer:
    """Stop it by `stop()` or by leaving `async with`; it also ends with this process."""

    def __init__(
        self, port: int, child: Child, lock: DirectoryLock, steps: Sequence[tuple[signal.Signals, float]]
    ) -> None:
        """`steps`: by which signals it is asked to stop, each with the seconds that it has."""
        self.port = port
        self._child = child
        self._lock = lock
        self._steps = steps

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def alive(self) -> bool:
        return self._child.exit_code is None

    async def stop(self) -> None:
        """Write everything out and stop. May be called again; ServerFailed if it can't."""
        await self._child.stop(self._steps)
        self._lock.release()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()
