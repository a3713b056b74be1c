"""The databases of a data directory, whether its server runs or not: it is started for the time if it does not."""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote

from steerco_servers.child import ServerFailed, quiet, unprivileged_account
from steerco_servers.cluster import SUPERUSER, is_cluster, open_cluster, running_at
from steerco_servers.directory import read_private
from steerco_servers.postgres import start_postgres
from steerco_servers.provisioning import database_name, role_url


@asynccontextmanager
async def attached(data_dir: Path, progress: Callable[[str], None] = quiet) -> AsyncIterator[str]:
    """The superuser's URL of the directory's server. Raises ServerFailed where no cluster was ever made.

    One that runs is only asked, also by others at the same time. Must be entered on the main thread.
    """
    if not is_cluster(data_dir):
        raise ServerFailed(f"there is no database in {data_dir}")
    cluster = open_cluster(data_dir.resolve(), unprivileged_account())
    if (port := running_at(cluster)) is not None:
        host = quote(str(cluster.socket_dir), safe="")
        yield f"postgresql+asyncpg://{SUPERUSER}:{quote(cluster.password, safe='')}@/postgres?host={host}&port={port}"
        return
    async with await start_postgres(data_dir, progress=progress) as server:
        yield server.url()


def runs_in(data_dir: Path) -> bool:
    """Whether a server runs over the directory's cluster."""
    if not is_cluster(data_dir):
        return False
    return running_at(open_cluster(data_dir.resolve(), unprivileged_account())) is not None


def home_of(data_dir: Path) -> Path | None:
    """Where the directory's cluster lies, which may be elsewhere; `None` if none was ever made."""
    return open_cluster(data_dir.resolve(), unprivileged_account()).home if is_cluster(data_dir) else None


def owner_urls(
    admin_url: str, services: Iterable[str], *, passwords: Path, prefix: str = "steerco"
) -> Mapping[str, str]:
    """The owner role's URL of each service's database, as `provision` made them.

    Raises ServerFailed for a service that it made none for.
    """
    known = read_private(passwords)
    found = {}
    for service in services:
        name = database_name(prefix, service)
        owner = f"{name}_owner"
        if owner not in known:
            raise ServerFailed(f"{passwords} has no password of {owner}: start the edition once")
        found[service] = role_url(admin_url, name, owner, known[owner])
    return found
