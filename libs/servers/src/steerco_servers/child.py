"""A server as a child process.

It ends with the process that started it, even by `kill -9` (Linux), a Ctrl-C in the terminal does not
reach it, and every wait for it is bounded.
"""

import asyncio
import ctypes
import os
import pwd
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_POLL = 0.02


class ServerFailed(Exception):
    """A server did not start, died, or did not stop; one line, with the end of the server's own log."""


class ServerMissing(ServerFailed):
    """A program that the server needs is not installed; the line names it."""


@dataclass(frozen=True)
class Account:
    """The unprivileged user that a server runs as when we are root."""

    name: str
    uid: int
    gid: int


def unprivileged_account() -> Account | None:
    """The user for servers that refuse to run as root; None when we are an ordinary user ourselves."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return Account(name, entry.pw_uid, entry.pw_gid)
    raise ServerMissing("PostgreSQL refuses to run as root, and there is neither a user postgres nor nobody")


def free_port() -> int:
    """A TCP port of 127.0.0.1 that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def on_port[Server](port: int | None, start: Callable[[int], Awaitable[Server]]) -> Server:
    """What `start` makes on that port, or on a free one: then again when another process took it first."""
    for attempts_left in (2, 1, 0) if port is None else (0,):
        try:
            return await start(port or free_port())
        except ServerFailed as failure:
            if not attempts_left or "Address already in use" not in str(failure):
                raise
    raise AssertionError("unreachable")


type Progress = Callable[[str], None]
"""Is told each step as it begins, in one line."""


def quiet(_: str) -> None:
    """Progress that nobody is told of."""


def runs(pid: int) -> bool:
    """Whether there is a process of that number, whosever it is."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def clean_environment(**more: str) -> dict[str, str]:
    """A server's environment: nothing of ours that could change what it does."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"} | more


def _die_with_parent(death_signal: signal.Signals) -> Callable[[], None] | None:
    """What the child runs before exec, so that it gets `death_signal` when the starting thread ends."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def before_exec() -> None:
        prctl(_PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return before_exec


class Child:
    """One running child process and its log."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], log: Path) -> None:
        self.name = name
        self.log = log
        self._process = process

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def failed(self, what: str) -> ServerFailed:
        """The error to raise: one line that ends with the last lines of the log."""
        return ServerFailed(f"{self.name} {what}; log {self.log}: {last_lines(self.log)}")

    async def until(self, ready: Callable[[], Awaitable[bool]], within: float) -> None:
        """Wait until `ready`; ServerFailed when the child ends first or `within` seconds have passed."""
        deadline = time.monotonic() + within
        while not await ready():
            if self.exit_code is not None:
                raise self.failed(f"ended with code {self.exit_code} while starting")
            if time.monotonic() > deadline:
                raise self.failed(f"was not ready after {within:g} s")
            await asyncio.sleep(_POLL)

    async def finished(self, within: float) -> bool:
        """Whether the child ended within that many seconds."""
        deadline = time.monotonic() + within
        while self.exit_code is None:
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(_POLL)
        return True

    async def completed(self, within: float) -> None:
        """Wait for its end; ServerFailed when `within` seconds have passed, or when its exit code is not 0."""
        if not await self.finished(within):
            raise self.failed(f"was not ready after {within:g} s")
        if self.exit_code != 0:
            raise self.failed(f"ended with code {self.exit_code}")

    async def stop(self, steps: Sequence[tuple[signal.Signals, float]]) -> None:
        """Send each signal and wait that many seconds, then kill. May be called again, also after the end."""
        for step, patience in (*steps, (signal.SIGKILL, 5.0)):
            if self.exit_code is not None:
                return
            self._process.send_signal(step)
            if await self.finished(patience):
                return
        raise self.failed(f"(process {self.pid}) did not stop")


def start_child(
    name: str,
    command: Sequence[str | Path],
    *,
    log: Path,
    death_signal: signal.Signals,
    environment: Mapping[str, str],
    account: Account | None = None,
) -> Child:
    """Start a program in a session of its own, its output appended to `log`.

    Must be called on the main thread: the kernel ties a child to the *thread* that started it.
    Raises ServerMissing or ServerFailed when it can't be run.
    """
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError(f"{name} must be started on the main thread: it would end with this one")
    with log.open("ab") as output:
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd="/",
                env=dict(environment),
                start_new_session=True,
                user=account.uid if account else None,
                group=account.gid if account else None,
                extra_groups=[] if account else None,
                preexec_fn=_die_with_parent(death_signal),
            )
        except FileNotFoundError as absent:
            raise ServerMissing(f"{name} cannot be run: {command[0]} is not there") from absent
        except (OSError, subprocess.SubprocessError) as error:
            raise ServerFailed(f"{name} cannot be run: {error}") from error
    return Child(name, process, log)


def last_lines(log: Path, count: int = 6) -> str:
    """The end of a log as one line, without the frames of Java's stack traces."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 4096))
            lines = file.read().decode(errors="replace").splitlines()
    except FileNotFoundError:
        return "(no log)"
    telling = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("at ")]
    return " | ".join(telling[-count:]) or "(empty)"
