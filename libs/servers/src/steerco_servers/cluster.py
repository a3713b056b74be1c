"""The files of one PostgreSQL cluster: where they lie, how they are made, and who still uses them."""

import asyncio
import hashlib
import os
import secrets
import shutil
import signal
import stat
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from steerco_servers.binaries import SHARED_HOME, make_shared_home
from steerco_servers.child import Account, ServerFailed, clean_environment, runs, start_child
from steerco_servers.directory import read_private, write_private

SUPERUSER = "postgres"
SOCKET_LIMIT = 107 if sys.platform == "linux" else 103
"""The longest path of a unix socket, in bytes."""

_RECORD = "cluster.json"
_LOG = "postgres.log"
_OLD_LOG = "postgres.log.1"
_PORT_DIGITS = len("/.s.PGSQL.65535.lock")


@dataclass(frozen=True)
class Cluster:
    """Where a data directory's cluster lies, and its superuser's password."""

    data_dir: Path
    home: Path
    """Holds the cluster; under root in SHARED_HOME, so that the server's user reaches it."""
    socket_dir: Path
    password: str
    initialized: bool

    @property
    def files(self) -> Path:
        """PostgreSQL's own directory (PGDATA)."""
        return self.home / "cluster"

    @property
    def log(self) -> Path:
        return self.data_dir / _LOG


def open_cluster(data_dir: Path, account: Account | None) -> Cluster:
    """Find or found the cluster of a data directory whose lock we hold. Nothing but small files is written."""
    record = read_private(data_dir / _RECORD)
    if not record:
        identity = secrets.token_hex(6) if account else None
        record = {"id": identity, "password": secrets.token_urlsafe(24), "initialized": False}
        write_private(data_dir / _RECORD, record)
    identity = record["id"]
    if (identity is not None) != (account is not None):
        maker = "root" if identity else "an ordinary user"
        raise ServerFailed(f"the data directory {data_dir} was made by {maker}: start it as that user")
    home = SHARED_HOME / identity if identity else data_dir
    return Cluster(data_dir, home, _socket_dir(home), record["password"], record["initialized"])


def is_cluster(data_dir: Path) -> bool:
    """Whether the directory holds a cluster whose files were made."""
    return bool(read_private(data_dir / _RECORD).get("initialized"))


async def make_files(cluster: Cluster, programs: Path, account: Account | None, *, durable: bool) -> None:
    """Make the cluster's files the first time, all or nothing: after a crash in between the next start begins again.

    A cluster that was there once and is gone is never replaced by an empty one: ServerFailed.
    """
    if cluster.initialized:
        if not cluster.files.exists():
            raise ServerFailed(f"the cluster of {cluster.data_dir} is gone: {cluster.files} does not exist")
        return
    if not cluster.files.exists():
        draft = cluster.home / "cluster.new"
        shutil.rmtree(draft, ignore_errors=True)
        await _initdb(cluster, draft, programs, account, durable=durable)
        draft.rename(cluster.files)
    record = read_private(cluster.data_dir / _RECORD)
    write_private(cluster.data_dir / _RECORD, record | {"initialized": True})


async def _initdb(cluster: Cluster, files: Path, programs: Path, account: Account | None, *, durable: bool) -> None:
    secret = cluster.home / "initial-password"
    secret.unlink(missing_ok=True)
    descriptor = os.open(secret, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(cluster.password)
    if account:
        os.chown(secret, account.uid, account.gid)
    command: list[str | Path] = [
        programs / "initdb",
        f"--pgdata={files}",
        f"--username={SUPERUSER}",
        f"--pwfile={secret}",
        "--auth=scram-sha-256",
        "--locale=C",
        "--encoding=UTF8",
        "--no-instructions",
        *([] if durable else ["--no-sync"]),
    ]
    child = start_child(
        "initdb",
        command,
        log=cluster.log,
        death_signal=signal.SIGTERM,
        environment=clean_environment(),
        account=account,
    )
    try:
        if not await child.finished(within=180):
            raise child.failed("was not ready after 180 s")
        if child.exit_code != 0:
            raise child.failed(f"ended with code {child.exit_code}")
    finally:
        await child.stop([(signal.SIGTERM, 10)])
        secret.unlink(missing_ok=True)


def prepare_run(cluster: Cluster, account: Account | None) -> None:
    """Make the folders (0700) around the cluster's files and begin a new log, keeping the one before."""
    if account:
        make_shared_home()
        _private_folder(cluster.home, account)
    _private_folder(cluster.socket_dir, account)
    if cluster.log.exists():
        cluster.log.replace(cluster.data_dir / _OLD_LOG)


def remove_files(cluster: Cluster) -> None:
    """Remove all that this module made. The server must be stopped."""
    for folder in (cluster.files, cluster.home / "cluster.new", cluster.socket_dir):
        shutil.rmtree(folder, ignore_errors=True)
    if cluster.home != cluster.data_dir:
        shutil.rmtree(cluster.home, ignore_errors=True)
    for name in (_RECORD, _LOG, _OLD_LOG):
        (cluster.data_dir / name).unlink(missing_ok=True)


async def former_server_gone(cluster: Cluster, progress: Callable[[str], None]) -> None:
    """Wait for the server of a killed process; it stops by itself, which takes a moment.

    Raises ServerFailed when a server runs here that nobody told to stop (3 s), or that doesn't come to an
    end (60 s). Afterwards a file `postmaster.pid` that was left behind can't be mistaken for a running server.
    """
    started = time.monotonic()
    told = False
    while (running := _postmaster(cluster.files)) is not None:
        pid, status = running
        waited = time.monotonic() - started
        if waited > (60 if status == "stopping" else 3):
            raise ServerFailed(f"{cluster.data_dir} is in use by the PostgreSQL server of process {pid} ({status})")
        if not told:
            progress("waiting for the former PostgreSQL server to stop")
            told = True
        await asyncio.sleep(0.05)
    while (left := _processes_in(cluster.files)) and time.monotonic() - started < 60:
        progress(f"waiting for processes of the former PostgreSQL server: {left}")
        await asyncio.sleep(0.2)
    pid_file = cluster.files / "postmaster.pid"
    lines = _lines(pid_file)
    if lines:
        # Its number may belong to somebody else's process by now, and PostgreSQL would refuse to start. It
        # disregards its parent's number, and needs the rest of the file to look for the shared memory.
        with pid_file.open("r+b") as file:
            content = b"\n".join(line.encode() for line in [str(os.getpid()), *lines[1:]]) + b"\n"
            file.write(content)
            file.truncate(len(content))


def server_status(cluster: Cluster, pid: int) -> str:
    """What the running server says of itself: `starting`, `ready`, `stopping`; empty when it says nothing yet."""
    lines = _lines(cluster.files / "postmaster.pid")
    return lines[7].strip() if len(lines) > 7 and lines[0].strip() == str(pid) else ""


def running_at(cluster: Cluster) -> int | None:
    """The port, also of the unix socket, at which its server is ready now; None while none is."""
    running = _postmaster(cluster.files)
    lines = _lines(cluster.files / "postmaster.pid")
    return int(lines[3]) if running is not None and running[1] == "ready" and len(lines) > 3 else None


def _postmaster(files: Path) -> tuple[int, str] | None:
    """The running server of that cluster: process and status."""
    lines = _lines(files / "postmaster.pid")
    if not lines or not lines[0].strip().isdigit():
        return None
    pid = int(lines[0])
    if sys.platform == "linux":
        try:
            alive = os.fsencode(files) in Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            alive = False
    else:
        alive = runs(pid)
    return (pid, lines[7].strip() if len(lines) > 7 else "starting") if alive else None


def _processes_in(files: Path) -> list[int]:
    """Processes that work in that folder, as all of PostgreSQL's do; empty where the system doesn't tell."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if (entry / "cwd").readlink() == files:
                found.append(int(entry.name))
        except OSError:
            continue  # it ended, or belongs to somebody else
    return found


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(errors="replace").splitlines()
    except FileNotFoundError:
        return []


def _socket_dir(home: Path) -> Path:
    near = home / "socket"
    if len(os.fsencode(near)) + _PORT_DIGITS <= SOCKET_LIMIT:
        return near
    # /tmp rather than $TMPDIR, which may be long as well.
    mark = hashlib.sha256(os.fsencode(home)).hexdigest()[:12]
    short = Path("/tmp") if Path("/tmp").is_dir() else Path(tempfile.gettempdir())
    return short / f"steerco-{os.geteuid()}-{mark}"


def _private_folder(folder: Path, account: Account | None) -> None:
    """Make a folder that only the server's user (and root) may enter; refuse one that is somebody else's."""
    owner = account.uid if account else os.geteuid()
    try:
        folder.mkdir(mode=0o700, parents=True)
        if account:
            os.chown(folder, account.uid, account.gid)
    except FileExistsError:
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid not in {owner, os.geteuid()}:
            raise ServerFailed(f"{folder} belongs to somebody else") from None
        if account:
            os.chown(folder, account.uid, account.gid)
    except OSError as error:
        raise ServerFailed(f"{folder} cannot be made: {error}") from error
    folder.chmod(0o700)
