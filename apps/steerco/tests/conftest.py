"""What commands print is as wide as for a pipe, whatever terminal the tests run in; and databases with a backup."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from steerco.backups.reading import keys_beside
from steerco.backups.taking import Beside, take
from steerco.commands.said import PIPE_WIDTH, console
from steerco.edition.services import BY_NAME
from steerco.testkit.backups import ERASED, MOVE, OTHER, tell
from steerco_servers.child import quiet
from steerco_servers.testing import TemporaryPostgres
from steerco_service.migrations import migrate
from steerco_service.privacy.key_database import MIGRATIONS


@pytest.fixture(autouse=True)
def as_wide_as_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    """The width of the terminal does not matter."""
    monkeypatch.setattr(console, "width", PIPE_WIDTH)


@pytest.fixture
async def databases(postgres: TemporaryPostgres) -> AsyncIterator[Mapping[str, Any]]:
    """A log that is sealed up to 5, and keys of two persons."""
    async with postgres.databases("finance", "portfolio_keys") as found:
        await migrate(BY_NAME["finance"].migrations, found["finance"].owner_url)
        await migrate(MIGRATIONS, found["portfolio_keys"].owner_url)
        await tell(found["finance"].owner_url, MOVE.format(5))
        keys = ", ".join(f"('{person}', '\\x00', now())" for person in (ERASED, OTHER))
        await tell(found["portfolio_keys"].owner_url, f"INSERT INTO privacy.keys VALUES {keys}")
        yield found


@pytest.fixture
def urls(databases: Mapping[str, Any]) -> dict[str, str]:
    return {name: each.owner_url for name, each in databases.items()}


@pytest.fixture
async def taken(urls: dict[str, str], tmp_path: Path) -> Path:
    """A backup of both."""
    folder = tmp_path / "backups" / "one"
    await take(urls, Beside("empty"), folder, keys_beside(folder), quiet)
    return folder
