"""A broker of its own: the topics of fleets have the same names in every run."""

import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from steerco_servers.kafka import remove_kafka, start_kafka


@pytest.fixture(scope="session")
async def broker() -> AsyncIterator[str]:
    """Where a new broker listens; it is removed at the end."""
    directory = Path(tempfile.mkdtemp(prefix="steerco-rolling-")).resolve()
    try:
        async with await start_kafka(directory / "kafka") as server:
            yield server.bootstrap
    finally:
        await remove_kafka(directory / "kafka")
        shutil.rmtree(directory, ignore_errors=True)
