"""The processes of the distributed edition: what ends is started again, whatever stands in the way for a while."""

import asyncio
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from steerco.edition import distributed
from steerco.edition.background import in_background
from steerco.edition.brokers import Brokers
from steerco.edition.directory import DataDirectory
from steerco.edition.distributed import ServiceProcesses
from steerco_events.kafka.broker import Broker
from steerco_servers.child import clean_environment, start_child
from steerco_servers.postgres import ServiceDatabase

PATIENCE = 60


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not is_so():
            await asyncio.sleep(0.01)


async def test_what_can_not_be_started_for_a_while_is_started_once_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(distributed, "LOOK_SECONDS", 0.01)
    nowhere = "postgresql+asyncpg://nobody@127.0.0.1:1/risk"
    database = ServiceDatabase("risk", "risk", nowhere, nowhere, nowhere)
    key = tmp_path / "issuer"
    kafka = Brokers(lambda _: Broker("127.0.0.1:1"), replication=1)
    processes = ServiceProcesses(DataDirectory(tmp_path), {"risk": database}, kafka, key, "token", {})
    logs = tmp_path / "logs"
    logs.mkdir()
    log, brief = logs / "risk-worker.log", [sys.executable, "-c", ""]
    ended = start_child("risk worker", brief, log=log, death_signal=signal.SIGTERM, environment=clean_environment())
    processes._running["risk", "worker"] = ended
    await ended.finished(PATIENCE)
    shutil.rmtree(logs)
    told: list[str] = []
    tending = asyncio.create_task(processes.tend(told.append))
    try:
        await until(lambda: sum("and can't be started now: " in each for each in told) >= 2)
        assert processes._running["risk", "worker"] is ended
        logs.mkdir()
        await until(lambda: processes._running["risk", "worker"] is not ended)
        assert not tending.done()
    finally:
        tending.cancel()
        await asyncio.gather(tending, return_exceptions=True)
        await processes.stop()


async def test_what_fails_in_the_background_begins_again_and_ends_with_what_it_is_beside() -> None:
    began: list[int] = []
    ended = asyncio.Event()

    async def failing_once() -> None:
        began.append(len(began))
        if len(began) == 1:
            raise BrokenPipeError("nobody reads what is printed")
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with in_background(failing_once, "tending"):
        await until(lambda: len(began) == 2)
    assert ended.is_set()
